//! Reading and writing records.

use std::fs::{self, File};
use std::time::Duration;

use perennial_core::store::{Store, StoreErrorKind};
use perennial_core::{AccessToken, Credentials, Grant, Now, SavedSession, Secret, Timestamp, Validity};
use perennial_file::{FileStore, MAX_BYTES, read_private, write_private};

use crate::support::{LONG, TestDir, body, failure, lock, read, save};

#[test]
fn no_file_is_created_before_the_first_lock() {
    let dir = TestDir::new();
    let store = FileStore::new(dir.join("state").join("session"));
    assert_eq!(read(&store), None);
    assert_eq!(dir.names(), Vec::<String>::new());
    drop(lock(&store));
    assert_eq!(read(&store), None);
}

#[test]
fn a_record_is_read_back_as_it_was_written() {
    let dir = TestDir::new();
    for text in ["{}", "a\0\u{e9}\n", &"x".repeat(100_000), "short again"] {
        save(&dir.store(), text);
        assert_eq!(read(&dir.store()).as_deref(), Some(text));
        assert_eq!(fs::read(dir.session()).unwrap(), text.as_bytes());
    }
    assert_eq!(dir.names(), ["session", "session.lock"]);
}

#[test]
fn a_saved_session_can_be_parsed_from_the_file() {
    let dir = TestDir::new();
    let now = Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(9));
    let grant = Grant {
        access: Some(
            AccessToken::new("Bearer", "ey.J", Validity::with_lifetime(now, Duration::from_secs(3600))).unwrap(),
        ),
        refresh_token: Some(Secret::from("refresh")),
        ..Grant::default()
    };
    let saved = SavedSession::new("navien", "https://a.example", Credentials::from_grant(grant, None).unwrap());
    save(&dir.store(), saved.to_json().expose());
    let read = SavedSession::parse(&fs::read(dir.session()).unwrap(), now).unwrap();
    assert_eq!(read.credentials().refresh_token().unwrap().expose(), "refresh");
}

#[test]
fn an_empty_file_is_passed_on_as_an_empty_record() {
    let dir = TestDir::new();
    File::create(dir.session()).unwrap();
    assert_eq!(read(&dir.store()).as_deref(), Some(""));
}

#[test]
fn more_than_the_maximum_of_bytes_is_refused_and_not_changed() {
    let dir = TestDir::new();
    save(&dir.store(), &"x".repeat(MAX_BYTES));
    let write = lock(&dir.store()).write(&body(&"x".repeat(MAX_BYTES + 1)), LONG);
    assert!(matches!(failure(write).kind, StoreErrorKind::Refused(_)));
    assert_eq!(read(&dir.store()).unwrap().len(), MAX_BYTES);

    let huge = File::options().write(true).open(dir.session()).unwrap();
    huge.set_len(1 << 40).unwrap();
    let found = failure(dir.store().read(LONG));
    assert!(matches!(found.kind, StoreErrorKind::Refused(_)), "{found:?}");
    assert!(found.text.contains("more bytes than any saved session"), "{found:?}");
    assert_eq!(huge.metadata().unwrap().len(), 1 << 40);
}

#[test]
fn a_relative_path_is_resolved_when_the_store_is_built() {
    let here = std::env::current_dir().unwrap();
    assert_eq!(FileStore::new("a/session").path(), here.join("a/session"));
}

#[test]
fn a_path_without_a_file_name_is_unusable() {
    for path in ["", "/", "/tmp/.."] {
        failure(FileStore::new(path).read(LONG)).is(StoreErrorKind::Unusable, "does not name a file");
        failure(FileStore::new(path).lock(LONG, LONG)).is(StoreErrorKind::Unusable, "does not name a file");
    }
}

#[test]
fn a_name_that_is_too_long_for_the_file_system_is_unusable() {
    let dir = TestDir::new();
    let store = FileStore::new(dir.join(&"n".repeat(250)));
    failure(store.lock(LONG, LONG)).is(StoreErrorKind::Unusable, "too long");
}

#[test]
fn a_file_where_the_directory_should_be_is_unusable() {
    let dir = TestDir::new();
    fs::write(dir.join("file"), "").unwrap();
    let store = FileStore::new(dir.join("file").join("session"));
    failure(store.read(LONG)).is(StoreErrorKind::Unusable, "could not be opened");
    failure(store.lock(LONG, LONG)).is(StoreErrorKind::Unusable, "could not be opened");
}

#[test]
fn a_private_file_for_another_program_is_written_and_read_back() {
    let dir = TestDir::new();
    let path = dir.join("deep").join("er").join("token.json");
    assert!(read_private(&path).unwrap().is_none());
    write_private(&path, b"{1}").unwrap();
    write_private(&path, b"{2}").unwrap();
    assert_eq!(read_private(&path).unwrap().unwrap().as_ref(), b"{2}");
    assert_eq!(crate::support::names(path.parent().unwrap()), ["token.json", "token.json.lock"]);
    assert_eq!(crate::support::mode(&path), 0o600);
}

#[test]
fn no_error_shows_the_record() {
    let dir = TestDir::new();
    let mut lock = lock(&dir.store());
    fs::create_dir(dir.session()).unwrap();
    let error = lock.write(&body("hunter2"), LONG).unwrap_err();
    assert!(!format!("{error:?} {error} {:?}", dir.store()).contains("hunter2"));
    failure::<()>(Err(error)).is(StoreErrorKind::Unusable, "could not be replaced");
}
