//! Encrypted files.

use std::fs;

use perennial_core::store::{Store, StoreErrorKind};
use perennial_file::{FileStore, Key, MAX_BYTES};

use crate::support::{LONG, TestDir, body, failure, lock, mode, read, save};

const SECRET: &str = r#"{"refresh_token":"hunter2"}"#;

fn encrypted_store(dir: &TestDir) -> FileStore {
    dir.store().encrypted_with(Key::from_bytes(&[1; 32]))
}

#[test]
fn an_encrypted_record_is_read_back_and_not_in_the_file_as_plaintext() {
    let dir = TestDir::new();
    save(&encrypted_store(&dir), SECRET);
    assert_eq!(read(&encrypted_store(&dir)).as_deref(), Some(SECRET));
    let content = fs::read(dir.session()).unwrap();
    assert!(content.starts_with(b"perennial encrypted session 1\n"));
    assert!(!content.windows(7).any(|text| text == b"hunter2" || text == b"refresh"));
    assert_eq!(mode(&dir.session()), 0o600);
    save(&encrypted_store(&dir), SECRET);
    assert_ne!(fs::read(dir.session()).unwrap(), content, "each time under another nonce");
}

#[test]
fn a_wrong_key_is_unusable_and_changes_nothing() {
    let dir = TestDir::new();
    save(&encrypted_store(&dir), SECRET);
    let content = fs::read(dir.session()).unwrap();
    let wrong = dir.store().encrypted_with(Key::from_bytes(&[2; 32]));
    failure(wrong.read(LONG)).is(StoreErrorKind::Unusable, "the key is wrong, or the file was changed");
    failure(lock(&wrong).read(LONG)).is(StoreErrorKind::Unusable, "the key is wrong, or the file was changed");
    assert_eq!(fs::read(dir.session()).unwrap(), content);
    assert_eq!(dir.names(), ["session", "session.lock"]);
}

#[test]
fn a_changed_or_truncated_encrypted_file_is_unusable_and_not_changed() {
    let dir = TestDir::new();
    save(&encrypted_store(&dir), SECRET);
    let content = fs::read(dir.session()).unwrap();
    let mut changed = content.clone();
    *changed.last_mut().unwrap() ^= 1;
    for bad in [changed, content[..content.len() - 1].to_vec(), content[..40].to_vec(), content[..30].to_vec()] {
        fs::write(dir.session(), &bad).unwrap();
        failure(encrypted_store(&dir).read(LONG)).is(StoreErrorKind::Unusable, "the file was changed");
        assert_eq!(fs::read(dir.session()).unwrap(), bad);
    }
    fs::write(dir.session(), b"perennial encrypted session 2\n...").unwrap();
    failure(encrypted_store(&dir).read(LONG)).is(StoreErrorKind::Unusable, "by a newer version");
}

#[test]
fn an_encrypted_file_is_unusable_without_a_key_and_not_changed() {
    let dir = TestDir::new();
    save(&encrypted_store(&dir), SECRET);
    failure(dir.store().read(LONG)).is(StoreErrorKind::Unusable, "no key was given");
    failure(lock(&dir.store()).read(LONG)).is(StoreErrorKind::Unusable, "no key was given");
    assert_eq!(read(&encrypted_store(&dir)).as_deref(), Some(SECRET));
}

#[test]
fn a_plaintext_file_is_unusable_with_a_key_and_not_changed() {
    let dir = TestDir::new();
    save(&dir.store(), SECRET);
    failure(encrypted_store(&dir).read(LONG)).is(StoreErrorKind::Unusable, "is not encrypted");
    assert_eq!(read(&dir.store()).as_deref(), Some(SECRET));
}

#[test]
fn a_plaintext_session_can_be_encrypted_once() {
    let dir = TestDir::new();
    save(&dir.store(), SECRET);
    let (clear, encrypted_store) = (dir.store(), encrypted_store(&dir));
    let mut held = lock(&encrypted_store);
    held.write(&clear.read(LONG).unwrap().unwrap(), LONG).unwrap();
    assert_eq!(held.read(LONG).unwrap().unwrap().as_ref(), SECRET.as_bytes());
    failure(clear.read(LONG)).is(StoreErrorKind::Unusable, "no key was given");
}

#[test]
fn an_empty_file_is_passed_on_as_an_empty_record() {
    let dir = TestDir::new();
    fs::write(dir.session(), b"").unwrap();
    assert_eq!(read(&encrypted_store(&dir)).as_deref(), Some(""));
}

#[test]
fn a_record_that_is_too_large_is_not_written() {
    let dir = TestDir::new();
    let error = failure(lock(&encrypted_store(&dir)).write(&body(&"x".repeat(MAX_BYTES + 1)), LONG));
    assert!(matches!(error.kind, StoreErrorKind::Refused(_)), "{error:?}");
    assert_eq!(read(&encrypted_store(&dir)), None);
}

#[test]
fn debug_does_not_show_the_key() {
    let dir = TestDir::new();
    let store = dir.store().encrypted_with(Key::from_bytes(b"0123456789abcdef0123456789abcdef"));
    let shown = format!("{store:?}");
    assert!(shown.contains("Key(***)"), "{shown}");
    assert!(!shown.contains("48, 49") && !shown.contains("0123"), "{shown}");
}

/// The file was written by another implementation of the format. Every later version has to read it.
#[test]
fn a_file_of_another_implementation_is_decrypted() {
    let dir = TestDir::new();
    let hex = include_str!("encrypted.hex").split_whitespace().collect::<String>();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    fs::write(dir.session(), bytes).unwrap();
    assert_eq!(read(&encrypted_store(&dir)).as_deref(), Some(SECRET));
}
