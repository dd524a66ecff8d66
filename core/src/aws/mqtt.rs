//! MQTT over WebSocket on AWS IoT Core.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use super::encode::push_encoded;
use super::sigv4::{Signer, push_hex};
use crate::credentials::{AwsCredentials, Timestamp};

/// The name under which AWS IoT checks signatures.
const SERVICE: &str = "iotdevicegateway";

/// Where AWS IoT takes WebSockets.
const PATH: &str = "/mqtt";

/// How long a pre-signed address opens connections, unless something else is asked for.
const VALIDITY: Duration = Duration::from_secs(300);

/// The longest that signature version 4 has: a week.
const MAX_VALIDITY: Duration = Duration::from_secs(7 * 24 * 3600);

/// The last moment that `X-Amz-Date`, with its four digits for the year, can tell.
const LAST_MOMENT: Timestamp = Timestamp::from_unix_millis(253_402_300_799_999);

/// An MQTT broker of AWS IoT.
///
/// ```
/// # use perennial_core::aws::{InvalidEndpoint, Mqtt};
/// # use perennial_core::{AwsCredentials, Timestamp};
/// # fn connect(_: &str) {}
/// # fn example(credentials: &AwsCredentials, now: Timestamp) -> Result<(), InvalidEndpoint> {
/// let broker = Mqtt::new("abc123-ats.iot.eu-west-1.amazonaws.com", "eu-west-1")?;
/// let url = broker.presign(credentials, now);
/// connect(url.expose()); // a WebSocket with the subprotocol `mqtt`
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mqtt {
    endpoint: Cow<'static, str>,
    region: Cow<'static, str>,
    validity: Duration,
}

/// Why a broker is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// The endpoint must be the name of a host and nothing more: no scheme, port or path.
    #[error("the endpoint is not the name of a host")]
    Endpoint,
    /// A region has lower-case letters, digits and hyphens: `us-east-1`.
    #[error("the region is not the name of an AWS region")]
    Region,
}

impl Mqtt {
    /// A broker by the name of its host (the account's data endpoint, without scheme, port or path; its case
    /// does not matter) and its AWS region.
    pub fn new(endpoint: &str, region: &str) -> Result<Self, InvalidEndpoint> {
        if !is_host(endpoint) {
            return Err(InvalidEndpoint::Endpoint);
        }
        if !is_region(region) {
            return Err(InvalidEndpoint::Region);
        }
        Ok(Self {
            // WebSocket clients send the host in lower case, so it must be signed so.
            endpoint: endpoint.to_ascii_lowercase().into(),
            region: region.to_owned().into(),
            validity: VALIDITY,
        })
    }

    /// A broker that this crate knows. A test passes it through [`Mqtt::new`].
    #[allow(dead_code, reason = "used by providers, each of which is a feature")]
    pub(crate) const fn from_static(endpoint: &'static str, region: &'static str) -> Self {
        Self { endpoint: Cow::Borrowed(endpoint), region: Cow::Borrowed(region), validity: VALIDITY }
    }

    /// With another time during which an address opens connections: whole seconds, at least one, at most a week.
    /// The default is 300 s: enough for a clock that is a little wrong, too little for an address that leaks into
    /// a log to be of use. An open connection does not end with it.
    #[must_use]
    pub fn with_validity(mut self, validity: Duration) -> Self {
        self.validity = validity.clamp(Duration::from_secs(1), MAX_VALIDITY);
        self
    }

    /// The name of the broker's host.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The broker's AWS region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The address to open a WebSocket at: `wss://<endpoint>/mqtt?…`. It works for 300 s from `now` (see
    /// [`Mqtt::with_validity`]), and not beyond the credentials' own end: make a new one for each connection.
    ///
    /// Signature version 4 in the query, as AWS prescribes, with the one deviation that AWS IoT prescribes: the
    /// session token is not signed but appended (AWS IoT developer guide, "IAM users, groups, and roles").
    ///
    /// The service checks `now` against its own clock. A moment outside the years 1970 to 9999, which it could
    /// not be told, is moved to the nearest inside.
    pub fn presign(&self, credentials: &AwsCredentials, now: Timestamp) -> PresignedUrl {
        let now = now.clamp(Timestamp::default(), LAST_MOMENT);
        let signer = Signer::new(now, &self.region, SERVICE);
        let session_token = credentials.session_token().expose();

        let query = self.query(&signer, credentials.access_key_id().expose());
        let signature = signer.sign_get(credentials.secret_access_key().expose(), &self.endpoint, PATH, &query);

        // Large enough for every byte encoded: growing would leave a copy behind.
        let room = query.len() + self.endpoint.len() + 3 * session_token.len() + 256;
        let mut url = Zeroizing::new(String::with_capacity(room));
        for part in ["wss://", &self.endpoint, PATH, "?", &query, "&X-Amz-Signature="] {
            url.push_str(part);
        }
        push_hex(&mut url, &signature);
        url.push_str("&X-Amz-Security-Token=");
        push_encoded(&mut url, session_token);
        PresignedUrl(url)
    }

    /// What is signed of the query: sorted by name, as the canonical form wants it.
    fn query(&self, signer: &Signer<'_>, access_key_id: &str) -> Zeroizing<String> {
        let mut query = Zeroizing::new(String::with_capacity(3 * access_key_id.len() + 256));
        query.push_str("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=");
        push_encoded(&mut query, access_key_id);
        push_encoded(&mut query, "/");
        push_encoded(&mut query, &signer.scope());
        query.push_str("&X-Amz-Date=");
        query.push_str(signer.timestamp());
        query.push_str("&X-Amz-Expires=");
        query.push_str(&self.validity.as_secs().to_string());
        query.push_str("&X-Amz-SignedHeaders=host");
        query
    }
}

/// An address that opens a connection by itself: a secret. Wiped when dropped, hidden in `Debug`.
#[derive(Clone)]
pub struct PresignedUrl(Zeroizing<String>);

impl PresignedUrl {
    /// The address itself. It does not belong into a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresignedUrl(***)")
    }
}

/// RFC 1123 §2.1: labels of letters, digits and inner hyphens.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn is_region(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::{Now, Validity};

    const HOST: &str = "abc123-ats.iot.eu-west-1.amazonaws.com";

    fn credentials(session_token: &str) -> AwsCredentials {
        AwsCredentials::new("AKIDEXAMPLE", "wJalr/K7+x", session_token, Validity::unknown(Now::default())).unwrap()
    }

    #[test]
    fn only_hosts_and_regions_make_a_broker() {
        for bad in [
            "", ".", "a..b", "a.", ".a", "-a.b", "a-.b", "a b", "a/b", "a:443", "wss://a", "a?b", "a#b", "a@b",
            "a\r\nb", "a\0", "é", "a%2f",
        ] {
            assert_eq!(Mqtt::new(bad, "eu-west-1"), Err(InvalidEndpoint::Endpoint), "{bad:?}");
        }
        assert_eq!(Mqtt::new(&"a".repeat(64), "x"), Err(InvalidEndpoint::Endpoint));
        assert_eq!(Mqtt::new(&["abc"; 64].join("."), "x"), Err(InvalidEndpoint::Endpoint));
        for bad in ["", "EU-WEST-1", "eu west", "eu/west", "eu-west-1\n", "é"] {
            assert_eq!(Mqtt::new(HOST, bad), Err(InvalidEndpoint::Region), "{bad:?}");
        }
        assert!(Mqtt::new(&"a".repeat(63), "x").is_ok());
    }

    #[test]
    fn the_case_of_the_host_does_not_matter() {
        assert_eq!(Mqtt::new(&HOST.to_uppercase(), "eu-west-1"), Mqtt::new(HOST, "eu-west-1"));
    }

    #[test]
    fn the_session_token_is_appended_and_not_signed() {
        let broker = Mqtt::new(HOST, "eu-west-1").unwrap();
        let now = Timestamp::from_unix_seconds(1_440_938_160);
        let (one, other) = (broker.presign(&credentials("a+/="), now), broker.presign(&credentials("b"), now));
        let (signed, token) = one.expose().split_once("&X-Amz-Security-Token=").unwrap();
        assert_eq!(token, "a%2B%2F%3D");
        assert!(other.expose().starts_with(signed));
        assert!(signed.starts_with(&format!(
            "wss://{HOST}/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Feu-west-1%2Fiotdevicegateway%2Faws4_request\
             &X-Amz-Date=20150830T123600Z&X-Amz-Expires=300&X-Amz-SignedHeaders=host&X-Amz-Signature="
        )));
    }

    #[test]
    fn validity_is_kept_within_what_the_service_takes() {
        let expires = |validity| {
            let broker = Mqtt::new(HOST, "eu-west-1").unwrap().with_validity(validity);
            let url = broker.presign(&credentials("x"), Timestamp::default());
            let (_, rest) = url.expose().split_once("&X-Amz-Expires=").unwrap();
            rest.split('&').next().unwrap().to_owned()
        };
        assert_eq!(expires(Duration::ZERO), "1");
        assert_eq!(expires(Duration::from_millis(90_900)), "90");
        assert_eq!(expires(Duration::MAX), "604800");
    }

    #[test]
    fn moments_that_cannot_be_told_are_moved() {
        let broker = Mqtt::new(HOST, "eu-west-1").unwrap();
        let date = |millis| {
            let url = broker.presign(&credentials("x"), Timestamp::from_unix_millis(millis));
            let (_, rest) = url.expose().split_once("&X-Amz-Date=").unwrap();
            rest.split('&').next().unwrap().to_owned()
        };
        assert_eq!(date(i64::MIN), "19700101T000000Z");
        assert_eq!(date(i64::MAX), "99991231T235959Z");
    }

    #[test]
    fn an_address_hides_in_debug() {
        let broker = Mqtt::new(HOST, "eu-west-1").unwrap();
        let url = broker.presign(&credentials("hunter2"), Timestamp::default());
        assert_eq!(format!("{url:?}"), "PresignedUrl(***)");
    }
}
