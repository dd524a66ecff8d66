//! What is wrong with a file.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use perennial_core::ImportError;
use perennial_core::store::{StoreError, StoreErrorKind};
use rustix::io::Errno;

/// Which file or directory, and what is wrong with it: the source of every
/// [`StoreError`](perennial_core::store::StoreError) of this crate but the plain `Busy` and `Lost`.
#[derive(Debug)]
pub struct FileError {
    path: PathBuf,
    trouble: FileErrorKind,
}

/// What is wrong with a file or directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// The system failed or refused.
    #[error("could not be {what}")]
    System {
        /// What was tried: `written`, say.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The path ends in `/` or `..`, or is empty. Name a file.
    #[error("does not name a file")]
    NoName,
    /// The name of an application or a session is empty, too long, starts with a dot, or has a separator or a control
    /// character. Choose another.
    #[error("is no name for a file: it must not be empty, long, start with a dot or hold a separator")]
    BadName,
    /// Neither the environment nor the system tells a home directory. Name a file with `FileStore::new`.
    #[error("has no place: this user has no home directory")]
    NoHome,
    /// It is a symbolic link. Name the file that it points to.
    #[error("is a symbolic link")]
    SymbolicLink,
    /// It is a directory, a pipe, a socket or a device.
    #[error("is not a regular file")]
    NotAFile,
    /// It has another name, under which it could be read or changed.
    #[error("has a second name, a hard link")]
    HardLink,
    /// Somebody else owns it.
    #[error("belongs to user {owner}")]
    Foreign {
        /// The owner's number.
        owner: u32,
    },
    /// Others may read it, and the file system does not let that be changed.
    #[error("can be read by other users, which its file system does not let us change")]
    Exposed,
    /// Others may put files of theirs into this directory. `chmod go-w` mends that.
    #[error("is a directory that other users can write to")]
    WritableByOthers,
    /// It has more than [`MAX_BYTES`](crate::MAX_BYTES), or would have. It is left as it is.
    #[error("has more bytes than any saved session")]
    TooLarge,
    /// So many files were set aside already that somebody should look at them.
    #[error("was set aside too often: look at its `.aside-` and `.retired-` files and remove them")]
    TooManyAside,
    /// It is encrypted, and this store has no key. It is left as it is.
    #[error("is encrypted, and no key was given")]
    Encrypted,
    /// It is not encrypted, and this store has a key. It is left as it is; see `FileStore::encrypted_with`.
    #[error("is not encrypted, and a key was given")]
    NotEncrypted,
    /// The key is wrong, or somebody changed the file. It is left as it is.
    #[error("cannot be decrypted: the key is wrong, or the file was changed")]
    WrongKey,
    /// It is encrypted in a way that this version does not know. It is left as it is.
    #[error("was encrypted by a newer version")]
    NewerEncryption,
}

impl FileError {
    /// The file or directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it.
    pub fn trouble(&self) -> &FileErrorKind {
        &self.trouble
    }

    /// Of the step that puts a new record in place, where a failure need not mean that nothing happened.
    pub(crate) fn while_replacing(self) -> StoreError {
        match &self.trouble {
            // The kernel says these before it touches anything.
            FileErrorKind::System { source, .. } if refuses(source) => self.into(),
            _ => self.after_replacing(),
        }
    }

    /// Of a step after that one.
    pub(crate) fn after_replacing(self) -> StoreError {
        StoreError::new(StoreErrorKind::MaybeWritten).with_source(self)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path can hold line breaks and worse: this form escapes them.
        write!(f, "{:?} {}", self.path, self.trouble)
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.trouble.source() // the trouble itself is in the text
    }
}

impl FileErrorKind {
    pub(crate) fn system(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::System { what, source }
    }

    pub(crate) fn at(self, path: impl Into<PathBuf>) -> FileError {
        FileError { path: path.into(), trouble: self }
    }

    fn kind(&self) -> StoreErrorKind {
        match self {
            Self::System { source, .. } if refuses(source) => StoreErrorKind::Unusable,
            Self::System { .. } => StoreErrorKind::Unavailable,
            Self::TooLarge => StoreErrorKind::Refused(ImportError::Malformed { what: "too large" }),
            _ => StoreErrorKind::Unusable,
        }
    }
}

impl From<FileError> for StoreError {
    fn from(error: FileError) -> Self {
        StoreError::new(error.trouble.kind()).with_source(error)
    }
}

/// Whether the system will say the same again until a person changes something.
fn refuses(error: &io::Error) -> bool {
    let Some(errno) = Errno::from_io_error(error) else { return false };
    [
        Errno::ACCESS,
        Errno::PERM,
        Errno::ROFS,
        Errno::LOOP,
        Errno::ISDIR,
        Errno::NOTDIR,
        Errno::NAMETOOLONG,
        Errno::NOSYS,
        Errno::OPNOTSUPP,
        Errno::NOTSUP, // the same number on Linux
        Errno::NOLCK,
    ]
    .contains(&errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layer_says_its_own_part() {
        let error = FileErrorKind::system("written")(Errno::NOSPC.into()).at("/a\n/b");
        let error = StoreError::from(error);
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        let mut said = vec![error.to_string()];
        let mut next = error.source();
        while let Some(error) = next {
            said.push(error.to_string());
            next = error.source();
        }
        assert_eq!(said[0], "the store of the session failed");
        assert_eq!(said[1], r#""/a\n/b" could not be written"#);
        assert!(said[2].contains("No space left"), "{said:?}");
        assert_eq!(said.len(), 3, "{said:?}");
    }

    #[test]
    fn what_a_person_has_to_mend_is_unusable() {
        for (errno, kind, late) in [
            (Errno::ACCESS, StoreErrorKind::Unusable, StoreErrorKind::Unusable),
            (Errno::ROFS, StoreErrorKind::Unusable, StoreErrorKind::Unusable),
            (Errno::IO, StoreErrorKind::Unavailable, StoreErrorKind::MaybeWritten),
            (Errno::NOSPC, StoreErrorKind::Unavailable, StoreErrorKind::MaybeWritten),
        ] {
            let error = || FileErrorKind::system("written")(errno.into()).at("/a");
            assert_eq!(StoreError::from(error()).kind(), kind);
            assert_eq!(error().while_replacing().kind(), late);
        }
    }
}
