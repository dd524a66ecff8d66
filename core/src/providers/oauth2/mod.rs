//! Any OAuth 2 server, described by a [`Profile`]: client credentials, password, browser and device sign-ins, and
//! refresh tokens.
//!
//! | lease | methods, cheapest first |
//! | --- | --- |
//! | access token | [`Method::Refresh`], [`Method::SignIn`] |
//!
//! A [`Login`] signs in by itself: client credentials, or a user's password where a server offers nothing else. The
//! client's secret is part of the profile, because each request to the server needs it:
//!
//! ```
//! use perennial_core::oauth2::{ClientAuth, Profile};
//! use perennial_core::providers::oauth2::{Login, OAuth2};
//! use perennial_core::{Policy, Secret, Session};
//!
//! let secret = Secret::from("from a file or the environment");
//! let profile = Profile::new("https://auth.example/token", "my-service")?.with_client_auth(ClientAuth::SecretBasic(secret));
//! let session = Session::new(OAuth2::new(profile), Login::client_credentials(), Policy::default(), 7);
//! # Ok::<(), perennial_core::oauth2::InvalidProfile>(())
//! ```
//!
//! A sign-in that needs a person, in a browser or by the device flow, runs beside the session, which is given its grant:
//!
//! ```
//! use perennial_core::oauth2::{Profile, AuthorizationRequest};
//! use perennial_core::providers::oauth2::OAuth2;
//! # use perennial_core::{Exchange, LeaseId, Now, Policy, Session, Step};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (entropy, now, seed) = ([7; 64], Now::default(), 7);
//! let profile = Profile::new("https://auth.example/token", "my-app")?
//!     .with_authorization_endpoint("https://auth.example/authorize")?;
//! let mut session = Session::new(OAuth2::new(profile.clone()), None, Policy::default(), seed);
//!
//! let wanted = AuthorizationRequest::new("http://127.0.0.1:8123/done").scopes(["offline_access"]);
//! let authorization = profile.authorize(entropy, &wanted, now)?;
//! // ... the browser opens `authorization.url()`, and comes back:
//! # let state = authorization.url().split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
//! # let redirect = format!("/done?code=4711&state={state}");
//! let mut exchange = authorization.into_pending().exchange_code(&redirect, now)?;
//! let request = exchange.start(now); // or an adapter's `run`
//! # drop(request);
//! # let response = http::Response::new(br#"{"access_token":"at-1","expires_in":60}"#.to_vec().into());
//! # let Step::Done(grant) = exchange.receive(response, now)? else { unreachable!() };
//! session.install_grant(grant, now)?;
//! assert!(session.credentials(LeaseId::Access, now).is_some());
//! # Ok(())
//! # }
//! ```

mod env;
mod exchange;
mod login;

use http::{HeaderMap, StatusCode};

pub use self::exchange::Exchange;
pub use self::login::{InvalidLogin, Login};
use crate::credentials::{Credentials, LeaseId, Secret};
use crate::exchange::{Call, Consumes, Judgement, LoginOwner, Provider};
use crate::oauth2::{Profile, Rotation, judge};

const NAME: &str = "oauth2";

/// The provider for an OAuth 2 server.
#[derive(Clone, Debug)]
pub struct OAuth2 {
    profile: Profile,
}

/// The renewal methods at an OAuth 2 server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// A new access token for the refresh token, which is used up where the server rotates.
    Refresh,
    /// New tokens for the login.
    SignIn,
}

impl OAuth2 {
    /// The provider for the server and client of this profile.
    pub fn new(profile: Profile) -> Self {
        Self { profile }
    }

    /// The profile of server and client.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }
}

impl Provider for OAuth2 {
    type Login = Login;
    type Method = Method;
    type Exchange = Exchange;

    fn name(&self) -> &'static str {
        NAME
    }

    /// The issuer, or the token endpoint where none is known, and the client id: a refresh token is bound to both.
    fn namespace(&self) -> String {
        let server = self.profile.issuer().map_or_else(|| self.profile.token_endpoint().to_string(), str::to_owned);
        format!("{server} {}", self.profile.client_id())
    }

    /// The user name of a password login. Client credentials have no account.
    fn account_id<'a>(&self, login: &'a Login) -> Option<&'a str> {
        login.username()
    }

    fn login_owner(&self, login: &Login) -> LoginOwner {
        login.owner()
    }

    fn methods(&self, lease_id: LeaseId) -> &'static [Method] {
        match lease_id {
            LeaseId::Access => &[Method::Refresh, Method::SignIn],
            LeaseId::Aws => &[],
        }
    }

    fn consumes(&self, method: Method) -> Consumes {
        match (method, self.profile.rotation()) {
            (Method::Refresh, Rotation::OneUse) => Consumes::RefreshToken,
            (Method::Refresh, Rotation::Reusable) => Consumes::Nothing,
            (Method::SignIn, _) => Consumes::LoginAttempt,
        }
    }

    fn method_name(&self, method: Method) -> &'static str {
        match method {
            Method::Refresh => "refresh",
            Method::SignIn => "sign-in",
        }
    }

    fn begin(&self, method: Method, login: Option<&Login>, have: Option<&Credentials>) -> Option<Exchange> {
        Some(Exchange::token(match method {
            Method::Refresh => self.profile.refresh(have?.refresh_token()?),
            Method::SignIn => login?.exchange(&self.profile),
        }))
    }

    /// Revokes the refresh token, then the access token (RFC 7009). `None` without a revocation endpoint.
    fn sign_out(&self, have: &Credentials) -> Option<Exchange> {
        self.profile.revoke(have).map(Exchange::revocation)
    }

    /// As RFC 6750 §3.1 has it: a 401, unless it is for want of scope or of a well-formed request, and `invalid_token`
    /// under any status of a client's error.
    fn judge(&self, _: &Call<'_>, status: StatusCode, headers: &HeaderMap) -> Judgement {
        judge(status, headers)
    }

    fn write_login(&self, login: &Login) -> Option<Secret> {
        login.write()
    }

    fn read_login(&self, text: &str) -> Option<Login> {
        Login::read(text)
    }
}

#[cfg(test)]
mod tests;
