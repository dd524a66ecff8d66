//! Quarantined and retired files.

use std::fs;

use perennial_core::store::StoreErrorKind;

use crate::support::{LONG, TestDir, failure, lock, mode, read, save};

fn quarantine(dir: &TestDir) {
    lock(&dir.store()).quarantine(LONG).unwrap();
}

#[test]
fn a_quarantined_record_is_moved_to_a_numbered_file() {
    let dir = TestDir::new();
    for text in ["first", "second", "third"] {
        save(&dir.store(), text);
        quarantine(&dir);
        assert_eq!(read(&dir.store()), None);
    }
    for (name, text) in [("session.aside-1", "first"), ("session.aside-2", "second"), ("session.aside-3", "third")] {
        assert_eq!(fs::read(dir.join(name)).unwrap(), text.as_bytes());
        assert_eq!(mode(&dir.join(name)), 0o600);
    }
    assert_eq!(dir.names(), ["session.aside-1", "session.aside-2", "session.aside-3", "session.lock"]);
}

#[test]
fn a_quarantine_overwrites_no_file() {
    let dir = TestDir::new();
    fs::create_dir(dir.join("session.aside-1")).unwrap();
    std::os::unix::fs::symlink("/nowhere", dir.join("session.aside-2")).unwrap();
    fs::write(dir.join("session.aside-3"), "older").unwrap();
    save(&dir.store(), "newer");
    quarantine(&dir);
    assert_eq!(fs::read(dir.join("session.aside-3")).unwrap(), b"older");
    assert_eq!(fs::read(dir.join("session.aside-4")).unwrap(), b"newer");
}

#[test]
fn a_quarantine_without_a_record_does_nothing() {
    let dir = TestDir::new();
    quarantine(&dir);
    assert_eq!(dir.names(), ["session.lock"]);
}

#[test]
fn a_quarantine_after_a_thousand_is_unusable() {
    let dir = TestDir::new();
    save(&dir.store(), "the last one");
    for number in 1..=1000 {
        fs::write(dir.join(&format!("session.aside-{number}")), "").unwrap();
    }
    failure(lock(&dir.store()).quarantine(LONG)).is(StoreErrorKind::Unusable, "set aside too often");
    assert_eq!(read(&dir.store()).as_deref(), Some("the last one"));
}

#[test]
fn a_sign_out_removes_what_was_retired_and_nothing_else() {
    let dir = TestDir::new();
    for text in ["damaged", "another program's", "another program's, later"] {
        save(&dir.store(), text);
        if text == "damaged" {
            quarantine(&dir);
        } else {
            lock(&dir.store()).retire(LONG).unwrap();
        }
        assert_eq!(read(&dir.store()), None);
    }
    fs::write(dir.join("session.retired-1.bak"), "somebody's copy").unwrap();
    save(&dir.store(), "a session");
    assert_eq!(fs::read(dir.join("session.retired-1")).unwrap(), b"another program's");
    assert_eq!(mode(&dir.join("session.retired-2")), 0o600);
    lock(&dir.store()).clear(&crate::support::body("signed out"), LONG).unwrap();
    assert_eq!(read(&dir.store()).as_deref(), Some("signed out"));
    assert_eq!(dir.names(), ["session", "session.aside-1", "session.lock", "session.retired-1.bak"]);
    assert_eq!(fs::read(dir.join("session.aside-1")).unwrap(), b"damaged");
}

#[test]
fn a_sign_out_is_saved_although_a_retired_file_cannot_be_removed() {
    let dir = TestDir::new();
    fs::create_dir(dir.join("session.retired-1")).unwrap();
    save(&dir.store(), "a session");
    let error = lock(&dir.store()).clear(&crate::support::body("signed out"), LONG).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unusable);
    assert_eq!(read(&dir.store()).as_deref(), Some("signed out"));
}
