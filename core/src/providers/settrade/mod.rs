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
mod settings;

use std::time::Duration;

pub use self::answer::{parse_refresh, parse_sign_in};
pub use self::exchange::{Exchange, MqttExchange};
pub use self::login::{InvalidLogin, Login};
pub use self::refusal::{LARGE_SKEW, server_clock};
use self::settings::NAME;
pub use self::settings::{
    BASE_URL, DEFAULT_LIFETIME, InvalidAppCode, MARGIN, SANDBOX, SANDBOX_BROKER, Settrade, UAT_URL,
};
use crate::credentials::{Credentials, LeaseId, Secret};
use crate::exchange::{Consumes, LoginOwner, Provider};
#[cfg(doc)]
use crate::mqtt::ConnectOptions;

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
    fn account_id<'a>(&self, login: &'a Login) -> Option<&'a str> {
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
    let known = have.account().id.as_str();
    if known.is_empty() { login.map(Login::app_id) } else { Some(known) }
}

#[cfg(test)]
mod tests;
