//! The path of a session's file, and the names of the files beside it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::error::{FileError, FileErrorKind};

/// The longest name of an application or a session, in bytes. File systems take 255, and the names made of it have up to
/// 45 more.
const MAX_NAME: usize = 120;

/// The path of a session's file, from which the names of all files beside it are made.
#[derive(Clone, Debug)]
pub(crate) struct StorePaths {
    pub(crate) directory: PathBuf,
    /// The name of the session's file in the directory.
    pub(crate) file_name: OsString,
}

impl StorePaths {
    /// An error if the path does not end in the name of a file.
    pub(crate) fn new(path: &Path) -> Result<Self, FileError> {
        match (path.parent(), path.file_name()) {
            (Some(directory), Some(name)) => Ok(Self { directory: directory.to_owned(), file_name: name.to_owned() }),
            _ => Err(FileErrorKind::NoName.at(path)),
        }
    }

    pub(crate) fn lock_name(&self) -> OsString {
        self.name_beside("", ".lock")
    }

    /// Of a record that was quarantined.
    pub(crate) fn quarantine_name(&self, number: u32) -> OsString {
        self.name_beside("", format_args!(".aside-{number}"))
    }

    /// Of another program's file that was retired, since its session was imported.
    pub(crate) fn retired_name(&self, number: u32) -> OsString {
        self.name_beside("", format_args!(".retired-{number}"))
    }

    /// Whether [`StorePaths::retired_name`] made this name.
    pub(crate) fn is_retired(&self, name: &OsStr) -> bool {
        let (name, own_name) = (name.as_encoded_bytes(), self.file_name.as_encoded_bytes());
        let number = || name.strip_prefix(own_name)?.strip_prefix(b".retired-");
        number().is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
    }

    /// A hidden name with the process's id and a number. A process in another container may have the same id, so the file
    /// is created only if nothing has the name.
    pub(crate) fn temporary_name(&self, process: u32, number: u64) -> OsString {
        self.name_beside(".", format_args!(".{process}-{number}.tmp"))
    }

    /// Whether [`StorePaths::temporary_name`] made this name.
    pub(crate) fn is_temporary(&self, name: &OsStr) -> bool {
        let (name, own_name) = (name.as_encoded_bytes(), self.file_name.as_encoded_bytes());
        let number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        let middle = || name.strip_prefix(b".")?.strip_prefix(own_name)?.strip_prefix(b".")?.strip_suffix(b".tmp");
        middle().is_some_and(|middle| {
            let mut numbers = middle.split(|byte| *byte == b'-');
            numbers.next().is_some_and(number) && numbers.next().is_some_and(number) && numbers.next().is_none()
        })
    }

    fn name_beside(&self, before: &str, after: impl Display) -> OsString {
        let mut name = OsString::from(before);
        name.push(&self.file_name);
        name.push(after.to_string());
        name
    }
}

/// The path of a session by its name, in the user's state directory.
pub(crate) fn default_path(app: &str, session: &str) -> Result<PathBuf, FileError> {
    for name in [app, session] {
        if !is_valid_name(name) {
            return Err(FileErrorKind::BadName.at(name));
        }
    }
    let state = state_directory(env::var_os("XDG_STATE_HOME"), env::home_dir()).ok_or(FileErrorKind::NoHome.at(app))?;
    Ok(state.join(app).join(format!("{session}.session")))
}

/// `$XDG_STATE_HOME`, or `~/.local/state`; on macOS `~/Library/Application Support`. A relative path in the variable is
/// ignored, as the XDG Base Directory Specification says.
fn state_directory(xdg: Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    let home = || home.filter(|home| home.is_absolute());
    if cfg!(target_vendor = "apple") {
        return home().map(|home| home.join("Library/Application Support"));
    }
    let xdg = xdg.map(PathBuf::from).filter(|xdg| xdg.is_absolute());
    xdg.or_else(|| home().map(|home| home.join(".local/state")))
}

fn is_valid_name(name: &str) -> bool {
    let bad = |c: char| c.is_control() || matches!(c, '/' | '\\');
    !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('.') && !name.contains(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_the_store_gives_count_as_temporary_files() {
        let paths = StorePaths::new(Path::new("/d/a.json")).unwrap();
        assert!(paths.is_temporary(&paths.temporary_name(u32::MAX, u64::MAX)));
        for other in [
            "a.json",
            "a.json.lock",
            "a.json.aside-1",
            ".a.json.tmp",
            ".a.json..tmp",
            ".a.json.1.tmp",
            ".a.json.1-.tmp",
            ".a.json.-1.tmp",
            ".a.json.1-2-3.tmp",
            ".a.json.1-x.tmp",
            ".a.json.1-2.tmp.bak",
            ".b.json.1-2.tmp",
            ".a.jsonl.1-2.tmp",
            "a.json.1-2.tmp",
        ] {
            assert!(!paths.is_temporary(OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn only_names_that_the_store_gives_count_as_retired_files() {
        let paths = StorePaths::new(Path::new("/d/a.json")).unwrap();
        assert!(paths.is_retired(&paths.retired_name(u32::MAX)));
        for other in [
            "a.json",
            "a.json.aside-1",
            "a.json.retired-",
            "a.json.retired-1x",
            "a.json.retired-1.bak",
            "b.json.retired-1",
            ".a.json.retired-1",
        ] {
            assert!(!paths.is_retired(OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn a_path_without_a_file_name_is_an_error() {
        for bad in ["", "/", "..", "/a/.."] {
            assert!(matches!(StorePaths::new(Path::new(bad)).unwrap_err().kind(), FileErrorKind::NoName), "{bad:?}");
        }
    }

    #[test]
    fn names_of_applications_and_sessions_cannot_leave_the_directory() {
        for bad in ["", ".", "..", "../a", "a/b", "a\\b", "a\0b", "a\nb", ".hidden", &"a".repeat(121)] {
            for (app, session) in [(bad, "a"), ("a", bad)] {
                let error = default_path(app, session).unwrap_err();
                assert!(matches!(error.kind(), FileErrorKind::BadName), "{bad:?}");
            }
        }
        for good in ["greenhouse", "grower@example.com", "Haus 2", "é", "a.b"] {
            assert!(is_valid_name(good), "{good:?}");
        }
    }

    #[cfg(not(target_vendor = "apple"))]
    #[test]
    fn the_state_directory_follows_the_xdg_specification() {
        let directory = |xdg: &str, home: &str| state_directory(Some(xdg.into()), Some(home.into()));
        assert_eq!(directory("/x", "/h"), Some("/x".into()));
        assert_eq!(directory("x", "/h"), Some("/h/.local/state".into()));
        assert_eq!(directory("", "/h"), Some("/h/.local/state".into()));
        assert_eq!(directory("", "h"), None);
        assert_eq!(state_directory(None, None), None);
    }
}
