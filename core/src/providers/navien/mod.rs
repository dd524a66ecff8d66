//! Navien Smart Control: water heaters.
//!
//! Sign-in grants two leases that run out apart: JWTs for the REST API ([`LeaseId::Access`]) and temporary AWS
//! credentials for MQTT ([`LeaseId::Aws`]). Each has its own ladder:
//!
//! | lease | rungs, cheapest first |
//! | --- | --- |
//! | access token | [`Method::Refresh`], [`Method::SignIn`] |
//! | AWS credentials | [`Method::SessionRefresh`], [`Method::SecuredSignIn`], [`Method::SignIn`] |
//!
//! [`Navien`] is what a session takes. Without a session, an exchange is two calls around a transport:
//!
//! ```
//! # use perennial_core::providers::navien::{Login, Navien};
//! # use perennial_core::{Error, Exchange, Now, Request, Response, Step};
//! # fn transport(_: Request) -> Response {
//! #     let answer = r#"{"code":200,"msg":"SUCCESS","data":{"token":{"accessToken":"ey.J"}}}"#;
//! #     http::Response::new(answer.as_bytes().to_vec().into())
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let now = Now::default();
//! let login = Login::new("grower@example.com", "correct horse")?;
//! let mut exchange = Navien::default().sign_in(&login);
//! let request = exchange.start(now);
//! let response = transport(request);
//! let Step::Done(grant) = exchange.receive(response, now)? else {
//!     unreachable!("an exchange with Navien is one request");
//! };
//! assert!(grant.access.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! The halves of an exchange are public too: the requests are methods of [`Navien`], the parsers are
//! [`parse_sign_in`], [`parse_refresh`], [`parse_session_refresh`] and [`parse_secured_sign_in`].

mod answer;
mod env;
mod exchange;
mod fields;
mod login;
mod refusal;
mod request;
mod saved;

use std::time::Duration;

use http::{HeaderMap, header};

pub use self::answer::{parse_refresh, parse_secured_sign_in, parse_session_refresh, parse_sign_in};
pub use self::exchange::Exchange;
pub use self::login::{InvalidLogin, Login};
pub use self::saved::{write_python, write_python_local};
#[cfg(feature = "aws")]
use crate::credentials::Timestamp;
use crate::credentials::{Credentials, LeaseId, Now, Secret};
use crate::error::ImportError;
use crate::exchange::{Consumes, Provider};
#[cfg(feature = "aws")]
use crate::mqtt::ConnectOptions;
use crate::store::SavedSession;
use crate::wire::{BaseUrl, InvalidUrl, TransportSecurity};

/// Where the service is.
pub const BASE_URL: &str = "https://nlus.naviensmartcontrol.com/api/v2.1";

/// Where its MQTT broker is, at AWS IoT.
pub const MQTT_ENDPOINT: &str = "a1t30mldyslmuq-ats.iot.us-east-1.amazonaws.com";

/// The AWS region of [`MQTT_ENDPOINT`].
pub const MQTT_REGION: &str = "us-east-1";

/// How long before a deadline both leases are renewed. Clamped to a quarter of the lifetime.
pub const MARGIN: Duration = Duration::from_secs(300);

/// How long an access token lives where the service does not say, or says nothing that makes sense.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

const NAME: &str = "navien";

/// How Navien Smart Control is spoken to.
#[derive(Clone, Debug)]
pub struct Navien {
    base: BaseUrl,
    authorization: Authorization,
}

/// How the access token goes into the `authorization` header of an API call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// The token alone: what the service's own programs send.
    #[default]
    Raw,
    /// `Bearer` and the token: what the service's public description says.
    Bearer,
}

/// The service's ways to renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `/auth/refresh`: a refresh token for new JWTs. Rotates the refresh token.
    Refresh,
    /// `/auth/session/refresh`: a live access token for new AWS credentials.
    SessionRefresh,
    /// `/user/secured-sign-in`: the same, older and slower.
    SecuredSignIn,
    /// `/user/sign-in`: e-mail and password for everything.
    SignIn,
}

/// The service's production address.
impl Default for Navien {
    fn default() -> Self {
        Self { base: BaseUrl::from_static(BASE_URL), authorization: Authorization::default() }
    }
}

impl Navien {
    /// At another address: a proxy, an emulator. With or without a slash at its end; https, or http to this
    /// machine.
    pub fn new(base_url: &str) -> Result<Self, InvalidUrl> {
        Self::new_under(base_url, &TransportSecurity::new())
    }

    /// At another address, which may be one of plain http where the rules of sending allow it.
    pub fn new_under(base_url: &str, security: &TransportSecurity) -> Result<Self, InvalidUrl> {
        Ok(Self { base: BaseUrl::parse_under(base_url, security)?, authorization: Authorization::default() })
    }

    /// With another form of the `authorization` header in API calls. Renewals always send the token alone: that
    /// is the only form which their endpoints are known to take.
    #[must_use]
    pub fn with_authorization(mut self, authorization: Authorization) -> Self {
        self.authorization = authorization;
        self
    }

    /// The address, without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.base.as_str()
    }

    /// The broker that the AWS credentials are for.
    #[cfg(feature = "aws")]
    pub fn mqtt() -> crate::aws::Mqtt {
        crate::aws::Mqtt::from_static(MQTT_ENDPOINT, MQTT_REGION)
    }

    /// How to open one MQTT connection now, made of the AWS credentials alone; `None` where there are none. Its
    /// address opens for 300 s (see [`Mqtt::presign`](crate::aws::Mqtt::presign)); its deadline is the AWS
    /// credentials', if that is known.
    #[cfg(feature = "aws")]
    pub fn connect_options(&self, credentials: &Credentials, now: Timestamp) -> Option<ConnectOptions> {
        let url = Self::mqtt().presign(credentials.aws()?, now);
        // The address is right by construction: a test makes a ticket of it.
        let ticket = ConnectOptions::new(url.expose()).ok()?;
        Some(ticket.with_deadline(credentials.aws_expires_at()))
    }

    /// A sign-in on its own, outside any session.
    pub fn sign_in(&self, login: &Login) -> Exchange {
        Exchange::sign_in(self.clone(), login.clone())
    }

    /// A refresh on its own, outside any session. The service rotates: the token is spent, whatever happens to
    /// the answer.
    pub fn refresh(&self, refresh_token: &Secret) -> Exchange {
        Exchange::refresh(self.clone(), refresh_token.clone())
    }
}

impl Provider for Navien {
    type Login = Login;
    type Method = Method;
    type Exchange = Exchange;

    fn name(&self) -> &'static str {
        NAME
    }

    /// The address: the service has no client ids.
    fn namespace(&self) -> String {
        self.base.as_str().to_owned()
    }

    /// The e-mail address.
    fn user_id<'a>(&self, login: &'a Login) -> Option<&'a str> {
        Some(login.email())
    }

    fn methods(&self, lease_id: LeaseId) -> &'static [Method] {
        match lease_id {
            LeaseId::Access => &[Method::Refresh, Method::SignIn],
            LeaseId::Aws => &[Method::SessionRefresh, Method::SecuredSignIn, Method::SignIn],
        }
    }

    fn consumes(&self, method: Method) -> Consumes {
        match method {
            Method::Refresh => Consumes::RefreshToken,
            Method::SessionRefresh | Method::SecuredSignIn => Consumes::Nothing,
            Method::SignIn => Consumes::LoginAttempt,
        }
    }

    /// Both AWS-only rungs show the access token.
    fn requires(&self, method: Method) -> Option<LeaseId> {
        match method {
            Method::SessionRefresh | Method::SecuredSignIn => Some(LeaseId::Access),
            Method::Refresh | Method::SignIn => None,
        }
    }

    fn method_name(&self, method: Method) -> &'static str {
        match method {
            Method::Refresh => "refresh",
            Method::SessionRefresh => "session refresh",
            Method::SecuredSignIn => "secured sign-in",
            Method::SignIn => "sign-in",
        }
    }

    fn begin(&self, method: Method, login: Option<&Login>, have: Option<&Credentials>) -> Option<Exchange> {
        match method {
            Method::SignIn => Some(self.sign_in(login?)),
            Method::Refresh => Some(self.refresh(have?.refresh_token()?)),
            Method::SessionRefresh => {
                let (user_id, have) = (user_id(login, have?)?, have?);
                Some(Exchange::session_refresh(self.clone(), user_id, have.access().clone()))
            }
            Method::SecuredSignIn => {
                let (user_id, have) = (user_id(login, have?)?, have?);
                Some(Exchange::secured_sign_in(self.clone(), user_id, have.access().clone()))
            }
        }
    }

    /// The service has no such endpoint: forgetting is local.
    fn sign_out(&self, _have: &Credentials) -> Option<Exchange> {
        None
    }

    fn authorize(&self, credentials: &Credentials, headers: &mut HeaderMap) {
        let value = match self.authorization {
            Authorization::Raw => credentials.access().raw_header(),
            Authorization::Bearer => credentials.bearer(),
        };
        headers.insert(header::AUTHORIZATION, value.clone());
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

    /// Also reads what the Python client `nwp500-python` saves; [`write_python`] writes it.
    fn read_saved_session(&self, saved: &[u8], now: Now) -> Result<SavedSession, ImportError> {
        saved::read(self.base.as_str(), saved, now)
    }
}

/// Whose access token it is. The account that came with it knows best; a session taken up from a file without
/// an e-mail address has only the login to tell.
fn user_id<'a>(login: Option<&'a Login>, have: &'a Credentials) -> Option<&'a str> {
    let known = have.account().user_id.as_str();
    if known.is_empty() { login.map(Login::email) } else { Some(known) }
}

#[cfg(test)]
mod tests;
