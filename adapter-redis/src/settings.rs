//! Where a session is kept, and who may see it.

use std::fmt;
#[cfg(feature = "tls")]
use std::sync::Arc;

use http::Uri;
use http::uri::Authority;
use percent_encoding::percent_decode_str;
use perennial_core::Secret;
use perennial_core::wire::is_safe;
use zeroize::Zeroizing;

use crate::invalid_settings::InvalidSettings;
use crate::keys::Keys;

/// How to reach one Redis, and what to keep there.
pub(crate) struct Settings {
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: u32,
    pub(crate) sign_in: Option<SignIn>,
    pub(crate) encryption: Encryption,
    pub(crate) keys: Keys,
    /// How many replicas have to confirm a record.
    pub(crate) replicas: u32,
}

/// Who we are to Redis.
pub(crate) struct SignIn {
    /// The user named `default` if none.
    pub(crate) user: Option<Secret>,
    pub(crate) password: Secret,
}

pub(crate) enum Encryption {
    None,
    #[cfg(feature = "tls")]
    Tls(Arc<rustls::ClientConfig>),
}

/// Settings of a [`RedisStore`](crate::RedisStore).
#[must_use]
pub struct RedisStoreBuilder {
    /// May hold a password.
    url: Zeroizing<String>,
    key: String,
    user: Option<Secret>,
    password: Option<Secret>,
    plain_text: PlainText,
    replicas: u32,
    #[cfg(feature = "tls")]
    roots: Vec<Vec<u8>>,
    #[cfg(feature = "tls")]
    tls_config: Option<Arc<rustls::ClientConfig>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PlainText {
    ToThisMachine,
    Anywhere,
}

impl RedisStoreBuilder {
    pub(crate) fn new(url: &str, key: &str) -> Self {
        Self {
            url: Zeroizing::new(url.to_owned()),
            key: key.to_owned(),
            user: None,
            password: None,
            plain_text: PlainText::ToThisMachine,
            replicas: 0,
            #[cfg(feature = "tls")]
            roots: Vec::new(),
            #[cfg(feature = "tls")]
            tls_config: None,
        }
    }

    /// The user of Redis's access control list. Goes before the one in the address.
    pub fn user(mut self, user: impl Into<Secret>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The password. Goes before the one in the address.
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Allows `redis://` to another machine: password and tokens go over the network in the clear. For a network of
    /// your own that nobody listens on, or where something below encrypts.
    pub fn plain_text(mut self) -> Self {
        self.plain_text = PlainText::Anywhere;
        self
    }

    /// How many replicas have to have a record before it counts as saved: 0 by default. Where fewer confirm in time,
    /// the write ends in `MaybeWritten`, and the session writes again.
    pub fn replicas(mut self, count: u32) -> Self {
        self.replicas = count;
        self
    }

    /// Trusts this root certificate (X.509, DER) **instead of** the built-in ones. Called again: both.
    #[cfg(feature = "tls")]
    pub fn root_certificate_der(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        self.roots.push(certificate.into());
        self
    }

    /// TLS as this says, **instead of** the root certificates, given here or built in: for a certificate of the
    /// client's, a verifier or cryptography of your own.
    #[cfg(feature = "tls")]
    pub fn tls_config(mut self, config: rustls::ClientConfig) -> Self {
        self.tls_config = Some(Arc::new(config));
        self
    }

    pub(crate) fn settings(self) -> Result<Settings, InvalidSettings> {
        let keys = Keys::new(&self.key).ok_or(InvalidSettings::Key)?;
        let address = Address::parse(&self.url)?;
        let encryption = self.encryption(&address)?;
        let user = self.user.or(address.user);
        let password = self.password.or(address.password);
        let sign_in = match (user, password) {
            (None, None) => None,
            // A user without a password signs in with any.
            (user, password) => Some(SignIn { user, password: password.unwrap_or_else(|| Secret::from("")) }),
        };
        Ok(Settings {
            host: address.host,
            port: address.port,
            database: address.database,
            sign_in,
            encryption,
            keys,
            replicas: self.replicas,
        })
    }

    fn encryption(&self, address: &Address) -> Result<Encryption, InvalidSettings> {
        match address.scheme {
            #[cfg(feature = "tls")]
            Scheme::Rediss => match &self.tls_config {
                Some(config) => Ok(Encryption::Tls(Arc::clone(config))),
                None => crate::tls::config(&self.roots).map(Encryption::Tls),
            },
            #[cfg(not(feature = "tls"))]
            Scheme::Rediss => Err(InvalidSettings::NoTls),
            Scheme::Redis if address.is_here || self.plain_text == PlainText::Anywhere => Ok(Encryption::None),
            Scheme::Redis => Err(InvalidSettings::PlainText),
        }
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder").field("replicas", &self.replicas).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Redis,
    Rediss,
}

struct Address {
    scheme: Scheme,
    host: String,
    port: u16,
    database: u32,
    user: Option<Secret>,
    password: Option<Secret>,
    /// Whether it leads to this machine.
    is_here: bool,
}

const PORT: u16 = 6379;

impl Address {
    fn parse(url: &str) -> Result<Self, InvalidSettings> {
        Self::parsed(url.trim()).ok_or(InvalidSettings::Address)
    }

    /// By hand as far as there may be a password: it must not stay behind in a parser's buffers.
    fn parsed(url: &str) -> Option<Self> {
        let (scheme, rest) = match url.split_once("://")? {
            ("redis", rest) => (Scheme::Redis, rest),
            ("rediss", rest) => (Scheme::Rediss, rest),
            _ => return None,
        };
        let (rest, database) = rest.split_once('/').unwrap_or((rest, ""));
        let database = if database.is_empty() { 0 } else { digits(database)?.parse().ok()? };
        let (sign_in, place) = match rest.rsplit_once('@') {
            Some((sign_in, place)) => (Some(sign_in), place),
            None => (None, rest),
        };
        let authority: Authority = place.parse().ok()?;
        let port = match place.strip_prefix(authority.host())? {
            "" => PORT,
            port => digits(port.strip_prefix(':')?)?.parse().ok().filter(|port| *port != 0)?,
        };
        let host = authority.host().trim_matches(['[', ']']);
        // The rule for services holds here, too.
        let as_http = Uri::builder().scheme("http").authority(authority.clone()).path_and_query("/").build().ok()?;
        let (user, password) = match sign_in.map(|text| text.split_once(':').unwrap_or((text, ""))) {
            Some((user, password)) => (decoded(user)?, decoded(password)?),
            None => (None, None),
        };
        let host = Some(host).filter(|host| !host.is_empty())?.to_owned();
        Some(Self { scheme, host, port, database, user, password, is_here: is_safe(&as_http) })
    }
}

fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

/// Nothing in it is none.
fn decoded(text: &str) -> Option<Option<Secret>> {
    let text = percent_decode_str(text).decode_utf8().ok()?.into_owned();
    Some(if text.is_empty() { None } else { Some(Secret::from(text)) })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// For the session `key` at this address.
    pub(crate) fn settings(url: &str) -> Settings {
        RedisStoreBuilder::new(url, "key").plain_text().settings().unwrap()
    }

    fn address(url: &str) -> Option<String> {
        let address = Address::parsed(url)?;
        let show = |secret: &Option<Secret>| secret.as_ref().map_or("-".to_owned(), |it| it.expose().to_owned());
        let (user, password) = (show(&address.user), show(&address.password));
        let Address { host, port, database, .. } = address;
        Some(format!("{host} {port} {database} {user} {password}"))
    }

    #[test]
    fn an_address_is_taken_apart() {
        for (url, parts) in [
            ("redis://127.0.0.1", "127.0.0.1 6379 0 - -"),
            ("redis://127.0.0.1:6380/", "127.0.0.1 6380 0 - -"),
            ("redis://[::1]:6380/15", "::1 6380 15 - -"),
            ("rediss://redis.example/2", "redis.example 6379 2 - -"),
            ("redis://:pass@localhost", "localhost 6379 0 - pass"),
            ("redis://user:p%40s%2Fs%3a@localhost:1/1", "localhost 1 1 user p@s/s:"),
            ("redis://user:a:b@c@localhost", "localhost 6379 0 user a:b@c"),
            ("redis://user@localhost", "localhost 6379 0 user -"),
        ] {
            assert_eq!(address(url).as_deref(), Some(parts), "{url}");
        }
        for url in [
            "",
            "127.0.0.1:6379",
            "http://127.0.0.1",
            "redis://",
            "redis://:6379",
            "redis://host:",
            "redis://host:0",
            "redis://host:65536",
            "redis://host:+1",
            "redis://host/x",
            "redis://host/-1",
            "redis://host/+1",
            "redis://host/0?timeout=1",
            "redis://host/0#x",
            "redis://ho st",
            "redis://:pa/ss@host",
            "redis://:%ff@host",
        ] {
            assert_eq!(address(url), None, "{url}");
        }
    }

    #[test]
    fn secrets_are_sent_in_the_clear_to_this_machine_only() {
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
    fn the_password_is_never_shown() {
        let builder = RedisStoreBuilder::new("redis://hunter2:hunter2@127.0.0.1", "k").password("hunter2");
        let store = RedisStoreBuilder::new("redis://hunter2:hunter2@127.0.0.1", "k").user("hunter2").build().unwrap();
        let error = RedisStoreBuilder::new("redis://:hunter2@host:x", "k").build().unwrap_err();
        let shown = format!("{builder:?} {store:?} {error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    #[cfg(feature = "tls")]
    fn a_root_that_is_none_is_refused() {
        let builder = RedisStoreBuilder::new("rediss://redis.example", "k").root_certificate_der(*b"none");
        assert_eq!(builder.build().unwrap_err(), InvalidSettings::Root);
    }
}
