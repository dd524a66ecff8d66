//! What somebody may have put in the place of our files.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use perennial_core::store::{Store, StoreErrorKind};
use perennial_file::FileStore;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::{LONG, Scratch, failure, is_root, lock, read, save, set_mode, skipped};

const NOBODY: u32 = 65_534;

/// Puts something bad where `path` says, and says how a store calls it.
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
fn whatever_is_no_private_file_is_not_read() {
    for put in BAD {
        let scratch = Scratch::new();
        let saying = put(&scratch.session());
        failure(scratch.store().read(LONG)).is(StoreErrorKind::Unusable, saying);
        let mut held = lock(&scratch.store());
        failure(held.read(LONG)).is(StoreErrorKind::Unusable, saying);
    }
}

#[test]
fn whatever_is_no_private_file_is_not_locked() {
    for put in BAD {
        let scratch = Scratch::new();
        let saying = put(&scratch.join("session.lock"));
        failure(scratch.store().lock(LONG, LONG)).is(StoreErrorKind::Unusable, saying);
    }
}

#[test]
fn what_a_link_points_to_is_never_written() {
    let scratch = Scratch::new();
    fs::write(scratch.join("target"), "theirs").unwrap();
    symlink(scratch.join("target"), scratch.session()).unwrap();
    save(&scratch.store(), "ours"); // a session reads first, and stops there
    assert_eq!(fs::read(scratch.join("target")).unwrap(), b"theirs");
    assert_eq!(read(&scratch.store()).as_deref(), Some("ours"));
}

#[test]
fn a_directory_that_others_can_write_to_is_unusable() {
    let scratch = Scratch::new();
    save(&scratch.store(), "{}");
    for open in [0o707, 0o722, 0o777] {
        set_mode(scratch.path(), open);
        failure(scratch.store().read(LONG)).is(StoreErrorKind::Unusable, "other users can write to");
        failure(scratch.store().lock(LONG, LONG)).is(StoreErrorKind::Unusable, "other users can write to");
    }
    // A group of more than this user: only root can make one here.
    if is_root() {
        std::os::unix::fs::chown(scratch.path(), None, Some(65534)).unwrap();
        set_mode(scratch.path(), 0o770);
        failure(scratch.store().lock(LONG, LONG)).is(StoreErrorKind::Unusable, "other users can write to");
        std::os::unix::fs::chown(scratch.path(), None, Some(0)).unwrap();
        // The group of the same number as the user is the user.
        set_mode(scratch.path(), 0o775);
        drop(lock(&scratch.store()));
    } else {
        skipped("a directory of another group", "not root");
    }
    // In a sticky one, like /tmp, nobody can touch what is ours.
    for closed in [0o755, 0o1777] {
        set_mode(scratch.path(), closed);
        assert_eq!(read(&scratch.store()).as_deref(), Some("{}"));
        drop(lock(&scratch.store()));
    }
}

#[test]
fn a_linked_directory_is_followed_and_judged() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("real")).unwrap();
    set_mode(&scratch.join("real"), 0o700);
    symlink(scratch.join("real"), scratch.join("linked")).unwrap();
    let store = FileStore::new(scratch.join("linked").join("session"));
    save(&store, "{}");
    assert!(scratch.join("real").join("session").exists());
    set_mode(&scratch.join("real"), 0o777);
    failure(store.read(LONG)).is(StoreErrorKind::Unusable, "other users can write to");
}

#[test]
fn a_directory_behind_a_dead_link_is_not_there_yet() {
    let scratch = Scratch::new();
    symlink("/nowhere/at/all", scratch.join("unmounted")).unwrap();
    for path in [scratch.join("unmounted"), scratch.join("unmounted").join("app")] {
        let store = FileStore::new(path.join("session"));
        assert_eq!(read(&store), None);
        failure(store.lock(LONG, LONG)).is(StoreErrorKind::Unavailable, "");
    }
}

#[test]
fn what_belongs_to_another_user_is_unusable() {
    if !is_root() {
        return skipped("files of other users", "only root can make one");
    }
    let scratch = Scratch::new();
    save(&scratch.store(), "{}");
    for name in ["session", "session.lock"] {
        chown(scratch.join(name), Some(NOBODY), None).unwrap();
    }
    failure(scratch.store().read(LONG)).is(StoreErrorKind::Unusable, "belongs to user 65534");
    failure(scratch.store().lock(LONG, LONG)).is(StoreErrorKind::Unusable, "belongs to user 65534");

    let scratch = Scratch::new();
    chown(scratch.path(), Some(NOBODY), None).unwrap();
    failure(scratch.store().read(LONG)).is(StoreErrorKind::Unusable, "belongs to user 65534");
    failure(scratch.store().lock(LONG, LONG)).is(StoreErrorKind::Unusable, "belongs to user 65534");
}

#[test]
fn a_device_is_not_read() {
    failure(FileStore::new("/dev/zero").read(LONG)).is(StoreErrorKind::Unusable, "is not a regular file");
}
