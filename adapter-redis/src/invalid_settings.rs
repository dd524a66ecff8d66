//! Why the settings of a store are refused.

/// Why the settings of a store are refused, before anything is contacted. The URL is not repeated: it may hold a
/// password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSettings {
    /// The URL is not `redis://user:password@host:port/database`, or the same with `rediss://`. Percent-encode special
    /// characters of a password in it, or give the password by
    /// [`RedisStoreBuilder::password`](crate::RedisStoreBuilder::password).
    #[error("the address is not redis://user:password@host:port/database or the same with rediss://")]
    Address,
    /// `redis://` would send secrets unencrypted to another machine. Take `rediss://`, or see
    /// [`RedisStoreBuilder::plain_text`](crate::RedisStoreBuilder::plain_text).
    #[error("the address is not rediss:// (redis:// is allowed to this machine only)")]
    PlainText,
    /// `rediss://` needs the cargo feature `tls-aws-lc` or `tls-ring`. With `tls` alone, the process must have installed
    /// a rustls `CryptoProvider` for TLS 1.2 and 1.3 before the store is built.
    #[error(
        "rediss:// needs the cargo feature `tls-aws-lc` or `tls-ring` of perennial-redis, or a CryptoProvider for TLS \
         1.2 and 1.3 that the process installed before"
    )]
    NoTls,
    /// The key is empty, longer than 256 bytes, or contains white space, braces or control characters.
    #[error("the key is empty, too long, or has characters that a key must not have")]
    Key,
    /// A root certificate is not a valid X.509 certificate in DER.
    #[error("a root certificate cannot be used")]
    Root,
}
