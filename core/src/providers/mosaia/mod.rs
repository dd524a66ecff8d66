//! Mosaia: agents and the people and programs that use them.
//!
//! A session is begun in one of four ways, and goes on accordingly ([`SignInMethod`]):
//!
//! | begun by | how | renewed by |
//! | --- | --- | --- |
//! | a person's password | [`Login::password`] | [`Method::Refresh`], then [`Method::SignIn`] |
//! | a program's secret | [`Login::client`] | [`Method::Refresh`], then [`Method::SignIn`] |
//! | a person's consent in a browser | [`Mosaia::authorize`], then [`install_grant`](crate::Session::install_grant) | [`Method::OAuthRefresh`] |
//! | a bare access token | [`bare_token`], then [`install_grant`](crate::Session::install_grant) | nothing: a sign-in |
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
mod builder;
mod consent;
mod env;
mod exchange;
mod login;
mod method;
mod refusal;
mod request;
mod token;

use std::time::Duration;

use http::{HeaderMap, header};

pub use self::answer::{Checked, parse_refresh, parse_self, parse_sign_in, parse_sign_out};
pub use self::builder::{Builder, InvalidSettings};
use self::consent::OAuth;
pub use self::consent::{BeginError, CodeExchange, ENTROPY};
pub use self::exchange::{Check, Exchange};
use self::login::Kind;
pub use self::login::{InvalidLogin, Login};
pub use self::method::SignInMethod;
pub use self::token::bare_token;
use crate::credentials::{AccessToken, Credentials, LeaseId, Secret};
use crate::exchange::{Consumes, LoginOwner, Provider};
use crate::wire::BaseUrl;

/// Where the API is, without its version.
pub const API_URL: &str = "https://api.mosaia.ai";

/// Where people are asked for their consent.
pub const APP_URL: &str = "https://mosaia.ai";

/// The version of the API.
pub const VERSION: &str = "1";

/// How long before its deadline an access token is renewed. Clamped to a quarter of the lifetime.
pub const MARGIN: Duration = Duration::from_secs(300);

const NAME: &str = "mosaia";

/// How Mosaia is spoken to.
#[derive(Clone, Debug)]
pub struct Mosaia {
    /// With the version.
    api: BaseUrl,
    app: BaseUrl,
    client_id: Option<Box<str>>,
    oauth: OAuth,
}

/// The service's ways to renew. How a session was begun decides which of them it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `/auth/signin` with a refresh token. Rotates it.
    Refresh,
    /// `/auth/token` with a refresh token that OAuth brought. Rotates it.
    OAuthRefresh,
    /// `/auth/signin` with a password or a client's secret.
    SignIn,
}

impl Mosaia {
    /// Says where the service is and as which program it is spoken to. There is no configuration beside it.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The address of the API, with its version.
    pub fn api_url(&self) -> &str {
        self.api.as_str()
    }

    /// The address of the app, where people are asked for their consent.
    pub fn app_url(&self) -> &str {
        self.app.as_str()
    }

    /// The program's own id at the service, if it has one.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// A sign-in on its own, outside any session.
    pub fn sign_in(&self, login: &Login) -> Exchange {
        Exchange::sign_in(self.clone(), login.clone())
    }

    /// A refresh of a given token on its own, outside any session: one that a password or a client's secret
    /// brought. The service rotates: the token is spent, whatever happens to the answer.
    pub fn refresh(&self, refresh_token: &Secret) -> Exchange {
        Exchange::refresh(self.clone(), refresh_token.clone())
    }

    /// The same for a token that OAuth brought. The endpoint is `{api}/v1/auth/token`, or `{api}/auth/token` where
    /// that is missing.
    pub fn refresh_oauth(&self, refresh_token: &Secret) -> Exchange {
        Exchange::refresh_oauth(self, refresh_token, None)
    }

    /// A sign-out of a given access token on its own, outside any session. Ends in an empty grant.
    pub fn sign_out_token(&self, access: &AccessToken) -> Exchange {
        Exchange::sign_out(self.clone(), access.clone())
    }

    /// An API call that tells whom an access token speaks for, or that the service does not take it.
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

    /// The address and the client's id.
    fn namespace(&self) -> String {
        match &self.client_id {
            Some(client_id) => format!("{} {client_id}", self.api.as_str()),
            None => self.api.as_str().to_owned(),
        }
    }

    /// The e-mail address, or the client's id.
    fn user_id<'a>(&self, login: &'a Login) -> Option<&'a str> {
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

    /// A refresh token goes to the endpoint that it came from, and to no other.
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

    /// `Bearer`.
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
