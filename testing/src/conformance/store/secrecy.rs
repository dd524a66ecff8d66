//! What a store shows of itself, and how sessions drive it.

use std::error::Error;
use std::time::Duration;

use perennial_core::store::{
    MAX_RECORD, OpId, Store, StoreCommand, StoreDriver, StoreError, StoreErrorKind, StoreReply, StoreRequest,
};

use super::StoreUnderTest;
use super::rig::{Rig, SHORT_TTL, TTL, body, expect_record, text};

/// What no output may have.
const SECRET: &str = "hunter2-hunter2";

pub(super) fn no_debug_and_no_error_shows_a_record<S: StoreUnderTest>(under_test: &S) {
    let store = under_test.open();
    let (no_time, short) = (Duration::ZERO, Duration::from_millis(60));
    let record = body(format!(r#"{{"refresh_token":"{SECRET}"}}"#));
    let too_large = body(SECRET.repeat(MAX_RECORD / SECRET.len() + 1));
    let mut errors: Vec<StoreError> = Vec::new();
    let mut note = |outcome: Result<(), StoreError>| errors.extend(outcome.err());
    under_test.write(SECRET);
    let mut lock = under_test.lock();
    note(lock.write(&record, under_test.patience()));
    // Some of these fail, each store at others.
    note(store.lock(short, TTL).map(drop));
    note(store.read(no_time).map(drop));
    note(lock.read(no_time).map(drop));
    note(lock.write(&record, no_time));
    note(lock.write(&too_large, under_test.patience()));
    note(lock.clear(&record, no_time));
    note(lock.quarantine(no_time));
    note(lock.retire(no_time));
    drop(lock);
    under_test.write(SECRET);
    if let Some(mut lost) = under_test.lost_lock() {
        note(lost.write(&record, under_test.patience()));
        note(lost.quarantine(under_test.patience()));
        note(lost.read(under_test.patience()).map(drop));
    }
    if under_test.locks_expire() {
        note(store.lock(under_test.patience(), SHORT_TTL).map(drop));
    }
    let shown = errors.iter().map(every_form).chain(under_test.debug(&store));
    for text in shown {
        let quoted = format!("{:?}", SECRET.as_bytes());
        let shows = text.contains(SECRET) || text.contains(quoted.trim_matches(['[', ']']));
        assert!(!shows, "a part of the record is shown: {text}");
    }
}

/// The error and its sources, in both forms in which a program may log them.
fn every_form(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause} {cause:?} {cause:#?}"));
        next = cause.source();
    }
    text
}

pub(super) fn a_store_driver_executes_every_command<S: StoreUnderTest>(under_test: &S) {
    let mut driver = StoreDriver::new(under_test.open());
    let mut number = 100;
    let mut execute = |id: Option<u64>, command| {
        number += 1;
        driver.execute(StoreRequest { id: OpId(id.unwrap_or(number)), command, timeout: under_test.patience() })
    };
    let (lock, other, record) = (OpId(1), OpId(2), || body("by a driver"));
    expect_read(execute(None, StoreCommand::Read), None);
    expect_lost(&execute(None, StoreCommand::Write { lock, record: record() }), "no lock");
    match execute(Some(lock.0), StoreCommand::Lock { ttl: TTL }) {
        Ok(StoreReply::Locked { record: None, remaining }) => {
            assert_eq!(remaining.is_some(), under_test.locks_expire(), "whether it says how long the lock is held");
        }
        reply => panic!("`Lock` is answered with {reply:?}"),
    }
    under_test.assert_held();
    for command in [
        StoreCommand::Write { lock: other, record: record() },
        StoreCommand::Clear { lock: other, record: record() },
        StoreCommand::Quarantine { lock: other },
        StoreCommand::Retire { lock: other },
    ] {
        expect_lost(&execute(None, command), "another lock");
    }
    expect_done(&execute(None, StoreCommand::Unlock { lock: other }));
    under_test.assert_held();
    for (command, left) in [
        (StoreCommand::Write { lock, record: record() }, Some("by a driver")),
        (StoreCommand::Quarantine { lock }, None),
        (StoreCommand::Write { lock, record: record() }, Some("by a driver")),
        (StoreCommand::Retire { lock }, None),
        (StoreCommand::Clear { lock, record: record() }, Some("by a driver")),
    ] {
        expect_done(&execute(None, command));
        expect_read(execute(None, StoreCommand::Read), left);
    }
    expect_done(&execute(None, StoreCommand::Unlock { lock }));
    expect_lost(&execute(None, StoreCommand::Write { lock, record: record() }), "a lock that was released");
    drop(under_test.lock());
    drop(driver);
}

#[track_caller]
fn expect_read(reply: Result<StoreReply, StoreError>, expected: Option<&str>) {
    match reply {
        Ok(StoreReply::Read(record)) => expect_record("read afterwards", text(Ok(record)), expected),
        reply => panic!("`Read` is answered with {reply:?}"),
    }
}

#[track_caller]
fn expect_done(reply: &Result<StoreReply, StoreError>) {
    assert!(matches!(reply, Ok(StoreReply::Done)), "a command under its own lock is answered with {reply:?}");
}

#[track_caller]
fn expect_lost(reply: &Result<StoreReply, StoreError>, under: &str) {
    let lost = reply.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::Lost);
    assert!(lost, "a command under {under} is answered with {reply:?}");
}
