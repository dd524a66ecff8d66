//! Settrade Open API, for trading in Thailand through a broker: access tokens and MQTT connect options.
//!
//! A sign-in is signed with the app's secret, an ECDSA key, and grants an access token and a refresh token that works
//! once. There is one lease, [`LeaseId::Access`], with the methods [`Method::Refresh`] and [`Method::SignIn`]. Market
//! data comes over MQTT: [`Settrade::mqtt`] fetches [`ConnectOptions`] for one connection.
//!
//! [`Settrade`] is what a session takes. Without a session, an exchange is one or two calls around a transport:
//!
//! ```
//! # use perennial_core::providers::settrade::{Login, Settrade};
//! # use perennial_core::{Error, Exchange, Now, Request, Response, Step};
//! # fn transport(_: Request) -> Response {
//! #     let answer = r#"{"token_type":"Bearer","access_token":"ey.J","refresh_token":"r","expires_in":3600}"#;
//! #     http::Response::new(answer.as_bytes().to_vec().into())
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let now = Now::default();
//! let settrade = Settrade::new("SANDBOX", "ALGO")?;
//! let login = Login::new("app id", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")?;
//! let mut exchange = settrade.sign_in(&login);
//! let mut request = exchange.start(now);
//! let grant = loop {
//!     match exchange.receive(transport(request), now)? {
//!         Step::Done(grant) => break grant,
//!         Step::Send(corrected) => request = corrected, // signed again for the service's time
//!         Step::Again(_) => unreachable!("nobody is waited for"),
//!     }
//! };
//! assert!(grant.access.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! The halves of an exchange are public too: the requests are methods of [`Settrade`], the parsers are
//! [`parse_sign_in`], [`parse_refresh`], [`Settrade::parse_ticket`] and [`server_clock`], the signature is
//! [`Login::sign`].

mod answer;
mod env;
mod exchange;
mod login;
mod refusal;
mod request;

use std::time::Duration;

use http::{HeaderMap, header};

pub use self::answer::{parse_refresh, parse_sign_in};
pub use self::exchange::{Exchange, MqttExchange};
pub use self::login::{InvalidLogin, Login};
pub use self::refusal::{LARGE_SKEW, server_clock};
use crate::credentials::{Credentials, LeaseId, Secret};
use crate::exchange::{Consumes, LoginOwner, Provider};
#[cfg(doc)]
use crate::mqtt::ConnectOptions;
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

const NAME: &str = "settrade";

/// The provider for the Settrade Open API, for one app at one broker.
#[derive(Clone, Debug)]
pub struct Settrade {
    base: BaseUrl,
    broker_id: Box<str>,
    app_code: Box<str>,
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

/// The service's renewal methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// `POST …/refresh-token`: new tokens for a refresh token, which works once.
    Refresh,
    /// `POST …/login`: new tokens for a signature with the app's secret.
    SignIn,
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

    /// Signs in with the app's key, outside any session. If the service rejects the signature because of this machine's
    /// clock, the exchange signs once more for the time of the answer's `Date`: see [`server_clock`].
    pub fn sign_in(&self, login: &Login) -> Exchange {
        Exchange::sign_in(self.clone(), login.clone())
    }

    /// Refreshes with a refresh token, outside any session. The service rotates refresh tokens: this one is spent as
    /// soon as the request is sent, even if the answer is lost. `token_type` is that of the present access token, for
    /// answers that leave it out.
    pub fn refresh(&self, app_id: &str, refresh_token: &Secret, token_type: &str) -> Exchange {
        Exchange::refresh(self.clone(), app_id, refresh_token.clone(), token_type)
    }

    /// An exchange that fetches [`ConnectOptions`] for one MQTT connection: a dispatcher token and the broker's
    /// address. Run it before each connection, with the session's current credentials.
    ///
    /// It is no part of the sign-in, so that a dispatcher that is down stops no trading. A 401, whose kind is
    /// [`RefreshRefused`](crate::ServiceErrorKind::RefreshRefused), rejects the access token: report it to the session
    /// (`rejected`), then run the exchange again with the new credentials.
    pub fn mqtt(&self, credentials: &Credentials) -> MqttExchange {
        MqttExchange::new(self.clone(), credentials.access().clone())
    }
}

impl Provider for Settrade {
    type Login = Login;
    type Method = Method;
    type Exchange = Exchange;

    fn name(&self) -> &'static str {
        NAME
    }

    /// The address, the broker and the app.
    fn namespace(&self) -> String {
        format!("{}/{}/{}", self.base.as_str(), self.broker_id, self.app_code)
    }

    /// The app's id.
    fn user_id<'a>(&self, login: &'a Login) -> Option<&'a str> {
        Some(login.app_id())
    }

    /// The program: a rejected signature locks nobody out.
    fn login_owner(&self, _login: &Login) -> LoginOwner {
        LoginOwner::Program
    }

    fn methods(&self, lease_id: LeaseId) -> &'static [Method] {
        match lease_id {
            LeaseId::Access => &[Method::Refresh, Method::SignIn],
            LeaseId::Aws => &[],
        }
    }

    fn consumes(&self, method: Method) -> Consumes {
        match method {
            Method::Refresh => Consumes::RefreshToken,
            Method::SignIn => Consumes::LoginAttempt,
        }
    }

    fn method_name(&self, method: Method) -> &'static str {
        match method {
            Method::Refresh => "refresh",
            Method::SignIn => "sign-in",
        }
    }

    fn begin(&self, method: Method, login: Option<&Login>, have: Option<&Credentials>) -> Option<Exchange> {
        match method {
            Method::SignIn => Some(self.sign_in(login?)),
            Method::Refresh => {
                let (app_id, have) = (app_id(login, have?)?, have?);
                Some(self.refresh(app_id, have.refresh_token()?, have.access().token_type()))
            }
        }
    }

    /// `None`: the service has no endpoint for it.
    fn sign_out(&self, _have: &Credentials) -> Option<Exchange> {
        None
    }

    /// The token with its type in front.
    fn authorize(&self, credentials: &Credentials, headers: &mut HeaderMap) {
        headers.insert(header::AUTHORIZATION, credentials.bearer().clone());
    }

    fn margin(&self) -> Duration {
        MARGIN
    }

    fn write_login(&self, login: &Login) -> Option<Secret> {
        login.write()
    }

    fn read_login(&self, text: &str) -> Option<Login> {
        Login::read(text)
    }
}

/// The app id to send with a refresh token: that of its account or, where it is unknown, the login's.
fn app_id<'a>(login: Option<&'a Login>, have: &'a Credentials) -> Option<&'a str> {
    let known = have.account().user_id.as_str();
    if known.is_empty() { login.map(Login::app_id) } else { Some(known) }
}

/// Whether a text is one path segment as it stands (RFC 3986 §2.3), and not `.` or `..`.
fn is_segment(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(plain) && !text.bytes().all(|byte| byte == b'.')
}

#[cfg(test)]
mod tests;
