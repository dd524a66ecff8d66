//! Mosaia, a service for AI agents: access tokens by password, client credentials, OAuth with PKCE or API key.
//!
//! A session is begun in one of four ways, which decides how it is renewed ([`SignInMethod`]):
//!
//! | begun by | how | renewed by |
//! | --- | --- | --- |
//! | a person's password | [`Login::password`] | [`Method::Refresh`], then [`Method::SignIn`] |
//! | a program's secret | [`Login::client`] | [`Method::Refresh`], then [`Method::SignIn`] |
//! | a person's consent in a browser | [`Mosaia::authorize`], then [`install_grant`](crate::Session::install_grant) | [`Method::OAuthRefresh`] |
//! | a bare access token | [`bare_token`], then [`install_grant`](crate::Session::install_grant) | [`Method::SignIn`], with a login |
//!
//! [`Mosaia`] is what a session takes. Without a session, an exchange is two calls around a transport:
//!
//! ```
//! # use perennial_core::providers::mosaia::{Login, Mosaia};
//! # use perennial_core::{Error, Exchange, Now, Request, Response, Step};
//! # fn transport(_: Request) -> Response {
//! #     let answer = r#"{"data":{"access_token":"ey.J","refresh_token":"r","sub":"s","iat":"1","exp":"9999999999"}}"#;
//! #     http::Response::new(answer.as_bytes().to_vec().into())
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let now = Now::default();
//! let mosaia = Mosaia::builder().client_id("my-app").build()?;
//! let login = Login::password("grower@example.com", "correct horse")?;
//! let mut exchange = mosaia.sign_in(&login);
//! let request = exchange.start(now);
//! let response = transport(request);
//! let Step::Done(grant) = exchange.receive(response, now)? else {
//!     unreachable!("a sign-in is one request");
//! };
//! assert!(grant.access.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! The halves of an exchange are public too: the requests are methods of [`Mosaia`], the parsers are
//! [`parse_sign_in`], [`parse_refresh`], [`parse_sign_out`] and [`parse_self`]; those of OAuth are in
//! [`oauth`](crate::oauth2) and take [`Mosaia::profile`].

mod answer;
mod consent;
mod env;
mod exchange;
mod login;
mod method;
mod refusal;
mod request;
mod settings;
mod token;
mod token_path;

use std::time::Duration;

pub use self::answer::{Checked, parse_refresh, parse_self, parse_sign_in, parse_sign_out};
pub use self::consent::{BeginError, CodeExchange, ENTROPY};
pub use self::exchange::{Check, Exchange};
use self::login::Kind;
pub use self::login::{InvalidLogin, Login};
pub use self::method::SignInMethod;
use self::settings::NAME;
pub use self::settings::{API_URL, APP_URL, Builder, InvalidSettings, MARGIN, Mosaia, VERSION};
pub use self::token::bare_token;
use crate::credentials::{AccessToken, Credentials, LeaseId, Secret};
use crate::exchange::{Consumes, LoginOwner, Provider};

/// The service's renewal methods. How a session was begun decides which of them it can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// `POST /auth/signin` with a refresh token, which the service rotates.
    Refresh,
    /// `POST /auth/token` with a refresh token of an OAuth sign-in, which the service rotates.
    OAuthRefresh,
    /// `POST /auth/signin` with a password or a client secret.
    SignIn,
}

impl Mosaia {
    /// Signs in with a login, outside any session.
    pub fn sign_in(&self, login: &Login) -> Exchange {
        Exchange::sign_in(self.clone(), login.clone())
    }

    /// Refreshes with a refresh token of a password or client sign-in, outside any session. The service rotates refresh
    /// tokens: this one is spent as soon as the request is sent, even if the answer is lost.
    pub fn refresh(&self, refresh_token: &Secret) -> Exchange {
        Exchange::refresh(self.clone(), refresh_token.clone())
    }

    /// Refreshes with a refresh token of an OAuth sign-in, outside any session. The endpoint is `{api}/v1/auth/token`,
    /// or `{api}/auth/token` where that is missing.
    pub fn refresh_oauth(&self, refresh_token: &Secret) -> Exchange {
        Exchange::refresh_oauth(self, refresh_token, None)
    }

    /// Signs out an access token at the service, outside any session. The exchange ends in an empty grant.
    pub fn sign_out_token(&self, access: &AccessToken) -> Exchange {
        Exchange::sign_out(self.clone(), access.clone())
    }

    /// An API call that tells whom an access token belongs to, or that the service does not accept it.
    pub fn check(&self, access: &AccessToken) -> Check {
        Check::new(self.clone(), access.clone())
    }
}

impl Provider for Mosaia {
    type Login = Login;
    type Method = Method;
    type Exchange = Exchange;

    fn name(&self) -> &'static str {
        NAME
    }

    /// The address and the client id.
    fn namespace(&self) -> String {
        match &self.client_id {
            Some(client_id) => format!("{} {client_id}", self.api.as_str()),
            None => self.api.as_str().to_owned(),
        }
    }

    /// The e-mail address or the client id.
    fn account_id<'a>(&self, login: &'a Login) -> Option<&'a str> {
        Some(login.name())
    }

    fn login_owner(&self, login: &Login) -> LoginOwner {
        match login.kind() {
            Kind::Password { .. } => LoginOwner::Person,
            Kind::Client { .. } => LoginOwner::Program,
        }
    }

    fn methods(&self, lease_id: LeaseId) -> &'static [Method] {
        match lease_id {
            LeaseId::Access => &[Method::Refresh, Method::OAuthRefresh, Method::SignIn],
            LeaseId::Aws => &[],
        }
    }

    fn consumes(&self, method: Method) -> Consumes {
        match method {
            Method::Refresh | Method::OAuthRefresh => Consumes::RefreshToken,
            Method::SignIn => Consumes::LoginAttempt,
        }
    }

    fn method_name(&self, method: Method) -> &'static str {
        match method {
            Method::Refresh => "refresh",
            Method::OAuthRefresh => "OAuth refresh",
            Method::SignIn => "sign-in",
        }
    }

    /// A refresh token is sent to the kind of endpoint that it came from, and to no other.
    fn begin(&self, method: Method, login: Option<&Login>, have: Option<&Credentials>) -> Option<Exchange> {
        let by_oauth = || have.and_then(SignInMethod::of) == Some(SignInMethod::OAuth);
        match method {
            Method::SignIn => Some(self.sign_in(login?)),
            Method::Refresh if !by_oauth() => Some(self.refresh(have?.refresh_token()?)),
            Method::OAuthRefresh if by_oauth() => Some(Exchange::refresh_oauth(self, have?.refresh_token()?, have)),
            Method::Refresh | Method::OAuthRefresh => None,
        }
    }

    fn sign_out(&self, have: &Credentials) -> Option<Exchange> {
        Some(self.sign_out_token(have.access()))
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
