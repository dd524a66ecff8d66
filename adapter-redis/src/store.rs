//! The store: reading, locking and watching one session.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use perennial_core::store::{ChangeCallback, LockGuard, Store, StoreError, StoreErrorKind, WatchGuard};
use perennial_core::wire::Body;

use crate::command_error::{CommandError, unexpected_reply};
use crate::connection_slot::{ConnectionSlot, attempt_deadline};
use crate::deadline::{Deadline, MAX_TIMEOUT, timed_out};
use crate::invalid_settings::InvalidSettings;
use crate::lock_guard::{RedisLockGuard, record_from};
use crate::random::{Backoff, OwnerId, jittered};
use crate::resp::{Command, Reply};
use crate::scripts::{ACQUIRE_LOCK, eval};
use crate::settings::RedisStoreBuilder;
use crate::shared::Shared;
use crate::watch::{self, WatchIntervals};

/// A session in Redis, shared by every process that names the same key at the same Redis server. Clones share their
/// settings.
///
/// A [`read`](Store::read) opens a connection and closes it again. A lock keeps one connection for as long as it is
/// held, and a watch one of its own.
#[derive(Clone)]
pub struct RedisStore(Arc<Shared>);

impl RedisStore {
    /// The session named `key` at this URL: `redis://user:password@host:port/database`, or `rediss://` for TLS. User,
    /// password, port (6379) and database (0) may be left out. Contacts nobody.
    pub fn new(url: &str, key: &str) -> Result<Self, InvalidSettings> {
        Self::builder(url, key).build()
    }

    /// The same, with more settings.
    pub fn builder(url: &str, key: &str) -> RedisStoreBuilder {
        RedisStoreBuilder::new(url, key)
    }
}

impl RedisStoreBuilder {
    /// Builds the store, or says which setting is invalid. Contacts nobody.
    ///
    /// The cryptography of `rediss://` is chosen here: the process's default `CryptoProvider` of rustls if one is
    /// installed by now, else the one of this crate's features.
    pub fn build(self) -> Result<RedisStore, InvalidSettings> {
        let settings = self.settings()?;
        Ok(RedisStore(Arc::new(Shared::new(settings))))
    }
}

impl Store for RedisStore {
    fn read(&self, timeout: Duration) -> Result<Option<Body>, StoreError> {
        let command = Command::new("HGET", &[self.0.settings.keys.record.as_bytes(), b"data"]);
        let mut slot = ConnectionSlot::new(Arc::clone(&self.0));
        let reply = slot.execute(&command, Deadline::after(timeout)).map_err(CommandError::into_read_error)?;
        record_from(reply).map_err(CommandError::into_read_error)
    }

    fn lock(&self, timeout: Duration, ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
        let called = Instant::now();
        let deadline = Deadline::after(timeout);
        let ttl = Duration::from_millis(whole_millis(ttl));
        let no_randomness = |error| StoreError::new(StoreErrorKind::Unavailable).with_source(error);
        let owner = OwnerId::random().map_err(no_randomness)?;
        let mut slot = ConnectionSlot::new(Arc::clone(&self.0));
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(250));
        let mut last_reply: Option<Instant> = None;
        loop {
            let attempt = try_lock(&mut slot, &owner, ttl, attempt_deadline(deadline)).map_err(|error| {
                let answered_just_now = last_reply.is_some_and(|reply| reply.elapsed() < OUTAGE);
                if answered_just_now && deadline.remaining().is_err() {
                    StoreErrorKind::Busy.into()
                } else {
                    error.into_read_error()
                }
            });
            match attempt? {
                LockAttempt::Acquired { fencing_token, sent } => {
                    let remaining = (sent - called) + guaranteed(ttl);
                    let expires = Instant::now() + ttl;
                    return Ok(Box::new(RedisLockGuard::new(slot, owner, fencing_token, remaining, expires)));
                }
                LockAttempt::HeldByOther { expires_in, round_trip } => {
                    last_reply = Some(Instant::now());
                    // Do not ask once more if Redis is not likely to answer before the deadline.
                    let needed = 2 * round_trip + Duration::from_millis(2);
                    let remaining = deadline.remaining().unwrap_or_default();
                    if remaining <= needed {
                        return Err(StoreErrorKind::Busy.into());
                    }
                    // Up to 20 ms after the expiry, so that not all who wait for it come at that very moment.
                    let expires_in = expires_in + jittered(Duration::from_millis(20));
                    thread::sleep(backoff.next().min(expires_in).min(remaining - needed));
                }
            }
        }
    }

    fn watch(&self, changed: ChangeCallback) -> Option<WatchGuard> {
        watch::start(Arc::clone(&self.0), changed, WatchIntervals::default())
    }
}

/// If the deadline cuts off an attempt, and Redis has answered the one before it less than this ago, then the lock was
/// busy. After a longer silence the server is unavailable.
const OUTAGE: Duration = Duration::from_millis(500);

/// What Redis answered to an attempt to acquire the lock.
enum LockAttempt {
    Acquired {
        fencing_token: i64,
        /// When the command was sent. Redis counts the time to live from when it got the command, which is later.
        sent: Instant,
    },
    HeldByOther {
        expires_in: Duration,
        round_trip: Duration,
    },
}

/// Tries to acquire the lock. If the reply is lost, it asks again at once as the same owner. If that fails too, Redis
/// may keep the lock for us: the next connection releases it.
fn try_lock(
    slot: &mut ConnectionSlot,
    owner: &OwnerId,
    ttl: Duration,
    deadline: Deadline,
) -> Result<LockAttempt, CommandError> {
    let first = try_lock_once(slot, owner, ttl, deadline);
    let Err(CommandError::ReplyLost(_)) = first else { return first };
    let second = match deadline.remaining() {
        Ok(_) => try_lock_once(slot, owner, ttl, deadline),
        Err(_) => first,
    };
    if second.is_err() {
        slot.shared.add_pending_release(owner.clone(), Instant::now() + ttl);
    }
    second
}

fn try_lock_once(
    slot: &mut ConnectionSlot,
    owner: &OwnerId,
    ttl: Duration,
    deadline: Deadline,
) -> Result<LockAttempt, CommandError> {
    let latest = slot.connect(deadline)?.to_server_micros(deadline).to_string();
    let keys = &slot.shared.settings.keys;
    let ttl = ttl.as_millis().to_string();
    let arguments = [owner.as_bytes(), ttl.as_bytes(), latest.as_bytes()];
    let command = eval(ACQUIRE_LOCK, &[&keys.lock, &keys.fence, &keys.record], &arguments);
    let sent = Instant::now();
    let Reply::Array(parts) = slot.execute_once(&command, deadline)? else { return Err(unexpected_reply()) };
    match parts.as_slice() {
        [Reply::Integer(1), Reply::Integer(fencing_token)] => {
            Ok(LockAttempt::Acquired { fencing_token: *fencing_token, sent })
        }
        [Reply::Integer(0), Reply::Integer(millis)] => {
            let expires_in = u64::try_from(*millis).map_or(MAX_TIMEOUT, |millis| Duration::from_millis(millis + 1));
            Ok(LockAttempt::HeldByOther { expires_in, round_trip: sent.elapsed() })
        }
        [Reply::Integer(-1)] => Err(CommandError::NotSent(timed_out())),
        _ => Err(unexpected_reply()),
    }
}

/// The time to live in whole milliseconds, the unit of Redis: at least 1, and at most a day.
fn whole_millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.min(MAX_TIMEOUT).as_millis()).unwrap_or(u64::MAX).max(1)
}

/// The part of a lock's time to live in which it is surely held, whatever the clocks of two machines do: a fiftieth and
/// 10 ms less than all of it. Quartz clocks drift apart by far less than a fiftieth, and Redis reads its clock only now
/// and then.
fn guaranteed(ttl: Duration) -> Duration {
    ttl.saturating_sub(ttl / 50 + Duration::from_millis(10))
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.0.settings;
        f.debug_struct("RedisStore")
            .field("host", &settings.host)
            .field("port", &settings.port)
            .field("database", &settings.database)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guaranteed_time_of_a_lock_is_shorter_than_its_time_to_live() {
        assert_eq!(guaranteed(Duration::from_secs(100)), Duration::from_millis(97_990));
        assert_eq!(guaranteed(Duration::from_millis(5)), Duration::ZERO);
    }

    #[test]
    fn a_time_to_live_is_cut_to_whole_milliseconds_between_one_and_a_day() {
        assert_eq!(whole_millis(Duration::from_micros(2_999)), 2);
        assert_eq!(whole_millis(Duration::ZERO), 1);
        assert_eq!(whole_millis(Duration::MAX), 86_400_000);
    }
}
