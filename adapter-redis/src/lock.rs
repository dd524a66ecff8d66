//! The lock, while it is ours.

use std::time::{Duration, Instant};

use perennial_core::store::{LockGuard, StoreError, StoreErrorKind};
use perennial_core::wire::Body;

use crate::deadline::Deadline;
use crate::keys::{CLEAR, READ, SET_ASIDE, WRITE};
use crate::link::{Link, record, script};
use crate::random::Owner;
use crate::refusal::{Failure, unexpected};
use crate::resp::{Command, MAX_RECORD, Reply};

/// How long giving the lock back may take: after that it ends by itself.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// Redis looks ten times a second whether a wait is over, and its answer has to come back.
const WAIT_RESERVE: Duration = Duration::from_millis(120);

pub(crate) struct Lock {
    link: Link,
    owner: Owner,
    /// The number of this lock: a record that bears a higher one is not ours to replace.
    fence: i64,
    remaining: Duration,
    /// When Redis ends it, at the latest.
    until: Instant,
}

impl Lock {
    pub(crate) fn new(link: Link, owner: Owner, fence: i64, remaining: Duration, until: Instant) -> Self {
        Self { link, owner, fence, remaining, until }
    }

    /// Writes by this script, which changes `more` keys as well.
    fn replace(&mut self, record: &Body, more: &[&str], by: &str, timeout: Duration) -> Result<(), StoreError> {
        let record = record.as_ref();
        if record.len() > MAX_RECORD {
            return Err(StoreError::new(StoreErrorKind::Unusable).with_source("the record is larger than 16 MiB"));
        }
        let deadline = Deadline::after(timeout);
        let keys = &self.link.shared.settings.keys;
        let fence = self.fence.to_string();
        let arguments = [self.owner.as_bytes(), fence.as_bytes(), record, keys.channel.as_bytes()];
        let names = [&[keys.lock.as_str(), keys.record.as_str()], more].concat();
        let command = script(by, &names, &arguments);
        done(self.link.ask(&command, deadline))?;
        self.confirm(deadline)
    }

    /// Moves the record to the next free name of this key.
    fn move_to(&mut self, key: &str, timeout: Duration) -> Result<(), StoreError> {
        let deadline = Deadline::after(timeout);
        let keys = &self.link.shared.settings.keys;
        let arguments = [self.owner.as_bytes(), keys.channel.as_bytes()];
        let command = script(SET_ASIDE, &[&keys.lock, &keys.record, key], &arguments);
        done(self.link.ask(&command, deadline))?;
        self.confirm(deadline)
    }

    /// Waits until enough replicas have what was written on this connection.
    fn confirm(&mut self, deadline: Deadline) -> Result<(), StoreError> {
        let wanted = self.link.shared.settings.replicas;
        if wanted == 0 {
            return Ok(());
        }
        let unconfirmed = |why: Failure| StoreError::new(StoreErrorKind::MaybeWritten).with_source(why);
        let left = deadline.left().map_err(|error| unconfirmed(Failure::Cut(error)))?;
        // Zero would be for ever.
        let time = left.saturating_sub(WAIT_RESERVE + left / 8).as_millis().max(1).to_string();
        let command = Command::new("WAIT", &[wanted.to_string().as_bytes(), time.as_bytes()]);
        match self.link.ask_once(&command, deadline).map_err(unconfirmed)? {
            Reply::Number(count) if count >= i64::from(wanted) => Ok(()),
            Reply::Number(count) => {
                let why = format!("{count} of {wanted} replicas confirmed in time");
                Err(StoreError::new(StoreErrorKind::MaybeWritten).with_source(why))
            }
            _ => Err(unconfirmed(unexpected())),
        }
    }
}

impl LockGuard for Lock {
    fn remaining(&self) -> Option<Duration> {
        Some(self.remaining)
    }

    fn read(&mut self, timeout: Duration) -> Result<Option<Body>, StoreError> {
        let keys = &self.link.shared.settings.keys;
        let command = script(READ, &[&keys.lock, &keys.record], &[self.owner.as_bytes()]);
        let reply = self.link.ask(&command, Deadline::after(timeout)).map_err(Failure::of_reading)?;
        let Reply::List(answer) = reply else { return Err(unexpected().of_reading()) };
        let mut answer = answer.into_iter();
        match (answer.next(), answer.next()) {
            (Some(Reply::Number(1)), Some(found)) => record(found).map_err(Failure::of_reading),
            (Some(Reply::Number(0)), None) => Err(StoreErrorKind::Lost.into()),
            _ => Err(unexpected().of_reading()),
        }
    }

    fn write(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError> {
        self.replace(record, &[], WRITE, timeout)
    }

    fn clear(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError> {
        let retired = self.link.shared.settings.keys.retired.clone();
        self.replace(record, &[&retired], CLEAR, timeout)
    }

    fn quarantine(&mut self, timeout: Duration) -> Result<(), StoreError> {
        let aside = self.link.shared.settings.keys.aside.clone();
        self.move_to(&aside, timeout)
    }

    fn retire(&mut self, timeout: Duration) -> Result<(), StoreError> {
        let retired = self.link.shared.settings.keys.retired.clone();
        self.move_to(&retired, timeout)
    }
}

fn done(reply: Result<Reply, Failure>) -> Result<(), StoreError> {
    match reply.map_err(Failure::of_writing)? {
        Reply::Number(1) => Ok(()),
        Reply::Number(0) => Err(StoreErrorKind::Lost.into()),
        _ => Err(unexpected().of_writing()),
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let command = self.link.shared.release(&self.owner);
        if self.link.ask(&command, Deadline::after(RELEASE_TIMEOUT)).is_err() {
            self.link.shared.owe(self.owner.clone(), self.until);
        }
    }
}
