//! The provider and its settings: the address, the broker and the app.

use std::time::Duration;

use crate::wire::{BaseUrl, InvalidUrl, TransportSecurity};

/// The address of the service.
pub const BASE_URL: &str = "https://open-api.settrade.com";

/// The address of the test environment (UAT), without real money.
pub const UAT_URL: &str = "https://open-api-test.settrade.com";

/// The broker id that stands for [`SANDBOX_BROKER`] at [`UAT_URL`], in upper or lower case.
pub const SANDBOX: &str = "SANDBOX";

/// The id of the broker behind [`SANDBOX`].
pub const SANDBOX_BROKER: &str = "098";

/// How long before its deadline the access token is renewed: 5 minutes, or a quarter of the lifetime if that is less.
pub const MARGIN: Duration = Duration::from_secs(300);

/// The lifetime of an access token where the service names none, or none that makes sense: one hour.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

pub(super) const NAME: &str = "settrade";

/// The provider for the Settrade Open API, for one app at one broker.
#[derive(Clone, Debug)]
pub struct Settrade {
    pub(super) base: BaseUrl,
    pub(super) broker_id: Box<str>,
    pub(super) app_code: Box<str>,
}

/// Why a broker id or an app code is refused. Both become part of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAppCode {
    /// A broker's id has letters, digits, `-`, `_` and `.`: `098`. It is the broker's number at the exchange.
    #[error("the broker id is empty or has other characters than letters, digits, -, _ and .")]
    BrokerId,
    /// An app's code has letters, digits, `-`, `_` and `.`: `ALGO`. The service shows it beside the app's id.
    #[error("the app code is empty or has other characters than letters, digits, -, _ and .")]
    AppCode,
}

impl Settrade {
    /// The provider for an app at a broker, in production. The broker [`SANDBOX`], in upper or lower case, is
    /// [`SANDBOX_BROKER`] at [`UAT_URL`]. Blanks at the ends, which get there by copying, are removed.
    pub fn new(broker_id: &str, app_code: &str) -> Result<Self, InvalidAppCode> {
        let (broker_id, app_code) = (broker_id.trim(), app_code.trim());
        if !is_segment(broker_id) {
            return Err(InvalidAppCode::BrokerId);
        }
        if !is_segment(app_code) {
            return Err(InvalidAppCode::AppCode);
        }
        let (base, broker_id) =
            if broker_id.eq_ignore_ascii_case(SANDBOX) { (UAT_URL, SANDBOX_BROKER) } else { (BASE_URL, broker_id) };
        Ok(Self { base: BaseUrl::from_static(base), broker_id: broker_id.into(), app_code: app_code.into() })
    }

    /// Uses the service's test environment, [`UAT_URL`].
    #[must_use]
    pub fn uat(mut self) -> Self {
        self.base = BaseUrl::from_static(UAT_URL);
        self
    }

    /// Sets another address, such as a proxy or an emulator: https, or http to this machine. A slash at its end does
    /// not matter.
    pub fn with_base_url(self, base_url: &str) -> Result<Self, InvalidUrl> {
        self.with_base_url_under(base_url, &TransportSecurity::new())
    }

    /// As [`with_base_url`](Self::with_base_url), where the address may use plain http as far as `security` allows it.
    pub fn with_base_url_under(mut self, base_url: &str, security: &TransportSecurity) -> Result<Self, InvalidUrl> {
        self.base = BaseUrl::parse_under(base_url, security)?;
        Ok(self)
    }

    /// The address, without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.base.as_str()
    }

    /// The broker's id.
    pub fn broker_id(&self) -> &str {
        &self.broker_id
    }

    /// The app's code.
    pub fn app_code(&self) -> &str {
        &self.app_code
    }
}

/// Whether a text is one path segment as it stands (RFC 3986 §2.3), and not `.` or `..`.
fn is_segment(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(plain) && !text.bytes().all(|byte| byte == b'.')
}
