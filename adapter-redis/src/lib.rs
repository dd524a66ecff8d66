//! Stores OAuth 2 refresh tokens and sessions in Redis, so that many processes and machines share one account: one of
//! them renews the tokens, and the others use what it saved.
//!
//! A refresh token that the service rotates may be used once. If two machines send the same one, many services end the
//! session. This crate is a [`Store`] for a session of `perennial-hyper` or `perennial-blocking` that prevents this with
//! a lock in Redis, and tells the other machines at once when there are new tokens. For programs on one machine
//! `perennial-file` does the same without a server.
//!
//! # Getting started
//!
//! ```no_run
//! use perennial_redis::RedisStore;
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisStore::builder("rediss://redis.internal:6380/0", "navien:home")
//!     .user("perennial")
//!     .password(std::fs::read_to_string("/run/secrets/redis")?.trim())
//!     .build()?;
//! # Ok(()) }
//! ```
//!
//! Give the store to the builder of a session: `.store(store)`. The session does the rest. All sessions that name the
//! same key (`navien:home` above), on any machine, share one account.
//!
//! What is saved can be read without a session, a lock or the service:
//!
//! ```no_run
//! use perennial_core::store::{STORE_TIMEOUT, Store};
//! use perennial_core::{Now, SavedSession};
//! use perennial_redis::RedisStore;
//!
//! # fn example(now: Now) -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisStore::new("redis://127.0.0.1", "navien:home")?;
//! if let Some(record) = store.read(STORE_TIMEOUT)? {
//!     println!("{}", SavedSession::parse(record.as_ref(), now)?);
//! }
//! # Ok(()) }
//! ```
//!
//! # What Redis has to be
//!
//! Redis 6 or newer, or Valkey: one primary at one address. The address may move with the primary, as that of a hosted
//! service does. Cluster redirections and Sentinel are not followed.
//!
//! - **Private.** Whoever can read the database can read the tokens. `redis://` is allowed to this machine only; to
//!   another one take `rediss://`, and a user with the permissions that are needed and no more:
//!   `ACL SETUSER perennial on >PASSWORD ~perennial:* &perennial:* -@all +eval +time +select +ping +wait +subscribe
//!   +publish +get +set +del +pttl +incr +incrby +exists +renamenx +hget +hset`
//! - **Persistent.** A record is as durable as Redis makes it. With `appendonly yes` and `appendfsync everysec` a crash
//!   may lose the last second; without persistence it loses everything. A session copes with an older record, but a
//!   refresh token that was rotated in the lost second is gone. `appendfsync always` loses nothing, and
//!   [`RedisStoreBuilder::replicas`] helps against the loss of a machine.
//! - **Not a cache.** Set `maxmemory-policy noeviction`, or one of the `volatile` policies: records have no expiry, and so
//!   are not evicted.
//! - **With a steady clock.** Redis expires locks by its wall clock. If that is set forward, a lock expires early: the
//!   late write is refused, but two machines may have sent the same refresh token. Let NTP slew the clock, not step it.
//!
//! # What is guaranteed
//!
//! | | |
//! | --- | --- |
//! | Locking | One holder at a time, in all processes on all machines. The lock is a key with the random name of its owner and an expiry (`SET PX`). A killed holder's lock expires by itself. |
//! | Fencing | Each lock has a number that only grows, and each record the number of the lock it was written under. A write under a lock that was lost is refused with [`Lost`], also after the server was emptied or restored. |
//! | Atomicity | Each change is one Lua script: other clients see the old record or the new one. |
//! | Durability | As that of Redis; see above. |
//! | Change notification | Each write is published. A session on another machine reads it at once, and after a lost connection when it has subscribed again. |
//! | Secrecy | Buffers that held secrets are wiped. No error, `Debug` output or log has a password, a token, or the text of an error reply. |
//! | Bounded time | Every call ends by its timeout, whatever Redis or the network does. |
//!
//! The lock does not wait for replicas. After a failover two machines may hold it at the same time once; then the later
//! one's record wins.
//!
//! # Settings
//!
//! | [`RedisStoreBuilder`] | default | |
//! | --- | --- | --- |
//! | URL | port 6379, database 0 | `redis://user:password@host:port/database`, or `rediss://` for TLS |
//! | key | | 1 to 256 bytes, without white space, braces and control characters |
//! | `user`, `password` | those of the URL | in place of those in the URL |
//! | `plain_text` | off | allows `redis://` to another machine |
//! | `replicas` | 0 | how many replicas have to confirm a write |
//! | `root_certificate_der` | Mozilla's | root certificates to trust |
//! | `tls_config` | | a whole `rustls::ClientConfig` |
//!
//! | limit | |
//! | --- | --- |
//! | one operation of a session | [`STORE_TIMEOUT`](perennial_core::store::STORE_TIMEOUT), 5 s |
//! | waiting for a lock | [`LOCK_TIMEOUT`](perennial_core::store::LOCK_TIMEOUT), 40 s; an attempt every 5 to 250 ms |
//! | longest lock | 1 day |
//! | largest record | 16 MiB; a session writes at most 1 MiB, and usually some kilobytes |
//! | a watch without messages | pings after 15 s, and connects again if nothing comes within 5 s more |
//! | a watch that lost its connection | connects again after 0.1 s, then after up to 10 s |
//!
//! # Features
//!
//! TLS is rustls. If the process has installed a default `CryptoProvider` of rustls, that is used; else a cargo feature
//! says which cryptography is. This crate installs no default.
//!
//! | feature | |
//! | --- | --- |
//! | `tls-aws-lc` (default) | aws-lc-rs, as rustls itself has by default. If `tls-ring` is on too, aws-lc-rs is used |
//! | `tls-ring` | ring: smaller, and faster to build |
//! | `tls` | no cryptography: the program installs a `CryptoProvider`, or gives a `ClientConfig` to `RedisStoreBuilder::tls_config` |
//! | `tls-none` | nothing: a name for `default-features = false` without any of the above. No TLS is compiled in, and `rediss://` is refused |
//!
//! Cargo adds up the features of a crate over a whole program. If rustls has both aws-lc-rs and ring, a bare
//! `rustls::ClientConfig::builder()` anywhere in the program panics until a default is installed. So choose what the
//! program has already: with rustls' own defaults, nothing; if its rustls has ring alone,
//! `default-features = false, features = ["tls-ring"]`; in a library that leaves the choice to programs, `["tls"]`.
//!
//! # Errors
//!
//! Wrong settings are an [`InvalidSettings`] when the store is built. Every other error is a
//! [`StoreError`](perennial_core::store::StoreError), which a session reports; it goes on serving valid credentials.
//!
//! | kind | when | what to do |
//! | --- | --- | --- |
//! | `Busy` | another machine held the lock until the timeout | nothing: the session tries again |
//! | [`Lost`] | the lock expired, or another machine has locked since | nothing: the session locks and reads again |
//! | `Unavailable` | Redis was not reached, starts, or does not answer; nothing was written | nothing: the session tries again |
//! | `MaybeWritten` | the reply to a write was lost, or too few replicas confirmed it | nothing: the session writes again |
//! | `Unusable` | `NOAUTH`, `WRONGPASS`, `NOPERM`, `OOM`, `MISCONF`, an untrusted certificate, … | read the source of the error, which names Redis's code and the command, and change the settings or the server |
//!
//! A lock that could not be released is released with the next connection, or expires by itself.
//!
//! # Keys in Redis
//!
//! | key | |
//! | --- | --- |
//! | `perennial:{KEY}:record` | a hash: `data`, the record, and `fence`, the number of the lock it was written under |
//! | `perennial:{KEY}:lock` | the lock: the random name of its owner, with an expiry |
//! | `perennial:{KEY}:fence` | a counter: the number of the last lock |
//! | `perennial:{KEY}:aside:N` | the N-th record that could not be parsed and was quarantined. Never deleted; look at it and delete it. `…:aside` counts them |
//! | `perennial:{KEY}:retired:N` | a record of another program, from which the session was imported. Deleted at a sign-out. `…:retired` counts them |
//! | `perennial:{KEY}:changed` | the channel on which changes are published |
//!
//! [`Lost`]: perennial_core::store::StoreErrorKind::Lost
//! [`Store`]: perennial_core::store::Store

mod command_error;
mod connection;
mod connection_slot;
mod deadline;
#[cfg(test)]
mod fake_server;
mod invalid_settings;
mod keys;
mod lock_guard;
mod random;
mod resp;
mod scripts;
mod settings;
mod shared;
mod store;
#[cfg(feature = "tls")]
mod tls;
mod url;
mod watch;

pub use self::invalid_settings::InvalidSettings;
pub use self::settings::RedisStoreBuilder;
pub use self::store::RedisStore;
/// The version of rustls whose `ClientConfig` [`RedisStoreBuilder::tls_config`] takes.
#[cfg(feature = "tls")]
pub use rustls;
