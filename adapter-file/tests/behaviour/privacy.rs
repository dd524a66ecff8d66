//! Modes of files and directories, and stale temporary files.

use std::fs;

use perennial_file::FileStore;

use crate::support::{LONG, TestDir, lock, mode, read, save, set_mode, temp_files};

#[test]
fn files_are_created_with_mode_0600_and_directories_with_0700() {
    let dir = TestDir::new();
    let store = FileStore::new(dir.join("a").join("b").join("session"));
    let mut held = lock(&store);
    let [temporary] = &temp_files(&dir.join("a").join("b"))[..] else { panic!() };
    assert_eq!(mode(&dir.join("a").join("b").join(temporary)), 0o600);
    held.write(&crate::support::body("{}"), LONG).unwrap();
    drop(held);
    assert_eq!(mode(store.path()), 0o600);
    assert_eq!(mode(&store.path().with_extension("lock")), 0o600);
    assert_eq!(mode(&dir.join("a")), 0o700);
    assert_eq!(mode(&dir.join("a").join("b")), 0o700);
}

#[test]
fn a_file_that_others_may_read_is_tightened_when_it_is_read() {
    let dir = TestDir::new();
    save(&dir.store(), "{}");
    for loose in [0o644, 0o640, 0o666, 0o604, 0o610, 0o777] {
        for name in ["session", "session.lock"] {
            set_mode(&dir.join(name), loose);
        }
        assert_eq!(read(&dir.store()).as_deref(), Some("{}"));
        assert_eq!(mode(&dir.session()), 0o600);
        drop(lock(&dir.store()));
        assert_eq!(mode(&dir.join("session.lock")), 0o600);
    }
    set_mode(&dir.session(), 0o400);
    assert_eq!(read(&dir.store()).as_deref(), Some("{}"));
    assert_eq!(mode(&dir.session()), 0o400, "what is private is left as it is");
}

#[test]
fn the_next_lock_removes_the_temporary_files_of_killed_programs_and_nothing_else() {
    let dir = TestDir::new();
    let left = [".session.1-0.tmp", ".session.4194304-18446744073709551615.tmp"];
    let kept =
        [".session.tmp", ".session.1-0.tmp.bak", ".session2.1-0.tmp", "session.1-0.tmp", "session.aside-1", "notes"];
    for name in left.iter().chain(&kept) {
        fs::write(dir.join(name), "secret").unwrap();
    }
    assert_eq!(read(&dir.store()), None);
    assert!(left.iter().all(|name| dir.join(name).exists()), "reading removes nothing");
    drop(lock(&dir.store()));
    assert!(left.iter().all(|name| !dir.join(name).exists()));
    assert!(kept.iter().all(|name| dir.join(name).exists()));
}

#[test]
fn a_stale_temporary_file_that_cannot_be_removed_is_ignored() {
    let dir = TestDir::new();
    fs::create_dir(dir.join(".session.1-0.tmp")).unwrap();
    save(&dir.store(), "{}");
    assert_eq!(read(&dir.store()).as_deref(), Some("{}"));
}
