//! Access tokens of web sites that sign in through Auth0's pages (CIAM), with a preset for Angel Studios.
//!
//! There is no token endpoint: a sign-in requests the pages that a browser would see, and the token, a JWT, comes as a
//! cookie. There is no refresh token either: each renewal is a whole sign-in ([`Method::SignIn`]). So the token is
//! renewed early, an hour before its end by default.
//!
//! | step | request | read from the answer |
//! | --- | --- | --- |
//! | 1 | `GET {web}/auth/login` | `state`, from the page or else from a cookie |
//! | 2 | `GET {auth}/u/login/password?email&state` | a new `state`, and `_csrf_token` |
//! | 3 | `POST {auth}/u/login?state`, the login as a form | a redirect, or a page that says what is wrong |
//! | 4 | `GET` wherever the redirects lead, 10 times at most | cookies, the token among them |
//!
//! Redirects are followed to the site's own hosts only. Cookies are kept for one sign-in, each for the hosts that its
//! server named. The site wants the e-mail address and `state` in addresses; the password and the token never are in
//! one.
//!
//! [`Auth0`] is what a session takes. Without a session, a sign-in is a loop around a transport:
//!
//! ```
//! # use perennial_core::providers::auth0::{Auth0, Login};
//! # use perennial_core::{Error, Exchange, Grant, Now, Request, Response, Step};
//! # fn walk(transport: impl Fn(Request) -> Response, now: Now) -> Result<Grant, Error> {
//! # let login = Login::new("viewer@example.com", "correct horse").unwrap();
//! let mut exchange = Auth0::angel_studios().sign_in(&login);
//! let mut request = exchange.start(now);
//! loop {
//!     match exchange.receive(transport(request), now)? {
//!         Step::Send(next) => request = next,
//!         Step::Done(grant) => return Ok(grant),
//!     }
//! }
//! # }
//! ```
//!
//! Another site, by its settings:
//!
//! ```
//! # use perennial_core::providers::auth0::Auth0;
//! # fn main() -> Result<(), perennial_core::providers::auth0::InvalidSettings> {
//! let site = Auth0::builder("https://www.films.example").cookie_names(["films_jwt"]).build()?;
//! assert_eq!(site.auth_url(), "https://auth.films.example");
//! # Ok(())
//! # }
//! ```
//!
//! [`validate`] tells whether a token is still valid, without a request. [`Auth0::from_token`] makes a grant from a
//! token that was kept elsewhere.

mod cookies;
mod env;
mod exchange;
mod jwt;
mod location;
mod login;
mod page;
mod refusal;
mod request;
mod saved;
mod settings;

use std::time::Duration;

use http::{HeaderMap, header};

pub use self::exchange::Exchange;
pub use self::jwt::{JwtStatus, validate};
pub use self::login::{InvalidLogin, Login};
pub use self::page::Page;
pub use self::refusal::parse_refusal;
pub use self::saved::InvalidJwt;
use self::settings::NAME;
pub use self::settings::{
    ANGEL_BASE_URL, ANGEL_COOKIE_NAMES, ANGEL_STATE_COOKIE, Auth0, Authorization, Builder, InvalidSettings,
    MAX_REDIRECTS, REFRESH_BUFFER, USER_AGENT,
};
use crate::credentials::{Credentials, LeaseId, Now, Secret};
use crate::error::ImportError;
use crate::exchange::{Call, Consumes, Provider};
use crate::grant::Grant;
use crate::store::SavedSession;

/// The service's only renewal method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// A sign-in through the pages.
    SignIn,
}

impl Auth0 {
    /// Signs in with e-mail and password, outside any session.
    pub fn sign_in(&self, login: &Login) -> Exchange {
        Exchange::new(self.clone(), login.clone())
    }

    /// A grant from a token that was kept elsewhere, for [`install_grant`](crate::Session::install_grant). No request
    /// is made, and the account stays unknown. An expired token makes a grant too, which is renewed when it is first
    /// needed.
    pub fn from_token(&self, token: &str, now: Now) -> Result<Grant, InvalidJwt> {
        saved::grant(token, now)
    }
}

impl Provider for Auth0 {
    type Login = Login;
    type Method = Method;
    type Exchange = Exchange;

    fn name(&self) -> &'static str {
        NAME
    }

    /// The web site's address.
    fn namespace(&self) -> String {
        self.base_url().to_owned()
    }

    /// The e-mail address.
    fn account_id<'a>(&self, login: &'a Login) -> Option<&'a str> {
        Some(login.email())
    }

    fn methods(&self, lease_id: LeaseId) -> &'static [Method] {
        match lease_id {
            LeaseId::Access => &[Method::SignIn],
            LeaseId::Aws => &[],
        }
    }

    fn consumes(&self, method: Method) -> Consumes {
        match method {
            Method::SignIn => Consumes::LoginAttempt,
        }
    }

    fn method_name(&self, method: Method) -> &'static str {
        match method {
            Method::SignIn => "sign-in",
        }
    }

    fn begin(&self, method: Method, login: Option<&Login>, _have: Option<&Credentials>) -> Option<Exchange> {
        match method {
            Method::SignIn => Some(self.sign_in(login?)),
        }
    }

    /// `None`: the service cannot revoke a JWT.
    fn sign_out(&self, _have: &Credentials) -> Option<Exchange> {
        None
    }

    fn authorize(&self, _: &Call<'_>, credentials: &Credentials, headers: &mut HeaderMap) {
        match self.settings.authorization {
            Authorization::Bearer => {
                headers.insert(header::AUTHORIZATION, credentials.bearer().clone());
            }
            Authorization::Cookie => {
                let name = saved::cookie_name(credentials);
                let name = name.as_deref().or_else(|| self.cookie_names().next()).unwrap_or_default();
                cookies::put(headers, name, credentials.access().expose());
            }
        }
    }

    fn margin(&self) -> Duration {
        self.settings.refresh_buffer
    }

    fn write_login(&self, login: &Login) -> Option<Secret> {
        login.write()
    }

    fn read_login(&self, text: &str) -> Option<Login> {
        Login::read(text)
    }

    /// Also reads a bare JWT. A token that is no JWT is an error and is not imported: build the session without it, and
    /// it signs in.
    fn read_saved_session(&self, saved: &[u8], now: Now) -> Result<SavedSession, ImportError> {
        saved::read(self.base_url(), saved, now)
    }
}

#[cfg(test)]
mod tests;
