//! Reading and writing.

use std::fs::{self, File};
use std::time::Duration;

use perennial_core::store::{OpId, Store, StoreCommand, StoreDriver, StoreErrorKind, StoreReply, StoreRequest};
use perennial_core::{AccessToken, Credentials, Grant, Now, SavedSession, Secret, Timestamp, Validity};
use perennial_file::{FileStore, MAX_BYTES, read_private, write_private};

use crate::support::{LONG, Scratch, body, failure, lock, read, save};

#[test]
fn nothing_is_touched_before_the_first_lock() {
    let scratch = Scratch::new();
    let store = FileStore::new(scratch.join("state").join("session"));
    assert_eq!(read(&store), None);
    assert_eq!(scratch.names(), Vec::<String>::new());
    drop(lock(&store));
    assert_eq!(read(&store), None);
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let scratch = Scratch::new();
    for text in ["{}", "a\0\u{e9}\n", &"x".repeat(100_000), "short again"] {
        save(&scratch.store(), text);
        assert_eq!(read(&scratch.store()).as_deref(), Some(text));
        assert_eq!(fs::read(scratch.session()).unwrap(), text.as_bytes());
    }
    assert_eq!(scratch.names(), ["session", "session.lock"]);
}

#[test]
fn the_holder_of_the_lock_reads_what_it_wrote() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let mut lock = lock(&store);
    assert_eq!(lock.remaining(), None);
    assert!(lock.read(LONG).unwrap().is_none());
    for text in ["mark", "record", "another"] {
        lock.write(&body(text), LONG).unwrap();
        assert_eq!(lock.read(LONG).unwrap().unwrap().as_ref(), text.as_bytes());
        assert_eq!(read(&store).as_deref(), Some(text));
    }
}

#[test]
fn the_core_reads_the_file() {
    let scratch = Scratch::new();
    let now = Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(9));
    let grant = Grant {
        access: Some(
            AccessToken::new("Bearer", "ey.J", Validity::with_lifetime(now, Duration::from_secs(3600))).unwrap(),
        ),
        refresh_token: Some(Secret::from("refresh")),
        ..Grant::default()
    };
    let saved = SavedSession::new("navien", "https://a.example", Credentials::from_grant(grant, None).unwrap());
    save(&scratch.store(), saved.to_json().expose());
    let read = SavedSession::parse(&fs::read(scratch.session()).unwrap(), now).unwrap();
    assert_eq!(read.credentials().refresh_token().unwrap().expose(), "refresh");
}

#[test]
fn a_keeper_works_on_it() {
    let scratch = Scratch::new();
    let mut keeper = StoreDriver::new(scratch.store());
    let mut execute = |id, command| keeper.execute(StoreRequest { id: OpId(id), command, timeout: LONG }).unwrap();
    assert!(matches!(execute(1, StoreCommand::Read), StoreReply::Read(None)));
    let locked = execute(2, StoreCommand::Lock { ttl: LONG });
    assert!(matches!(locked, StoreReply::Locked { record: None, remaining: None }));
    execute(3, StoreCommand::Write { lock: OpId(2), record: body("{}") });
    execute(4, StoreCommand::Unlock { lock: OpId(2) });
    assert_eq!(read(&scratch.store()).as_deref(), Some("{}"));
}

#[test]
fn an_empty_file_is_a_record_for_the_session_to_set_aside() {
    let scratch = Scratch::new();
    File::create(scratch.session()).unwrap();
    assert_eq!(read(&scratch.store()).as_deref(), Some(""));
}

#[test]
fn more_bytes_than_any_session_has_are_refused_and_left() {
    let scratch = Scratch::new();
    save(&scratch.store(), &"x".repeat(MAX_BYTES));
    let write = lock(&scratch.store()).write(&body(&"x".repeat(MAX_BYTES + 1)), LONG);
    assert!(matches!(failure(write).kind, StoreErrorKind::Refused(_)));
    assert_eq!(read(&scratch.store()).unwrap().len(), MAX_BYTES);

    let huge = File::options().write(true).open(scratch.session()).unwrap();
    huge.set_len(1 << 40).unwrap();
    let found = failure(scratch.store().read(LONG));
    assert!(matches!(found.kind, StoreErrorKind::Refused(_)), "{found:?}");
    assert!(found.text.contains("more bytes than any saved session"), "{found:?}");
    assert_eq!(huge.metadata().unwrap().len(), 1 << 40);
}

#[test]
fn a_relative_path_starts_where_the_program_was_when_it_named_it() {
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
fn a_name_that_the_file_system_cannot_take_is_unusable() {
    let scratch = Scratch::new();
    let store = FileStore::new(scratch.join(&"n".repeat(250)));
    failure(store.lock(LONG, LONG)).is(StoreErrorKind::Unusable, "too long");
}

#[test]
fn a_file_in_the_place_of_the_directory_is_unusable() {
    let scratch = Scratch::new();
    fs::write(scratch.join("file"), "").unwrap();
    let store = FileStore::new(scratch.join("file").join("session"));
    failure(store.read(LONG)).is(StoreErrorKind::Unusable, "could not be opened");
    failure(store.lock(LONG, LONG)).is(StoreErrorKind::Unusable, "could not be opened");
}

#[test]
fn a_file_for_another_program_is_kept_with_the_same_care() {
    let scratch = Scratch::new();
    let path = scratch.join("deep").join("er").join("token.json");
    assert!(read_private(&path).unwrap().is_none());
    write_private(&path, b"{1}").unwrap();
    write_private(&path, b"{2}").unwrap();
    assert_eq!(read_private(&path).unwrap().unwrap().as_ref(), b"{2}");
    assert_eq!(crate::support::names(path.parent().unwrap()), ["token.json", "token.json.lock"]);
    assert_eq!(crate::support::mode(&path), 0o600);
}

#[test]
fn no_error_shows_what_was_to_be_written() {
    let scratch = Scratch::new();
    let mut lock = lock(&scratch.store());
    fs::create_dir(scratch.session()).unwrap();
    let error = lock.write(&body("hunter2"), LONG).unwrap_err();
    assert!(!format!("{error:?} {error} {:?}", scratch.store()).contains("hunter2"));
    failure::<()>(Err(error)).is(StoreErrorKind::Unusable, "could not be replaced");
}
