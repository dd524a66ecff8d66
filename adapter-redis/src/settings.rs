//! The settings of a store, and the builder that collects and checks them.

use std::fmt;
#[cfg(feature = "tls")]
use std::sync::Arc;

use perennial_core::Secret;
use zeroize::Zeroizing;

use crate::invalid_settings::InvalidSettings;
use crate::keys::Keys;
use crate::url::{RedisUrl, Scheme};

/// How to reach the Redis server, and which keys to use there.
pub(crate) struct Settings {
    /// A name or an IP address, an IPv6 one without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: u32,
    pub(crate) auth: Option<Auth>,
    pub(crate) encryption: Encryption,
    pub(crate) keys: Keys,
    /// How many replicas have to confirm a write.
    pub(crate) replicas: u32,
}

/// The arguments of `AUTH`.
pub(crate) struct Auth {
    /// `None` is the user named `default`.
    pub(crate) user: Option<Secret>,
    pub(crate) password: Secret,
}

pub(crate) enum Encryption {
    None,
    #[cfg(feature = "tls")]
    Tls(Arc<rustls::ClientConfig>),
}

/// Collects the settings of a [`RedisStore`](crate::RedisStore). Begins with
/// [`RedisStore::builder`](crate::RedisStore::builder) and ends with [`build`](Self::build), which contacts nobody.
#[must_use]
pub struct RedisStoreBuilder {
    /// May hold a password.
    url: Zeroizing<String>,
    key: String,
    user: Option<Secret>,
    password: Option<Secret>,
    plaintext: PlaintextTo,
    replicas: u32,
    #[cfg(feature = "tls")]
    roots: Vec<Vec<u8>>,
    #[cfg(feature = "tls")]
    tls_config: Option<Arc<rustls::ClientConfig>>,
}

/// To which machines secrets may be sent unencrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PlaintextTo {
    ThisMachine,
    AnyMachine,
}

impl RedisStoreBuilder {
    pub(crate) fn new(url: &str, key: &str) -> Self {
        Self {
            url: Zeroizing::new(url.to_owned()),
            key: key.to_owned(),
            user: None,
            password: None,
            plaintext: PlaintextTo::ThisMachine,
            replicas: 0,
            #[cfg(feature = "tls")]
            roots: Vec::new(),
            #[cfg(feature = "tls")]
            tls_config: None,
        }
    }

    /// The user of Redis's access control list, in place of the one in the URL. By default the user named `default`.
    pub fn user(mut self, user: impl Into<Secret>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The password, in place of the one in the URL. By default none.
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Allows `redis://` to another machine: password and tokens go over the network unencrypted. For a private network,
    /// or for one that encrypts by itself, as a VPN does. By default `redis://` is allowed to this machine only.
    pub fn plain_text(mut self) -> Self {
        self.plaintext = PlaintextTo::AnyMachine;
        self
    }

    /// How many replicas have to confirm a write before it counts as saved: 0 by default. If fewer confirm in time, the
    /// write ends in [`MaybeWritten`](perennial_core::store::StoreErrorKind::MaybeWritten), and the session writes again.
    pub fn replicas(mut self, count: u32) -> Self {
        self.replicas = count;
        self
    }

    /// Trusts this root certificate (X.509 in DER) **instead of** Mozilla's, which are built in. May be called several
    /// times.
    #[cfg(feature = "tls")]
    pub fn root_certificate_der(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        self.roots.push(certificate.into());
        self
    }

    /// Uses this TLS configuration **instead of** one made of root certificates: for a client certificate, a certificate
    /// verifier, or cryptography of your own.
    #[cfg(feature = "tls")]
    pub fn tls_config(mut self, config: rustls::ClientConfig) -> Self {
        self.tls_config = Some(Arc::new(config));
        self
    }

    pub(crate) fn settings(self) -> Result<Settings, InvalidSettings> {
        let keys = Keys::new(&self.key).ok_or(InvalidSettings::Key)?;
        let url = RedisUrl::parse(&self.url).ok_or(InvalidSettings::Address)?;
        let encryption = self.encryption(&url)?;
        let user = self.user.or(url.user);
        let password = self.password.or(url.password);
        let auth = match (user, password) {
            (None, None) => None,
            // Redis lets a user with `nopass` in with any password, and `AUTH` needs one.
            (user, password) => Some(Auth { user, password: password.unwrap_or_else(|| Secret::from("")) }),
        };
        Ok(Settings {
            host: url.host,
            port: url.port,
            database: url.database,
            auth,
            encryption,
            keys,
            replicas: self.replicas,
        })
    }

    fn encryption(&self, url: &RedisUrl) -> Result<Encryption, InvalidSettings> {
        match url.scheme {
            #[cfg(feature = "tls")]
            Scheme::Rediss => match &self.tls_config {
                Some(config) => Ok(Encryption::Tls(Arc::clone(config))),
                None => crate::tls::client_config(&self.roots).map(Encryption::Tls),
            },
            #[cfg(not(feature = "tls"))]
            Scheme::Rediss => Err(InvalidSettings::NoTls),
            Scheme::Redis if url.is_loopback || self.plaintext == PlaintextTo::AnyMachine => Ok(Encryption::None),
            Scheme::Redis => Err(InvalidSettings::PlainText),
        }
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder").field("replicas", &self.replicas).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The settings of the session `key` at this URL.
    pub(crate) fn settings(url: &str) -> Settings {
        RedisStoreBuilder::new(url, "key").plain_text().settings().unwrap()
    }

    #[test]
    fn without_tls_only_this_machine_is_allowed_unless_the_builder_says_otherwise() {
        for here in ["redis://127.0.0.1", "redis://[::1]", "redis://localhost:1"] {
            assert!(RedisStoreBuilder::new(here, "k").build().is_ok(), "{here}");
        }
        for there in ["redis://10.0.0.1", "redis://redis.example", "redis://localhost.evil.example"] {
            let builder = || RedisStoreBuilder::new(there, "k");
            assert_eq!(builder().build().unwrap_err(), InvalidSettings::PlainText, "{there}");
            assert!(builder().plain_text().build().is_ok(), "{there}");
        }
        let encrypted = RedisStoreBuilder::new("rediss://redis.example", "k").build();
        let has_cryptography = cfg!(any(feature = "tls-aws-lc", feature = "tls-ring"));
        assert_eq!(encrypted.err(), if has_cryptography { None } else { Some(InvalidSettings::NoTls) });
    }

    #[test]
    fn no_debug_or_error_shows_the_password() {
        let builder = RedisStoreBuilder::new("redis://hunter2:hunter2@127.0.0.1", "k").password("hunter2");
        let store = RedisStoreBuilder::new("redis://hunter2:hunter2@127.0.0.1", "k").user("hunter2").build().unwrap();
        let error = RedisStoreBuilder::new("redis://:hunter2@host:x", "k").build().unwrap_err();
        let shown = format!("{builder:?} {store:?} {error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    #[cfg(feature = "tls")]
    fn a_root_certificate_that_cannot_be_parsed_is_an_error() {
        let builder = RedisStoreBuilder::new("rediss://redis.example", "k").root_certificate_der(*b"none");
        assert_eq!(builder.build().unwrap_err(), InvalidSettings::Root);
    }
}
