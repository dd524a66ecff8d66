//! What nobody understands is kept.

use std::fs;

use perennial_core::store::StoreErrorKind;

use crate::support::{LONG, Scratch, failure, lock, mode, read, save};

fn quarantine(scratch: &Scratch) {
    lock(&scratch.store()).quarantine(LONG).unwrap();
}

#[test]
fn a_record_that_is_set_aside_is_nowhere_but_there() {
    let scratch = Scratch::new();
    for text in ["first", "second", "third"] {
        save(&scratch.store(), text);
        quarantine(&scratch);
        assert_eq!(read(&scratch.store()), None);
    }
    for (name, text) in [("session.aside-1", "first"), ("session.aside-2", "second"), ("session.aside-3", "third")] {
        assert_eq!(fs::read(scratch.join(name)).unwrap(), text.as_bytes());
        assert_eq!(mode(&scratch.join(name)), 0o600);
    }
    assert_eq!(scratch.names(), ["session.aside-1", "session.aside-2", "session.aside-3", "session.lock"]);
}

#[test]
fn nothing_that_was_set_aside_is_overwritten() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("session.aside-1")).unwrap();
    std::os::unix::fs::symlink("/nowhere", scratch.join("session.aside-2")).unwrap();
    fs::write(scratch.join("session.aside-3"), "older").unwrap();
    save(&scratch.store(), "newer");
    quarantine(&scratch);
    assert_eq!(fs::read(scratch.join("session.aside-3")).unwrap(), b"older");
    assert_eq!(fs::read(scratch.join("session.aside-4")).unwrap(), b"newer");
}

#[test]
fn nothing_can_be_set_aside() {
    let scratch = Scratch::new();
    quarantine(&scratch);
    assert_eq!(scratch.names(), ["session.lock"]);
}

#[test]
fn the_lock_stays_good_afterwards() {
    let scratch = Scratch::new();
    save(&scratch.store(), "old");
    let mut held = lock(&scratch.store());
    held.quarantine(LONG).unwrap();
    assert!(held.read(LONG).unwrap().is_none());
    held.write(&crate::support::body("new"), LONG).unwrap();
    assert_eq!(read(&scratch.store()).as_deref(), Some("new"));
}

#[test]
fn a_thousand_times_is_too_often() {
    let scratch = Scratch::new();
    save(&scratch.store(), "the last one");
    for number in 1..=1000 {
        fs::write(scratch.join(&format!("session.aside-{number}")), "").unwrap();
    }
    failure(lock(&scratch.store()).quarantine(LONG)).is(StoreErrorKind::Unusable, "set aside too often");
    assert_eq!(read(&scratch.store()).as_deref(), Some("the last one"));
}

#[test]
fn a_sign_out_removes_what_was_retired_and_nothing_else() {
    let scratch = Scratch::new();
    for text in ["damaged", "another program's", "another program's, later"] {
        save(&scratch.store(), text);
        if text == "damaged" {
            quarantine(&scratch);
        } else {
            lock(&scratch.store()).retire(LONG).unwrap();
        }
        assert_eq!(read(&scratch.store()), None);
    }
    fs::write(scratch.join("session.retired-1.bak"), "somebody's copy").unwrap();
    save(&scratch.store(), "a session");
    assert_eq!(fs::read(scratch.join("session.retired-1")).unwrap(), b"another program's");
    assert_eq!(mode(&scratch.join("session.retired-2")), 0o600);
    lock(&scratch.store()).clear(&crate::support::body("signed out"), LONG).unwrap();
    assert_eq!(read(&scratch.store()).as_deref(), Some("signed out"));
    assert_eq!(scratch.names(), ["session", "session.aside-1", "session.lock", "session.retired-1.bak"]);
    assert_eq!(fs::read(scratch.join("session.aside-1")).unwrap(), b"damaged");
}

#[test]
fn a_retired_file_that_cannot_be_removed_is_said_and_does_not_hold_up_a_sign_out() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("session.retired-1")).unwrap();
    save(&scratch.store(), "a session");
    let error = lock(&scratch.store()).clear(&crate::support::body("signed out"), LONG).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unusable);
    assert_eq!(read(&scratch.store()).as_deref(), Some("signed out"));
}
