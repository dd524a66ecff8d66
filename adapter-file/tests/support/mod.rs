//! What the tests of this crate share: directories, processes, assertions.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod action;
pub(crate) mod child;
pub(crate) mod record;
pub(crate) mod strace;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, io, process, thread};

use perennial_core::store::{LockGuard, Store, StoreError, StoreErrorKind};
use perennial_core::wire::Body;
use perennial_file::FileStore;

/// A timeout that nothing here reaches, unless it hangs: 2 minutes.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// A directory for one test. Dropping it removes it.
pub(crate) struct TestDir(PathBuf);

impl TestDir {
    pub(crate) fn new() -> Self {
        Self::new_in(&env::temp_dir())
    }

    /// A directory in memory (`/dev/shm`), if this machine has that: syncing takes no time there.
    pub(crate) fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Self::new_in(memory) } else { Self::new() }
    }

    fn new_in(directory: &Path) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!("perennial-file-{}-{number}", process::id()));
            match fs::create_dir(&path) {
                Ok(()) => {
                    set_mode(&path, 0o700);
                    return Self(path);
                }
                // Left by a killed process with the same id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A store of the file `session` in the directory.
    pub(crate) fn store(&self) -> FileStore {
        FileStore::new(self.session())
    }

    pub(crate) fn session(&self) -> PathBuf {
        self.join("session")
    }

    /// The names of the files in the directory, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.0)
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let name = |name: OsString| name.into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| name(entry.unwrap().file_name())).collect();
    names.sort();
    names
}

pub(crate) fn temp_files(directory: &Path) -> Vec<String> {
    names(directory).into_iter().filter(|name| name.ends_with(".tmp")).collect()
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Waits until a condition holds that another process brings about.
pub(crate) fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "no {what}");
        thread::yield_now();
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Prints that this machine cannot run a test. With `PERENNIAL_REQUIRE_CLIENTS=1` it panics instead.
pub(crate) fn skipped(what: &str, missing: &str) {
    let required = env::var_os("PERENNIAL_REQUIRE_CLIENTS").is_some_and(|value| value == "1");
    assert!(!required, "{what}: {missing}");
    eprintln!("SKIPPED: {what}: {missing}");
}

pub(crate) fn body(text: &str) -> Body {
    Body::from(text.as_bytes().to_vec())
}

pub(crate) fn lock(store: &FileStore) -> Box<dyn LockGuard> {
    store.lock(LONG, LONG).unwrap()
}

pub(crate) fn try_lock(store: &FileStore) -> Result<Box<dyn LockGuard>, StoreError> {
    store.lock(Duration::ZERO, LONG)
}

pub(crate) fn save(store: &FileStore, text: &str) {
    lock(store).write(&body(text), LONG).unwrap();
}

pub(crate) fn read(store: &FileStore) -> Option<String> {
    store.read(LONG).unwrap().map(|record| String::from_utf8(record.as_ref().to_vec()).unwrap())
}

/// The kind of the error, and its text with that of all its sources.
pub(crate) fn failure<T>(result: Result<T, StoreError>) -> Failure {
    let Err(error) = result else { panic!("no error") };
    let mut text = error.to_string();
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(&error);
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    Failure { kind: error.kind(), text }
}

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: StoreErrorKind,
    pub(crate) text: String,
}

impl Failure {
    #[track_caller]
    pub(crate) fn is(self, kind: StoreErrorKind, saying: &str) {
        assert_eq!(self.kind, kind, "{}", self.text);
        assert!(self.text.contains(saying), "{}", self.text);
    }
}
