//! Keeps a sign-in alive on many machines: one session, shared through Redis.
//!
//! ```no_run
//! use perennial_redis::RedisStore;
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // The password comes from where you keep such things; it may stand in the address instead.
//! let store = RedisStore::builder("rediss://redis.internal:6380/0", "navien:home")
//!     .user("perennial")
//!     .password(std::fs::read_to_string("/run/secrets/redis")?.trim())
//!     .build()?;
//! # Ok(()) }
//! ```
//!
//! Sessions on any machine that name the same key share one account: N machines renew once, and each hears at once of
//! what another has renewed. On one machine take `perennial-file`: it needs no server.
//!
//! # What Redis has to be
//!
//! Redis 6 or newer, or Valkey: one primary under one address. A cluster or sentinels are not followed; an address
//! that moves with the primary, as hosted services have it, is fine.
//!
//! - **Private.** Whoever can read it can read the tokens. `redis://` is allowed to this machine only; to others take
//!   `rediss://` and a user of its own:
//!   `ACL SETUSER perennial on >PASSWORD ~perennial:* &perennial:* -@all +eval +time +select +ping +wait +subscribe
//!   +publish +get +set +del +pttl +incr +incrby +exists +renamenx +hget +hset`
//! - **Lasting.** A record is as durable as Redis makes it: with `appendonly yes` and `appendfsync everysec` a crash
//!   may cost the last second; without persistence, everything. A session copes with a store that went back, but a
//!   refresh token that was rotated in that second is gone. `appendfsync always` closes the gap;
//!   [`RedisStoreBuilder::replicas`] narrows it for the loss of a machine.
//! - **Not a cache.** `maxmemory-policy noeviction`, or one of the `volatile` ones: records have no end and stay.
//! - **On time.** Redis ends locks by its wall clock. If that is set forward, a lock ends early: a late write is
//!   refused, but two machines may have sent the same one-use token. Let the clock be slewed, not stepped.
//!
//! # The lock
//!
//! It is one key with an owner's random name, which ends by itself after the lease. Each lock gets a number that only
//! grows, and each record the number of the lock under which it was written: a write by somebody who no longer holds
//! the lock is refused with [`Lost`](perennial_core::StoreErrorKind::Lost), even where the server was emptied or went
//! back. Replication is not awaited by the lock itself: after a failover two machines may for once hold it, and the
//! later one wins.
//!
//! | key | |
//! | --- | --- |
//! | `perennial:{KEY}:record` | a hash: `data`, and `fence`, the number of its lock |
//! | `perennial:{KEY}:lock` | who holds the lock |
//! | `perennial:{KEY}:fence` | the number of the last lock |
//! | `perennial:{KEY}:aside:N` | the N-th record that was set aside; never deleted by us. `…:aside` counts them |
//! | `perennial:{KEY}:retired:N` | what another program had left, and a session has taken up: removed when somebody signs out |
//! | `perennial:{KEY}:changed` | the channel on which writes are told |
//!
//! # TLS
//!
//! TLS is rustls. Whose cryptography it uses is a cargo feature, unless the process has installed a default
//! `CryptoProvider` of rustls': that goes before. Nothing is installed here.
//!
//! | feature | |
//! | --- | --- |
//! | `tls-aws-lc` (default) | aws-lc-rs, rustls' own default. Where `tls-ring` is on too, this one is taken |
//! | `tls-ring` | ring: smaller, quicker to build |
//! | `tls` | neither: the program installs a `CryptoProvider`, or gives a whole `ClientConfig` by `RedisStoreBuilder::tls_config` |
//! | `tls-none` | a name for none of these, beside `default-features = false`: no TLS is compiled in, `rediss://` is refused |
//!
//! rustls' features add up over all that a program is built of, and with both aws-lc-rs and ring a bare
//! `rustls::ClientConfig::builder()`, anywhere in the program, panics until somebody installs a default. So take what
//! the program has. Beside rustls' defaults nothing needs to be said; a program whose rustls has ring alone takes
//! `default-features = false, features = ["tls-ring"]`, and a library that leaves the choice to programs `["tls"]`.
//!
//! # When things go wrong
//!
//! Every call ends within its bound, whatever Redis does. `Unavailable`: not reached, starting, or not answering;
//! nothing was written. `MaybeWritten`: the answer to a write was lost. `Unusable`: somebody has to act; the source
//! names Redis's code (`NOAUTH`, `WRONGPASS`, `NOPERM`, `OOM`, `MISCONF`, …) and the command, and never repeats its
//! text. A lock that could not be given back is given back with the next connection, or ends by itself.

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
/// The rustls whose `ClientConfig` is meant here.
#[cfg(feature = "tls")]
pub use rustls;
