//! Who may read, and what is made.

use std::fs;

use perennial_file::FileStore;

use crate::support::{LONG, Scratch, lock, mode, read, save, set_mode, temporaries};

#[test]
fn files_and_directories_are_made_for_their_owner_alone() {
    let scratch = Scratch::new();
    let store = FileStore::new(scratch.join("a").join("b").join("session"));
    let mut held = lock(&store);
    let [temporary] = &temporaries(&scratch.join("a").join("b"))[..] else { panic!() };
    assert_eq!(mode(&scratch.join("a").join("b").join(temporary)), 0o600);
    held.write(&crate::support::body("{}"), LONG).unwrap();
    drop(held);
    assert_eq!(mode(store.path()), 0o600);
    assert_eq!(mode(&store.path().with_extension("lock")), 0o600);
    assert_eq!(mode(&scratch.join("a")), 0o700);
    assert_eq!(mode(&scratch.join("a").join("b")), 0o700);
}

#[test]
fn a_looser_file_is_tightened_when_it_is_read() {
    let scratch = Scratch::new();
    save(&scratch.store(), "{}");
    for loose in [0o644, 0o640, 0o666, 0o604, 0o610, 0o777] {
        for name in ["session", "session.lock"] {
            set_mode(&scratch.join(name), loose);
        }
        assert_eq!(read(&scratch.store()).as_deref(), Some("{}"));
        assert_eq!(mode(&scratch.session()), 0o600);
        drop(lock(&scratch.store()));
        assert_eq!(mode(&scratch.join("session.lock")), 0o600);
    }
    set_mode(&scratch.session(), 0o400);
    assert_eq!(read(&scratch.store()).as_deref(), Some("{}"));
    assert_eq!(mode(&scratch.session()), 0o400, "what is private is left as it is");
}

#[test]
fn what_killed_programs_left_is_swept_and_nothing_else() {
    let scratch = Scratch::new();
    let left = [".session.1-0.tmp", ".session.4194304-18446744073709551615.tmp"];
    let kept =
        [".session.tmp", ".session.1-0.tmp.bak", ".session2.1-0.tmp", "session.1-0.tmp", "session.aside-1", "notes"];
    for name in left.iter().chain(&kept) {
        fs::write(scratch.join(name), "secret").unwrap();
    }
    assert_eq!(read(&scratch.store()), None);
    assert!(left.iter().all(|name| scratch.join(name).exists()), "reading removes nothing");
    drop(lock(&scratch.store()));
    assert!(left.iter().all(|name| !scratch.join(name).exists()));
    assert!(kept.iter().all(|name| scratch.join(name).exists()));
}

#[test]
fn a_leftover_that_cannot_be_removed_stops_nobody() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.join(".session.1-0.tmp")).unwrap();
    save(&scratch.store(), "{}");
    assert_eq!(read(&scratch.store()).as_deref(), Some("{}"));
}
