//! A program for the tests: it uses a store and prints what happened, while they kill it or let its system calls fail.
//! It has one thread and no test harness, so that its system calls come in the same order every time.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod action;
mod record;

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use perennial_core::store::{LockGuard, Store, StoreError};
use perennial_core::wire::Body;
use perennial_file::FileStore;

use self::action::{Action, INCREMENTS};
use self::record::{number_in, numbered};

/// A timeout that nothing here reaches: 2 minutes.
const LONG: Duration = Duration::from_secs(120);

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut words = env::args_os().skip(1);
    let action = words.next().and_then(|action| Action::named(action.to_str()?)).ok_or("an action is needed")?;
    let store = FileStore::new(words.next().map(PathBuf::from).ok_or("a path is needed")?);
    match action {
        Action::SaveForever => loop {
            let number = increment(&store)?;
            say(&format!("saved {number}"))?;
        },
        Action::SaveTwice => {
            say("begin")?;
            save_twice(&store)?;
            say("end")
        }
        Action::Quarantine => {
            say("begin")?;
            quarantine(&store)?;
            say("end")
        }
        Action::Increment => (0..INCREMENTS).try_for_each(|_| increment(&store).map(drop)),
        Action::HoldLock => {
            let mut lock = store.lock(LONG, LONG)?;
            say("holding")?;
            for line in io::stdin().lines() {
                line?;
                write_next(lock.as_mut())?;
            }
            drop(lock);
            say("released")
        }
        Action::SaveOnce => save_once(&store),
        Action::PrintDefaultPath => say(&match FileStore::default_place("app", "greenhouse") {
            Ok(store) => store.path().display().to_string(),
            Err(error) => kind(&error),
        }),
    }
}

fn increment(store: &FileStore) -> Result<u64, Failure> {
    let mut lock = store.lock(LONG, LONG)?;
    let number = number_of(&lock.read(LONG)?) + 1;
    lock.write(&record(number), LONG)?;
    Ok(number)
}

/// What a session does around a one-use token: it writes that the token is about to be sent, then the new tokens. Prints
/// the outcome of each step.
fn save_twice(store: &FileStore) -> Result<(), Failure> {
    let old = match store.read(LONG) {
        Ok(record) => number_of(&record),
        Err(error) => return say(&format!("read: {}", kind(&error))),
    };
    say(&format!("read: {old}"))?;
    let mut lock = match store.lock(LONG, LONG) {
        Ok(lock) => lock,
        Err(error) => return say(&format!("lock: {}", kind(&error))),
    };
    match lock.read(LONG) {
        Ok(record) => say(&format!("read: {}", number_of(&record)))?,
        Err(error) => return say(&format!("read: {}", kind(&error))),
    }
    for number in [old + 1, old + 2] {
        match lock.write(&record(number), LONG) {
            Ok(()) => say(&format!("saved: {number}"))?,
            Err(error) => return say(&format!("save: {}", kind(&error))),
        }
    }
    Ok(())
}

fn quarantine(store: &FileStore) -> Result<(), Failure> {
    let mut lock = match store.lock(LONG, LONG) {
        Ok(lock) => lock,
        Err(error) => return say(&format!("lock: {}", kind(&error))),
    };
    match lock.quarantine(LONG) {
        Ok(()) => say("quarantined"),
        Err(error) => say(&format!("quarantined: {}", kind(&error))),
    }
}

fn save_once(store: &FileStore) -> Result<(), Failure> {
    match store.read(LONG) {
        Ok(record) => say(&format!("read: {}", number_of(&record)))?,
        Err(error) => say(&format!("read: {}", kind(&error)))?,
    }
    let mut lock = match store.lock(LONG, LONG) {
        Ok(lock) => lock,
        Err(error) => return say(&format!("lock: {}", kind(&error))),
    };
    say("locked")?;
    write_next(lock.as_mut())
}

fn write_next(lock: &mut dyn LockGuard) -> Result<(), Failure> {
    let number = number_of(&lock.read(LONG)?) + 1;
    match lock.write(&record(number), LONG) {
        Ok(()) => say(&format!("saved: {number}")),
        Err(error) => say(&format!("save: {}", kind(&error))),
    }
}

fn kind(error: &StoreError) -> String {
    format!("{:?}", error.kind())
}

fn record(number: u64) -> Body {
    Body::from(numbered(number).into_bytes())
}

fn number_of(record: &Option<Body>) -> u64 {
    number_in(record.as_ref().map(AsRef::as_ref))
}

/// Prints a line in one piece, so that a kill does not leave half of it.
fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    out.write_all(format!("{text}\n").as_bytes())?;
    Ok(out.flush()?)
}
