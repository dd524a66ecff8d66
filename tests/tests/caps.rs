//! Whatever is granted can be saved: credentials in which everything is as large as it may be, through each store.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../../adapter-redis/tests/server/mod.rs"]
mod redis;

use std::time::Duration;

use perennial_adapter::MemoryStore;
use perennial_blocking::{Connector, Session, SessionBuilder};
use perennial_core::credentials::{MAX_EXTRA, MAX_TOKEN};
use perennial_core::providers::navien::{Login, Navien};
use perennial_core::store::{MAX_RECORD, Store};
use perennial_core::{
    AccessToken, Account, AwsCredentials, Credentials, Event, Grant, LeaseId, Request, Response, SavedSession,
    Timestamp, TransportError, Validity,
};
use perennial_file::{FileStore, Key};
use perennial_redis::RedisStore;
use perennial_tests::{Heard, LONG};
use serde_json::json;

/// Nobody is asked: all is granted and saved already.
struct Silent;

impl perennial_blocking::Transport for Silent {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        Err(TransportError::not_sent(format!("{request:?}")))
    }
}

/// A token as long as it may be, of which every character has to be escaped in JSON.
fn token(last: char) -> String {
    format!("{}{last}", "\"\\".repeat(MAX_TOKEN / 2 - 1) + "\"")
}

/// A grant in which everything is as large as it may be, and needs as much room in a record as it can.
fn grant() -> Grant {
    let validity =
        Validity::unknown(perennial_core::Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::ZERO));
    let extra = format!("{{\"{}\":\"{}\"}}", "n".repeat(100), "\\\"".repeat((MAX_EXTRA - 107) / 2));
    let text = "\u{1}".repeat(1024);
    let legal = "\"".repeat((MAX_EXTRA - 12) / 2);
    Grant {
        access: Some(AccessToken::new("Bearer", &token('a'), validity).unwrap()),
        refresh_token: Some(token('r').into()),
        id_token: Some(token('i').into()),
        aws: Some(AwsCredentials::new(&token('k'), &token('s'), &token('t'), validity).unwrap()),
        account: Some(Account::new("grower@example.com").with_name(text).with_extra(&json!({ "legal": legal }))),
        grant_type: None,
        extra: Some(extra.into()),
        ..Grant::default()
    }
}

/// All of it, as text.
fn all(credentials: &Credentials) -> Vec<String> {
    let aws = credentials.aws().unwrap();
    let parts = [aws.access_key_id(), aws.secret_access_key(), aws.session_token()];
    let tokens = [credentials.refresh_token().unwrap(), credentials.id_token().unwrap()];
    let mut all: Vec<_> = parts.into_iter().chain(tokens).map(|token| token.expose().to_owned()).collect();
    all.push(credentials.access().expose().to_owned());
    all.push(credentials.extra(&"n".repeat(100)).unwrap().to_string());
    let account = credentials.account();
    all.extend([account.id.clone(), account.name.clone(), account.extra("legal").unwrap().to_string()]);
    all
}

fn session(store: impl Store, heard: &Heard) -> Session<Navien> {
    let login = Login::new("grower@example.com", "p".repeat(1024)).unwrap();
    let setup = SessionBuilder::new(Navien::default()).login(login).persist_login().seed(1).on_event(heard.listener());
    Connector::over(Silent).build(setup.store(store)).unwrap()
}

/// One session saves it, the next one goes on with it.
fn is_saved_and_restored(name: &str, store: impl Store + Clone) {
    let granted = Credentials::from_grant(grant(), None).unwrap();
    let heard = Heard::default();
    let one = session(store.clone(), &heard);
    one.install_grant(grant()).unwrap();
    let saved = |events: &[Event]| events.iter().any(|event| matches!(event, Event::Saved));
    assert!(heard.wait_until(LONG, saved), "{name}: {:?}", one.unsaved());
    one.close();
    let record = store.read(LONG).unwrap().unwrap();
    assert!(record.as_ref().len() <= MAX_RECORD, "{name}: {} bytes", record.as_ref().len());
    let other = session(store, &Heard::default());
    let found = other.credentials_for(LeaseId::Aws).unwrap();
    assert!(all(&found) == all(&granted), "{name}: something is not what it was");
}

#[test]
fn what_is_granted_at_the_caps_is_saved_and_restored_by_every_store() {
    let directory = std::env::temp_dir().join(format!("perennial-caps-{}", std::process::id()));
    is_saved_and_restored("memory", MemoryStore::new());
    is_saved_and_restored("file", FileStore::new(directory.join("clear")));
    let key = || Key::from_bytes(&[7; 32]);
    is_saved_and_restored("encrypted file", FileStore::new(directory.join("sealed")).encrypted_with(key()));
    if let Some(server) = redis::RedisServer::for_test(&[]) {
        is_saved_and_restored("redis", RedisStore::new(&server.url(), "caps").unwrap());
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_saved_session_at_the_caps_reads_back_the_same() {
    let granted = Credentials::from_grant(grant(), None).unwrap();
    let saved = SavedSession::new("navien", "realm", granted.clone()).to_json();
    assert!(saved.expose().len() < MAX_RECORD / 8 * 7, "{} bytes: no room for a login", saved.expose().len());
    let now = perennial_core::Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::ZERO);
    let read = SavedSession::parse(saved.expose().as_bytes(), now).unwrap().into_credentials();
    assert!(all(&read) == all(&granted));
}

/// One byte more than a token may have, and what is left then.
#[test]
fn a_token_over_its_cap_is_a_typed_error() {
    use perennial_core::oauth2::{GrantType, Profile, parse_token};
    use perennial_core::{Now, ServiceErrorKind};

    let profile = Profile::new("https://auth.example/token", "app").unwrap();
    for (length, fits) in [(MAX_TOKEN, true), (MAX_TOKEN + 1, false)] {
        let body = format!(r#"{{"access_token":"{}"}}"#, "a".repeat(length));
        let answer = Response::new(body.into_bytes().into());
        let read = parse_token(&profile, GrantType::Password, &answer, Now::default(), Now::default());
        match read {
            Ok(grant) => assert!(fits && grant.access.is_some()),
            Err(error) => assert!(!fits && matches!(error.kind(), ServiceErrorKind::Malformed { .. }), "{error}"),
        }
    }
}
