//! Links, pipes, directories and files of other users in the place of the store's files.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use perennial_core::store::{Store, StoreErrorKind};
use perennial_file::FileStore;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::{LONG, TestDir, failure, is_root, lock, read, save, set_mode, skipped};

const NOBODY: u32 = 65_534;

/// Creates something at the path that is not a private file. Returns how the error names it.
type Put = fn(&Path) -> &'static str;

const BAD: [Put; 6] = [
    |path| {
        fs::write(path.with_extension("target"), "theirs").unwrap();
        symlink(path.with_extension("target"), path).unwrap();
        "is a symbolic link"
    },
    |path| {
        symlink("/nowhere/at/all", path).unwrap();
        "is a symbolic link"
    },
    |path| {
        fs::write(path.with_extension("other"), "theirs").unwrap();
        fs::hard_link(path.with_extension("other"), path).unwrap();
        "has a second name"
    },
    |path| {
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        "is not a regular file"
    },
    |path| {
        drop(UnixListener::bind(path).unwrap());
        "is not a regular file"
    },
    |path| {
        fs::create_dir(path).unwrap();
        "is not a regular file"
    },
];

#[test]
fn what_is_not_a_private_regular_file_is_not_read() {
    for put in BAD {
        let dir = TestDir::new();
        let saying = put(&dir.session());
        failure(dir.store().read(LONG)).is(StoreErrorKind::Unusable, saying);
        let mut held = lock(&dir.store());
        failure(held.read(LONG)).is(StoreErrorKind::Unusable, saying);
    }
}

#[test]
fn what_is_not_a_private_regular_file_is_not_locked() {
    for put in BAD {
        let dir = TestDir::new();
        let saying = put(&dir.join("session.lock"));
        failure(dir.store().lock(LONG, LONG)).is(StoreErrorKind::Unusable, saying);
    }
}

#[test]
fn the_target_of_a_symbolic_link_is_not_written() {
    let dir = TestDir::new();
    fs::write(dir.join("target"), "theirs").unwrap();
    symlink(dir.join("target"), dir.session()).unwrap();
    save(&dir.store(), "ours"); // a session would have read first, and failed
    assert_eq!(fs::read(dir.join("target")).unwrap(), b"theirs");
    assert_eq!(read(&dir.store()).as_deref(), Some("ours"));
}

#[test]
fn a_directory_that_others_can_write_to_is_unusable() {
    let dir = TestDir::new();
    save(&dir.store(), "{}");
    for open in [0o707, 0o722, 0o777] {
        set_mode(dir.path(), open);
        failure(dir.store().read(LONG)).is(StoreErrorKind::Unusable, "other users can write to");
        failure(dir.store().lock(LONG, LONG)).is(StoreErrorKind::Unusable, "other users can write to");
    }
    // A group with other members: only root can give a directory to one.
    if is_root() {
        std::os::unix::fs::chown(dir.path(), None, Some(65534)).unwrap();
        set_mode(dir.path(), 0o770);
        failure(dir.store().lock(LONG, LONG)).is(StoreErrorKind::Unusable, "other users can write to");
        std::os::unix::fs::chown(dir.path(), None, Some(0)).unwrap();
        // A group with the same id as the user counts as the user.
        set_mode(dir.path(), 0o775);
        drop(lock(&dir.store()));
    } else {
        skipped("a directory of another group", "not root");
    }
    // In a sticky directory, like /tmp, other users cannot rename or remove this user's files.
    for closed in [0o755, 0o1777] {
        set_mode(dir.path(), closed);
        assert_eq!(read(&dir.store()).as_deref(), Some("{}"));
        drop(lock(&dir.store()));
    }
}

#[test]
fn a_symbolic_link_to_a_directory_is_followed_and_the_directory_checked() {
    let dir = TestDir::new();
    fs::create_dir(dir.join("real")).unwrap();
    set_mode(&dir.join("real"), 0o700);
    symlink(dir.join("real"), dir.join("linked")).unwrap();
    let store = FileStore::new(dir.join("linked").join("session"));
    save(&store, "{}");
    assert!(dir.join("real").join("session").exists());
    set_mode(&dir.join("real"), 0o777);
    failure(store.read(LONG)).is(StoreErrorKind::Unusable, "other users can write to");
}

#[test]
fn a_directory_behind_a_dangling_link_reads_as_empty_and_locks_as_unavailable() {
    let dir = TestDir::new();
    symlink("/nowhere/at/all", dir.join("unmounted")).unwrap();
    for path in [dir.join("unmounted"), dir.join("unmounted").join("app")] {
        let store = FileStore::new(path.join("session"));
        assert_eq!(read(&store), None);
        failure(store.lock(LONG, LONG)).is(StoreErrorKind::Unavailable, "");
    }
}

#[test]
fn a_file_or_directory_of_another_user_is_unusable() {
    if !is_root() {
        return skipped("files of other users", "only root can make one");
    }
    let dir = TestDir::new();
    save(&dir.store(), "{}");
    for name in ["session", "session.lock"] {
        chown(dir.join(name), Some(NOBODY), None).unwrap();
    }
    failure(dir.store().read(LONG)).is(StoreErrorKind::Unusable, "belongs to user 65534");
    failure(dir.store().lock(LONG, LONG)).is(StoreErrorKind::Unusable, "belongs to user 65534");

    let dir = TestDir::new();
    chown(dir.path(), Some(NOBODY), None).unwrap();
    failure(dir.store().read(LONG)).is(StoreErrorKind::Unusable, "belongs to user 65534");
    failure(dir.store().lock(LONG, LONG)).is(StoreErrorKind::Unusable, "belongs to user 65534");
}

#[test]
fn a_device_is_not_read() {
    failure(FileStore::new("/dev/zero").read(LONG)).is(StoreErrorKind::Unusable, "is not a regular file");
}
