//! Under a key.

use std::fs;

use perennial_core::store::{Store, StoreErrorKind};
use perennial_file::{FileStore, Key, MAX_BYTES};

use crate::support::{LONG, Scratch, body, failure, lock, mode, read, save};

const SECRET: &str = r#"{"refresh_token":"hunter2"}"#;

fn sealed(scratch: &Scratch) -> FileStore {
    scratch.store().encrypted_with(Key::from_bytes(&[1; 32]))
}

#[test]
fn a_record_is_read_as_it_was_written_and_stands_nowhere_in_the_clear() {
    let scratch = Scratch::new();
    save(&sealed(&scratch), SECRET);
    assert_eq!(read(&sealed(&scratch)).as_deref(), Some(SECRET));
    let content = fs::read(scratch.session()).unwrap();
    assert!(content.starts_with(b"perennial encrypted session 1\n"));
    assert!(!content.windows(7).any(|text| text == b"hunter2" || text == b"refresh"));
    assert_eq!(mode(&scratch.session()), 0o600);
    save(&sealed(&scratch), SECRET);
    assert_ne!(fs::read(scratch.session()).unwrap(), content, "each time under another nonce");
}

#[test]
fn a_wrong_key_loses_nothing() {
    let scratch = Scratch::new();
    save(&sealed(&scratch), SECRET);
    let content = fs::read(scratch.session()).unwrap();
    let wrong = scratch.store().encrypted_with(Key::from_bytes(&[2; 32]));
    failure(wrong.read(LONG)).is(StoreErrorKind::Unusable, "the key is wrong, or the file was changed");
    failure(lock(&wrong).read(LONG)).is(StoreErrorKind::Unusable, "the key is wrong, or the file was changed");
    assert_eq!(fs::read(scratch.session()).unwrap(), content);
    assert_eq!(scratch.names(), ["session", "session.lock"]);
}

#[test]
fn a_changed_or_cut_file_is_unusable_and_left() {
    let scratch = Scratch::new();
    save(&sealed(&scratch), SECRET);
    let content = fs::read(scratch.session()).unwrap();
    let mut changed = content.clone();
    *changed.last_mut().unwrap() ^= 1;
    for bad in [changed, content[..content.len() - 1].to_vec(), content[..40].to_vec(), content[..30].to_vec()] {
        fs::write(scratch.session(), &bad).unwrap();
        failure(sealed(&scratch).read(LONG)).is(StoreErrorKind::Unusable, "the file was changed");
        assert_eq!(fs::read(scratch.session()).unwrap(), bad);
    }
    fs::write(scratch.session(), b"perennial encrypted session 2\n...").unwrap();
    failure(sealed(&scratch).read(LONG)).is(StoreErrorKind::Unusable, "by a newer version");
}

#[test]
fn a_store_without_a_key_leaves_an_encrypted_file_alone() {
    let scratch = Scratch::new();
    save(&sealed(&scratch), SECRET);
    failure(scratch.store().read(LONG)).is(StoreErrorKind::Unusable, "no key was given");
    failure(lock(&scratch.store()).read(LONG)).is(StoreErrorKind::Unusable, "no key was given");
    assert_eq!(read(&sealed(&scratch)).as_deref(), Some(SECRET));
}

#[test]
fn a_record_in_the_clear_is_not_taken_for_an_encrypted_one() {
    let scratch = Scratch::new();
    save(&scratch.store(), SECRET);
    failure(sealed(&scratch).read(LONG)).is(StoreErrorKind::Unusable, "is not encrypted");
    assert_eq!(read(&scratch.store()).as_deref(), Some(SECRET));
}

#[test]
fn a_session_in_the_clear_is_encrypted_when_somebody_says_so() {
    let scratch = Scratch::new();
    save(&scratch.store(), SECRET);
    let (clear, sealed) = (scratch.store(), sealed(&scratch));
    let mut held = lock(&sealed);
    held.write(&clear.read(LONG).unwrap().unwrap(), LONG).unwrap();
    assert_eq!(held.read(LONG).unwrap().unwrap().as_ref(), SECRET.as_bytes());
    failure(clear.read(LONG)).is(StoreErrorKind::Unusable, "no key was given");
}

#[test]
fn an_empty_file_is_a_record_for_the_session_to_set_aside() {
    let scratch = Scratch::new();
    fs::write(scratch.session(), b"").unwrap();
    assert_eq!(read(&sealed(&scratch)).as_deref(), Some(""));
}

#[test]
fn what_would_not_be_read_again_is_not_written() {
    let scratch = Scratch::new();
    let error = failure(lock(&sealed(&scratch)).write(&body(&"x".repeat(MAX_BYTES)), LONG));
    assert!(matches!(error.kind, StoreErrorKind::Refused(_)), "{error:?}");
    assert_eq!(read(&sealed(&scratch)), None);
}

#[test]
fn the_key_shows_nowhere() {
    let scratch = Scratch::new();
    let store = scratch.store().encrypted_with(Key::from_bytes(b"0123456789abcdef0123456789abcdef"));
    let shown = format!("{store:?}");
    assert!(shown.contains("Key(***)"), "{shown}");
    assert!(!shown.contains("48, 49") && !shown.contains("0123"), "{shown}");
}

/// The format as another implementation wrote it: files of today are read for ever.
#[test]
fn a_file_from_elsewhere_is_read() {
    let scratch = Scratch::new();
    let hex = include_str!("encrypted.hex").split_whitespace().collect::<String>();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    fs::write(scratch.session(), bytes).unwrap();
    assert_eq!(read(&sealed(&scratch)).as_deref(), Some(SECRET));
}
