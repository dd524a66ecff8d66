//! The error of this crate: which file, and what is wrong with it.

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
    kind: FileErrorKind,
}

/// What is wrong with a file or directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// A system call failed. Its error says why.
    #[error("could not be {what}")]
    System {
        /// What could not be done to the file: `written`, say.
        what: &'static str,
        /// The error of the system call.
        source: io::Error,
    },
    /// The path ends in `/` or `..`, or is empty. Name a file.
    #[error("does not name a file")]
    NoName,
    /// The name of an application or a session is empty, too long, starts with a dot, or has a separator or a control
    /// character. Choose another.
    #[error("is no name for a file: it must not be empty, long, start with a dot or hold a separator")]
    BadName,
    /// The user has no home directory, neither in the environment nor in the system's user database. Name a file with `FileStore::new`.
    #[error("has no place: this user has no home directory")]
    NoHome,
    /// It is a symbolic link. Name the file that it points to.
    #[error("is a symbolic link")]
    SymbolicLink,
    /// It is a directory, a pipe, a socket or a device.
    #[error("is not a regular file")]
    NotAFile,
    /// It is a hard link: it has a second name, under which others could read or change it.
    #[error("has a second name, a hard link")]
    HardLink,
    /// Another user owns it.
    #[error("belongs to user {owner}")]
    Foreign {
        /// The owner's user id.
        owner: u32,
    },
    /// Other users may read it, and its file system does not keep modes.
    #[error("can be read by other users, which its file system does not let us change")]
    Exposed,
    /// Other users may create files in this directory. `chmod go-w` forbids it.
    #[error("is a directory that other users can write to")]
    WritableByOthers,
    /// It has more than [`MAX_BYTES`](crate::MAX_BYTES), or would have. It is not changed.
    #[error("has more bytes than any saved session")]
    TooLarge,
    /// 1,000 files were quarantined or retired already. Look at them and remove them.
    #[error("was set aside too often: look at its `.aside-` and `.retired-` files and remove them")]
    TooManyQuarantined,
    /// It is encrypted, and this store has no key. It is not changed.
    #[error("is encrypted, and no key was given")]
    Encrypted,
    /// It is not encrypted, and this store has a key. It is not changed; `FileStore::encrypted_with` says how to encrypt
    /// it.
    #[error("is not encrypted, and a key was given")]
    NotEncrypted,
    /// The key is wrong, or somebody has changed the file. It is not changed.
    #[error("cannot be decrypted: the key is wrong, or the file was changed")]
    WrongKey,
    /// It is encrypted in a format that this version does not know. It is not changed.
    #[error("was encrypted by a newer version")]
    NewerEncryption,
}

impl FileError {
    /// The file or directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it.
    pub fn kind(&self) -> &FileErrorKind {
        &self.kind
    }

    /// The store error if the renaming of the new file over the old one failed. Unless the kernel refused it, it may have
    /// happened.
    pub(crate) fn during_rename(self) -> StoreError {
        match &self.kind {
            // The kernel checks for these errors before it changes anything.
            FileErrorKind::System { source, .. } if needs_a_person(source) => self.into(),
            _ => self.after_rename(),
        }
    }

    /// The store error if a step after the renaming failed: the directory could not be synced, say.
    pub(crate) fn after_rename(self) -> StoreError {
        StoreError::new(StoreErrorKind::MaybeWritten).with_source(self)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `{:?}` escapes line breaks and control characters, which a path may contain.
        write!(f, "{:?} {}", self.path, self.kind)
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.kind.source() // the kind itself is part of the text
    }
}

impl FileErrorKind {
    /// Turns the error of a system call into a kind. `what` completes "could not be …".
    pub(crate) fn system(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::System { what, source }
    }

    pub(crate) fn at(self, path: impl Into<PathBuf>) -> FileError {
        FileError { path: path.into(), kind: self }
    }

    fn store_kind(&self) -> StoreErrorKind {
        match self {
            Self::System { source, .. } if needs_a_person(source) => StoreErrorKind::Unusable,
            Self::System { .. } => StoreErrorKind::Unavailable,
            Self::TooLarge => StoreErrorKind::Refused(ImportError::Malformed { what: "too large" }),
            _ => StoreErrorKind::Unusable,
        }
    }
}

impl From<FileError> for StoreError {
    fn from(error: FileError) -> Self {
        StoreError::new(error.kind.store_kind()).with_source(error)
    }
}

/// Whether the system call will fail in the same way until a person changes something: a mode, a mount, a path.
fn needs_a_person(error: &io::Error) -> bool {
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
    fn each_error_of_the_chain_shows_its_own_part_only() {
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
    fn an_error_is_unusable_where_a_person_has_to_act_and_maybe_written_where_a_rename_may_have_happened() {
        for (errno, kind, during_rename) in [
            (Errno::ACCESS, StoreErrorKind::Unusable, StoreErrorKind::Unusable),
            (Errno::ROFS, StoreErrorKind::Unusable, StoreErrorKind::Unusable),
            (Errno::IO, StoreErrorKind::Unavailable, StoreErrorKind::MaybeWritten),
            (Errno::NOSPC, StoreErrorKind::Unavailable, StoreErrorKind::MaybeWritten),
        ] {
            let error = || FileErrorKind::system("written")(errno.into()).at("/a");
            assert_eq!(StoreError::from(error()).kind(), kind);
            assert_eq!(error().during_rename().kind(), during_rename);
        }
    }
}
