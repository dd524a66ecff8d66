//! The lock, while a caller holds it.

use std::time::{Duration, Instant};

use perennial_core::store::{LockGuard, StoreError, StoreErrorKind};
use perennial_core::wire::Body;

use crate::command_error::{CommandError, unexpected_reply};
use crate::connection_slot::ConnectionSlot;
use crate::deadline::Deadline;
use crate::random::OwnerId;
use crate::resp::{Command, MAX_RECORD, Reply};
use crate::scripts::{MOVE_RECORD, READ_LOCKED, WRITE, WRITE_AND_DELETE_RETIRED, eval};

/// How long releasing the lock may take when a guard is dropped. After that it is left to the next connection, or to the
/// lock's expiry.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long before the deadline `WAIT` has to end: Redis checks ten times a second whether a wait is over, and the reply
/// has to travel back.
const WAIT_RESERVE: Duration = Duration::from_millis(120);

/// A lock that is held, with the connection that it uses. Dropping it releases the lock.
pub(crate) struct RedisLockGuard {
    slot: ConnectionSlot,
    owner: OwnerId,
    /// The fencing token of this lock. A record with a higher one was written under a later lock, and is not replaced.
    fencing_token: i64,
    remaining: Duration,
    /// When Redis expires the lock by itself, at the latest.
    expires: Instant,
}

impl RedisLockGuard {
    pub(crate) fn new(
        slot: ConnectionSlot,
        owner: OwnerId,
        fencing_token: i64,
        remaining: Duration,
        expires: Instant,
    ) -> Self {
        Self { slot, owner, fencing_token, remaining, expires }
    }

    /// Writes the record by a script, which may use more keys than the lock's and the record's.
    fn write_by(
        &mut self,
        script: &str,
        more_keys: &[&str],
        record: &Body,
        timeout: Duration,
    ) -> Result<(), StoreError> {
        let record = record.as_ref();
        if record.len() > MAX_RECORD {
            return Err(StoreError::new(StoreErrorKind::Unusable).with_source("the record is larger than 16 MiB"));
        }
        let deadline = Deadline::after(timeout);
        let keys = &self.slot.shared.settings.keys;
        let fencing_token = self.fencing_token.to_string();
        let arguments = [self.owner.as_bytes(), fencing_token.as_bytes(), record, keys.channel.as_bytes()];
        let names = [&[keys.lock.as_str(), keys.record.as_str()], more_keys].concat();
        let command = eval(script, &names, &arguments);
        check_changed(self.slot.execute(&command, deadline))?;
        self.wait_for_replicas(deadline)
    }

    /// Moves the record to the next free name of this series.
    fn move_to(&mut self, series: &str, timeout: Duration) -> Result<(), StoreError> {
        let deadline = Deadline::after(timeout);
        let keys = &self.slot.shared.settings.keys;
        let arguments = [self.owner.as_bytes(), keys.channel.as_bytes()];
        let command = eval(MOVE_RECORD, &[&keys.lock, &keys.record, series], &arguments);
        check_changed(self.slot.execute(&command, deadline))?;
        self.wait_for_replicas(deadline)
    }

    /// Waits until as many replicas as the settings ask for have what was written on this connection.
    fn wait_for_replicas(&mut self, deadline: Deadline) -> Result<(), StoreError> {
        let wanted = self.slot.shared.settings.replicas;
        if wanted == 0 {
            return Ok(());
        }
        let unconfirmed = |error: CommandError| StoreError::new(StoreErrorKind::MaybeWritten).with_source(error);
        let remaining = deadline.remaining().map_err(|error| unconfirmed(CommandError::ReplyLost(error)))?;
        // At least 1 ms: Redis takes 0 for "without end".
        let timeout = remaining.saturating_sub(WAIT_RESERVE + remaining / 8).as_millis().max(1).to_string();
        let command = Command::new("WAIT", &[wanted.to_string().as_bytes(), timeout.as_bytes()]);
        // Only once: on another connection Redis would not know which writes are meant.
        match self.slot.execute_once(&command, deadline).map_err(unconfirmed)? {
            Reply::Integer(count) if count >= i64::from(wanted) => Ok(()),
            Reply::Integer(count) => {
                let why = format!("{count} of {wanted} replicas confirmed in time");
                Err(StoreError::new(StoreErrorKind::MaybeWritten).with_source(why))
            }
            _ => Err(unconfirmed(unexpected_reply())),
        }
    }
}

impl LockGuard for RedisLockGuard {
    fn remaining(&self) -> Option<Duration> {
        Some(self.remaining)
    }

    fn read(&mut self, timeout: Duration) -> Result<Option<Body>, StoreError> {
        let keys = &self.slot.shared.settings.keys;
        let command = eval(READ_LOCKED, &[&keys.lock, &keys.record], &[self.owner.as_bytes()]);
        let reply = self.slot.execute(&command, Deadline::after(timeout)).map_err(CommandError::into_read_error)?;
        let Reply::Array(parts) = reply else { return Err(unexpected_reply().into_read_error()) };
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next()) {
            (Some(Reply::Integer(1)), Some(found)) => record_from(found).map_err(CommandError::into_read_error),
            (Some(Reply::Integer(0)), None) => Err(StoreErrorKind::Lost.into()),
            _ => Err(unexpected_reply().into_read_error()),
        }
    }

    fn write(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError> {
        self.write_by(WRITE, &[], record, timeout)
    }

    fn clear(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError> {
        let retired = self.slot.shared.settings.keys.retired.clone();
        self.write_by(WRITE_AND_DELETE_RETIRED, &[&retired], record, timeout)
    }

    fn quarantine(&mut self, timeout: Duration) -> Result<(), StoreError> {
        let series = self.slot.shared.settings.keys.quarantine.clone();
        self.move_to(&series, timeout)
    }

    fn retire(&mut self, timeout: Duration) -> Result<(), StoreError> {
        let series = self.slot.shared.settings.keys.retired.clone();
        self.move_to(&series, timeout)
    }
}

impl Drop for RedisLockGuard {
    fn drop(&mut self) {
        let command = self.slot.shared.release_command(&self.owner);
        if self.slot.execute(&command, Deadline::after(RELEASE_TIMEOUT)).is_err() {
            self.slot.shared.add_pending_release(self.owner.clone(), self.expires);
        }
    }
}

/// The record in a reply, or `None` if there is none.
pub(crate) fn record_from(reply: Reply) -> Result<Option<Body>, CommandError> {
    match reply {
        Reply::Bytes(mut bytes) => Ok(Some(Body::from(std::mem::take(&mut *bytes)))),
        Reply::Nil => Ok(None),
        _ => Err(unexpected_reply()),
    }
}

/// Whether a script has changed something: it answers 1, or 0 if the lock is lost.
fn check_changed(reply: Result<Reply, CommandError>) -> Result<(), StoreError> {
    match reply.map_err(CommandError::into_write_error)? {
        Reply::Integer(1) => Ok(()),
        Reply::Integer(0) => Err(StoreErrorKind::Lost.into()),
        _ => Err(unexpected_reply().into_write_error()),
    }
}
