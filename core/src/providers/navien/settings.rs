//! The provider and its settings: the address, and the form of the header in API calls.

use std::time::Duration;

use crate::wire::{BaseUrl, InvalidUrl, TransportSecurity};

/// The address of the service's REST API.
pub const BASE_URL: &str = "https://nlus.naviensmartcontrol.com/api/v2.1";

/// The host of the service's MQTT broker, at AWS IoT.
pub const MQTT_ENDPOINT: &str = "a1t30mldyslmuq-ats.iot.us-east-1.amazonaws.com";

/// The AWS region of [`MQTT_ENDPOINT`].
pub const MQTT_REGION: &str = "us-east-1";

/// How long before its deadline each lease is renewed: 5 minutes, or a quarter of the lifetime if that is less.
pub const MARGIN: Duration = Duration::from_secs(300);

/// The lifetime of an access token where the service names none, or none that makes sense: one hour.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

pub(super) const NAME: &str = "navien";

/// The provider for Navien Smart Control.
#[derive(Clone, Debug)]
pub struct Navien {
    pub(super) base: BaseUrl,
    pub(super) authorization: Authorization,
}

/// The form of the `authorization` header in API calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authorization {
    /// The token alone, as the service's own programs send it.
    #[default]
    Raw,
    /// `Bearer` and the token, as the service's public documentation says.
    Bearer,
}

/// The service's production address.
impl Default for Navien {
    fn default() -> Self {
        Self { base: BaseUrl::from_static(BASE_URL), authorization: Authorization::default() }
    }
}

impl Navien {
    /// The provider at another address, such as a proxy or an emulator: https, or http to this machine. A slash at its
    /// end does not matter.
    pub fn new(base_url: &str) -> Result<Self, InvalidUrl> {
        Self::new_under(base_url, &TransportSecurity::new())
    }

    /// As [`new`](Self::new), where the address may use plain http as far as `security` allows it.
    pub fn new_under(base_url: &str, security: &TransportSecurity) -> Result<Self, InvalidUrl> {
        Ok(Self { base: BaseUrl::parse_under(base_url, security)?, authorization: Authorization::default() })
    }

    /// Sets the form of the `authorization` header in API calls. Renewals always send the token alone, the only form
    /// that their endpoints are known to accept.
    #[must_use]
    pub fn with_authorization(mut self, authorization: Authorization) -> Self {
        self.authorization = authorization;
        self
    }

    /// The address, without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.base.as_str()
    }
}
