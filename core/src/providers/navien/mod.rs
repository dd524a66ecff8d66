//! Navien Smart Control, a service for water heaters: access tokens (JWTs) and temporary AWS credentials.
//!
//! A sign-in grants two leases that expire separately: JWTs for the REST API ([`LeaseId::Access`]) and temporary AWS
//! credentials for MQTT ([`LeaseId::Aws`]). Each has its own renewal methods:
//!
//! | lease | methods, cheapest first |
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
//! The API can refuse an access token under HTTP 200, with 401 as the `code` in the body. The session's `judge` sees no
//! body: whoever reads one says it with `rejected`.
//!
//! The halves of an exchange are public too: the requests are methods of [`Navien`], the parsers are
//! [`parse_sign_in`], [`parse_refresh`], [`parse_session_refresh`] and [`parse_secured_sign_in`].

mod account;
mod answer;
mod env;
mod exchange;
mod fields;
mod login;
mod refusal;
mod request;
mod saved;
mod settings;

use std::time::Duration;

use http::{HeaderMap, header};

pub use self::account::UserInfo;
pub use self::answer::{parse_refresh, parse_secured_sign_in, parse_session_refresh, parse_sign_in};
pub use self::exchange::Exchange;
pub use self::login::{InvalidLogin, Login};
pub use self::saved::{write_python, write_python_local};
use self::settings::NAME;
pub use self::settings::{Authorization, BASE_URL, DEFAULT_LIFETIME, MARGIN, MQTT_ENDPOINT, MQTT_REGION, Navien};
#[cfg(feature = "aws")]
use crate::credentials::Timestamp;
use crate::credentials::{Credentials, LeaseId, Now, Secret};
use crate::error::ImportError;
use crate::exchange::{Call, Consumes, Provider};
#[cfg(feature = "aws")]
use crate::mqtt::ConnectOptions;
use crate::store::SavedSession;

/// The service's renewal methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// `POST /auth/refresh`: new JWTs for a refresh token, which the service rotates.
    Refresh,
    /// `POST /auth/session/refresh`: new AWS credentials for a valid access token.
    SessionRefresh,
    /// `POST /user/secured-sign-in`: the same by an older and slower endpoint.
    SecuredSignIn,
    /// `POST /user/sign-in`: everything for e-mail and password.
    SignIn,
}

impl Navien {
    /// The MQTT broker that the AWS credentials are for.
    #[cfg(feature = "aws")]
    pub fn mqtt() -> crate::aws::Mqtt {
        crate::aws::Mqtt::from_static(MQTT_ENDPOINT, MQTT_REGION)
    }

    /// Connect options for one MQTT connection, made from the AWS credentials; `None` where there are none. The address
    /// works for 300 s (see [`Mqtt::presign`](crate::aws::Mqtt::presign)). The deadline is that of the AWS credentials,
    /// if it is known.
    #[cfg(feature = "aws")]
    pub fn connect_options(&self, credentials: &Credentials, now: Timestamp) -> Option<ConnectOptions> {
        let url = Self::mqtt().presign(credentials.aws()?, now);
        // The address is valid by construction: a test makes connect options from it.
        let options = ConnectOptions::new(url.expose()).ok()?;
        Some(options.with_deadline(credentials.aws_expires_at()))
    }

    /// Signs in with e-mail and password, outside any session.
    pub fn sign_in(&self, login: &Login) -> Exchange {
        Exchange::sign_in(self.clone(), login.clone())
    }

    /// Refreshes with a refresh token, outside any session. The service rotates refresh tokens: this one is spent as
    /// soon as the request is sent, even if the answer is lost.
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
    fn account_id<'a>(&self, login: &'a Login) -> Option<&'a str> {
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

    /// Both methods for AWS credentials alone send the access token.
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

    /// `None`: the service has no endpoint for it.
    fn sign_out(&self, _have: &Credentials) -> Option<Exchange> {
        None
    }

    fn authorize(&self, _: &Call<'_>, credentials: &Credentials, headers: &mut HeaderMap) {
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

/// The user id to send with the access token: that of its account, or the login's e-mail address where the session was
/// imported from a file without one.
fn user_id<'a>(login: Option<&'a Login>, have: &'a Credentials) -> Option<&'a str> {
    let known = have.account().id.as_str();
    if known.is_empty() { login.map(Login::email) } else { Some(known) }
}

#[cfg(test)]
mod tests;
