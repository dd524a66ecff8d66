//! MQTT over WebSocket on AWS IoT Core.

use std::borrow::Cow;
use std::time::Duration;

use zeroize::Zeroizing;

use super::encode::push_encoded;
use super::sigv4::{Signer, push_hex};
use crate::credentials::{AwsCredentials, Secret, Timestamp};

/// The service name that AWS IoT expects in signatures.
const SERVICE: &str = "iotdevicegateway";

/// The path at which AWS IoT accepts WebSockets.
const PATH: &str = "/mqtt";

/// How long a pre-signed address opens connections by default: 5 minutes.
const VALIDITY: Duration = Duration::from_secs(300);

/// The longest validity that signature version 4 allows: a week.
const MAX_VALIDITY: Duration = Duration::from_secs(7 * 24 * 3600);

/// The last time that `X-Amz-Date` can express, with its four digits for the year.
const LAST_MOMENT: Timestamp = Timestamp::from_unix_millis(253_402_300_799_999);

/// An MQTT broker of AWS IoT Core, for which it makes pre-signed WebSocket addresses.
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

/// Why a broker's host or region is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEndpoint {
    /// The endpoint must be a host name alone, without scheme, port or path.
    #[error("the endpoint is not the name of a host")]
    Endpoint,
    /// A region has lower-case letters, digits and hyphens alone: `us-east-1`.
    #[error("the region is not the name of an AWS region")]
    Region,
}

impl Mqtt {
    /// A broker by its host name and AWS region. The host is the account's data endpoint without scheme, port or path,
    /// in upper or lower case.
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

    /// A broker of this crate's own, unchecked. A test passes it through [`Mqtt::new`].
    #[allow(dead_code, reason = "used by providers, each of which is a feature")]
    pub(crate) const fn from_static(endpoint: &'static str, region: &'static str) -> Self {
        Self { endpoint: Cow::Borrowed(endpoint), region: Cow::Borrowed(region), validity: VALIDITY }
    }

    /// Sets how long an address opens connections: whole seconds, at least one and at most a week. The default is 300
    /// s, enough for a clock that is a little wrong, and too short for an address that leaks into a log to be useful. A
    /// connection that is open does not end with it.
    #[must_use]
    pub fn with_validity(mut self, validity: Duration) -> Self {
        self.validity = validity.clamp(Duration::from_secs(1), MAX_VALIDITY);
        self
    }

    /// The broker's host name.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The broker's AWS region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Makes a pre-signed address to open a WebSocket at: `wss://<endpoint>/mqtt?…`. It works for 300 s from `now` (see
    /// [`Mqtt::with_validity`]), but not after the credentials have expired. Make a new one for each connection.
    ///
    /// The query is signed by AWS signature version 4, with the one difference that AWS IoT requires: the session token
    /// is appended and not signed (AWS IoT developer guide, "IAM users, groups, and roles").
    ///
    /// The service compares `now` with its own clock. A time outside the years 1970 to 9999 cannot be expressed and is
    /// clamped.
    pub fn presign(&self, credentials: &AwsCredentials, now: Timestamp) -> Secret {
        let now = now.clamp(Timestamp::default(), LAST_MOMENT);
        let signer = Signer::new(now, &self.region, SERVICE);
        let session_token = credentials.session_token().expose();

        let query = self.query(&signer, credentials.access_key_id().expose());
        let signature = signer.sign_get(credentials.secret_access_key().expose(), &self.endpoint, PATH, &query);

        // Large enough even if every byte is encoded: growing would leave a copy behind.
        let room = query.len() + self.endpoint.len() + 3 * session_token.len() + 256;
        let mut url = Zeroizing::new(String::with_capacity(room));
        for part in ["wss://", &self.endpoint, PATH, "?", &query, "&X-Amz-Signature="] {
            url.push_str(part);
        }
        push_hex(&mut url, &signature);
        url.push_str("&X-Amz-Security-Token=");
        push_encoded(&mut url, session_token);
        Secret::from(url.as_str())
    }

    /// The signed part of the query, sorted by name for the canonical request.
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

/// Whether it is a host name (RFC 1123 §2.1): labels of letters, digits and inner hyphens.
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
    fn the_validity_is_clamped_to_what_aws_allows() {
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
    fn a_time_that_cannot_be_expressed_is_clamped() {
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
        assert_eq!(format!("{url:?}"), "Secret(***)");
    }
}
