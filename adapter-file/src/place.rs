//! Where a file is, and the names of the files beside it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::error::{FileError, FileErrorKind};

/// More than any sensible name, and short enough for the names made of it.
const MAX_NAME: usize = 120;

/// A directory, and the name of a file in it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) directory: PathBuf,
    pub(crate) name: OsString,
}

impl Place {
    pub(crate) fn of(path: &Path) -> Result<Self, FileError> {
        match (path.parent(), path.file_name()) {
            (Some(directory), Some(name)) => Ok(Self { directory: directory.to_owned(), name: name.to_owned() }),
            _ => Err(FileErrorKind::NoName.at(path)),
        }
    }

    pub(crate) fn lock_name(&self) -> OsString {
        self.beside("", ".lock")
    }

    pub(crate) fn aside_name(&self, number: u32) -> OsString {
        self.beside("", format_args!(".aside-{number}"))
    }

    /// Of another program's file, whose session was taken up.
    pub(crate) fn retired_name(&self, number: u32) -> OsString {
        self.beside("", format_args!(".retired-{number}"))
    }

    /// Whether [`Place::retired_name`] made this name.
    pub(crate) fn is_retired(&self, name: &OsStr) -> bool {
        let (name, own) = (name.as_encoded_bytes(), self.name.as_encoded_bytes());
        let number = || name.strip_prefix(own)?.strip_prefix(b".retired-");
        number().is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
    }

    /// Hidden, and made of numbers that no other living process uses; whoever creates it insists on that.
    pub(crate) fn temporary_name(&self, process: u32, number: u64) -> OsString {
        self.beside(".", format_args!(".{process}-{number}.tmp"))
    }

    /// Whether [`Place::temporary_name`] made this name.
    pub(crate) fn is_temporary(&self, name: &OsStr) -> bool {
        let (name, own) = (name.as_encoded_bytes(), self.name.as_encoded_bytes());
        let number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        let middle = || name.strip_prefix(b".")?.strip_prefix(own)?.strip_prefix(b".")?.strip_suffix(b".tmp");
        middle().is_some_and(|middle| {
            let mut numbers = middle.split(|byte| *byte == b'-');
            numbers.next().is_some_and(number) && numbers.next().is_some_and(number) && numbers.next().is_none()
        })
    }

    fn beside(&self, before: &str, after: impl Display) -> OsString {
        let mut name = OsString::from(before);
        name.push(&self.name);
        name.push(after.to_string());
        name
    }
}

/// The path of a session by its name, where this system keeps such things.
pub(crate) fn default_path(app: &str, session: &str) -> Result<PathBuf, FileError> {
    for name in [app, session] {
        if !is_name(name) {
            return Err(FileErrorKind::BadName.at(name));
        }
    }
    let state = state_directory(env::var_os("XDG_STATE_HOME"), env::home_dir()).ok_or(FileErrorKind::NoHome.at(app))?;
    Ok(state.join(app).join(format!("{session}.session")))
}

/// XDG Base Directory Specification: a relative path in the variable is to be ignored.
fn state_directory(xdg: Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    let home = || home.filter(|home| home.is_absolute());
    if cfg!(target_vendor = "apple") {
        return home().map(|home| home.join("Library/Application Support"));
    }
    let xdg = xdg.map(PathBuf::from).filter(|xdg| xdg.is_absolute());
    xdg.or_else(|| home().map(|home| home.join(".local/state")))
}

fn is_name(name: &str) -> bool {
    let bad = |c: char| c.is_control() || matches!(c, '/' | '\\');
    !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('.') && !name.contains(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stores_own_temporary_names_are_known() {
        let place = Place::of(Path::new("/d/a.json")).unwrap();
        assert!(place.is_temporary(&place.temporary_name(u32::MAX, u64::MAX)));
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
            assert!(!place.is_temporary(OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn only_the_stores_own_names_for_retired_files_are_known() {
        let place = Place::of(Path::new("/d/a.json")).unwrap();
        assert!(place.is_retired(&place.retired_name(u32::MAX)));
        for other in [
            "a.json",
            "a.json.aside-1",
            "a.json.retired-",
            "a.json.retired-1x",
            "a.json.retired-1.bak",
            "b.json.retired-1",
            ".a.json.retired-1",
        ] {
            assert!(!place.is_retired(OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn a_path_has_to_name_a_file() {
        for bad in ["", "/", "..", "/a/.."] {
            assert!(matches!(Place::of(Path::new(bad)).unwrap_err().trouble(), FileErrorKind::NoName), "{bad:?}");
        }
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        for bad in ["", ".", "..", "../a", "a/b", "a\\b", "a\0b", "a\nb", ".hidden", &"a".repeat(121)] {
            for (app, session) in [(bad, "a"), ("a", bad)] {
                let error = default_path(app, session).unwrap_err();
                assert!(matches!(error.trouble(), FileErrorKind::BadName), "{bad:?}");
            }
        }
        for good in ["greenhouse", "grower@example.com", "Haus 2", "é", "a.b"] {
            assert!(is_name(good), "{good:?}");
        }
    }

    #[cfg(not(target_vendor = "apple"))]
    #[test]
    fn the_state_directory_follows_the_convention() {
        let place = |xdg: &str, home: &str| state_directory(Some(xdg.into()), Some(home.into()));
        assert_eq!(place("/x", "/h"), Some("/x".into()));
        assert_eq!(place("x", "/h"), Some("/h/.local/state".into()));
        assert_eq!(place("", "/h"), Some("/h/.local/state".into()));
        assert_eq!(place("", "h"), None);
        assert_eq!(state_directory(None, None), None);
    }
}
