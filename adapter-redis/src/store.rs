//! The store.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use perennial_core::store::{ChangeCallback, LockGuard, Store, StoreError, StoreErrorKind, WatchGuard};
use perennial_core::wire::Body;

use crate::deadline::{Deadline, LONGEST, late};
use crate::invalid_settings::InvalidSettings;
use crate::keys::LOCK;
use crate::link::{Link, Shared, conversation, record, script};
use crate::lock::Lock;
use crate::random::{Owner, Pauses, jittered};
use crate::refusal::{Failure, unexpected};
use crate::resp::{Command, Reply};
use crate::settings::RedisStoreBuilder;
use crate::watch::{self, Pace};

/// A session in Redis, shared by every process that names the same key on the same Redis. Clones share settings.
///
/// Each call makes a connection of its own and ends it; a lock keeps one as long as it is held.
#[derive(Clone)]
pub struct RedisStore(Arc<Shared>);

impl RedisStore {
    /// The session named `key` at this address: `redis://user:password@host:port/database`, or `rediss://` for TLS.
    /// User, password, port (6379) and database (0) may be left out. Contacts nobody.
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
        let mut link = Link::new(Arc::clone(&self.0));
        let reply = link.ask(&command, Deadline::after(timeout)).map_err(Failure::of_reading)?;
        record(reply).map_err(Failure::of_reading)
    }

    fn lock(&self, timeout: Duration, ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
        let called = Instant::now();
        let deadline = Deadline::after(timeout);
        let ttl = Duration::from_millis(whole_millis(ttl));
        let no_owner = |error| StoreError::new(StoreErrorKind::Unavailable).with_source(error);
        let owner = Owner::random().map_err(no_owner)?;
        let mut link = Link::new(Arc::clone(&self.0));
        let mut pauses = Pauses::new(Duration::from_millis(10), Duration::from_millis(250));
        let mut heard: Option<Instant> = None;
        loop {
            let taken = take(&mut link, &owner, ttl, conversation(deadline)).map_err(|failure| {
                let just_now = heard.is_some_and(|heard| heard.elapsed() < OUTAGE);
                if just_now && deadline.left().is_err() { StoreErrorKind::Busy.into() } else { failure.of_reading() }
            });
            match taken? {
                Taken::Ours { fence, asked } => {
                    let remaining = (asked - called) + firm(ttl);
                    return Ok(Box::new(Lock::new(link, owner, fence, remaining, Instant::now() + ttl)));
                }
                Taken::Others { free_in, took } => {
                    heard = Some(Instant::now());
                    // What Redis is not likely to answer in time is not asked.
                    let needed = 2 * took + Duration::from_millis(2);
                    let left = deadline.left().unwrap_or_default();
                    if left <= needed {
                        return Err(StoreErrorKind::Busy.into());
                    }
                    // Those who wait for a lock that ends by itself do not all come at that moment.
                    let free_in = free_in + jittered(Duration::from_millis(20));
                    thread::sleep(pauses.next().min(free_in).min(left - needed));
                }
            }
        }
    }

    fn watch(&self, changed: ChangeCallback) -> Option<WatchGuard> {
        watch::begin(Arc::clone(&self.0), changed, Pace::default())
    }
}

/// A last question that was left without an answer for less than this is no outage.
const OUTAGE: Duration = Duration::from_millis(500);

/// Who has the lock.
enum Taken {
    Ours { fence: i64, asked: Instant },
    Others { free_in: Duration, took: Duration },
}

/// Tries to take the lock. Where the answer was lost it asks again at once, as the same owner; where that does not
/// help either, the lock is given back with the next connection.
fn take(link: &mut Link, owner: &Owner, ttl: Duration, deadline: Deadline) -> Result<Taken, Failure> {
    let first = take_once(link, owner, ttl, deadline);
    let Err(Failure::Cut(_)) = first else { return first };
    let again = match deadline.left() {
        Ok(_) => take_once(link, owner, ttl, deadline),
        Err(_) => first,
    };
    if again.is_err() {
        link.shared.owe(owner.clone(), Instant::now() + ttl);
    }
    again
}

fn take_once(link: &mut Link, owner: &Owner, ttl: Duration, deadline: Deadline) -> Result<Taken, Failure> {
    let until = link.connected(deadline)?.in_redis_time(deadline).to_string();
    let keys = &link.shared.settings.keys;
    let ttl = ttl.as_millis().to_string();
    let arguments = [owner.as_bytes(), ttl.as_bytes(), until.as_bytes()];
    let command = script(LOCK, &[&keys.lock, &keys.fence, &keys.record], &arguments);
    // Redis counts from when it gets this, which is later.
    let asked = Instant::now();
    let Reply::List(answer) = link.ask_once(&command, deadline)? else { return Err(unexpected()) };
    match answer.as_slice() {
        [Reply::Number(1), Reply::Number(fence)] => Ok(Taken::Ours { fence: *fence, asked }),
        [Reply::Number(0), Reply::Number(millis)] => {
            let free_in = u64::try_from(*millis).map_or(LONGEST, |millis| Duration::from_millis(millis + 1));
            Ok(Taken::Others { free_in, took: asked.elapsed() })
        }
        [Reply::Number(-1)] => Err(Failure::NotSent(late())),
        _ => Err(unexpected()),
    }
}

/// Redis counts whole milliseconds, at least one.
fn whole_millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.min(LONGEST).as_millis()).unwrap_or(u64::MAX).max(1)
}

/// What of a lease is surely ours, however the clocks of two machines differ in pace: a fiftieth is far more than
/// quartzes do, and Redis looks at its clock now and then.
fn firm(ttl: Duration) -> Duration {
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
    fn a_lease_is_never_thought_longer_than_it_is() {
        assert_eq!(firm(Duration::from_secs(100)), Duration::from_millis(97_990));
        assert_eq!(firm(Duration::from_millis(5)), Duration::ZERO);
        assert_eq!(whole_millis(Duration::from_micros(2_999)), 2);
        assert_eq!(whole_millis(Duration::ZERO), 1);
        assert_eq!(whole_millis(Duration::MAX), 86_400_000);
    }
}
