//! Which versions run: those of the lock file that this program was built with.

const LOCK: &str = include_str!("../Cargo.lock");

/// The version of a package. Where there are several, the newest that the lock file names.
///
/// # Panics
/// Where the lock file has no such package.
pub(crate) fn version(package: &str) -> &'static str {
    let name = format!("name = \"{package}\"");
    let mut lines = LOCK.lines();
    let mut found = None;
    while lines.any(|line| line == name) {
        found = lines.next().and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    }
    found.unwrap_or_else(|| panic!("the lock file has no {package}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_lock_file() {
        assert_eq!(version("perennial-peers"), env!("CARGO_PKG_VERSION"));
        assert!(version("azure_core").starts_with("1."));
    }
}
