//! Sign-in in a browser: OAuth with PKCE, by a profile of [`oauth2`](crate::oauth2) for this service.

use serde::Deserialize;

use super::SignInMethod;
use super::settings::Mosaia;
use super::token_path::TokenPath;
use crate::credentials::{Account, Now, Secret};
use crate::error::Error;
use crate::exchange::{self, Request, Response, Step};
use crate::grant::Grant;
use crate::oauth2::{
    AuthorizationError, AuthorizationRequest, AuthorizationUrl, AuthorizeError, PendingAuthorization, Profile,
    TokenRequest,
};
use crate::wire::{Object, Text, parse_json};

/// How many random bytes a sign-in in a browser takes: 32 become the `state`, 96 the PKCE verifier of 128 characters.
pub const ENTROPY: usize = 128;

impl Mosaia {
    /// The OAuth profile of the service, for the requests and parsers of [`oauth2`](crate::oauth2). `None` without a
    /// client id.
    pub fn profile(&self) -> Option<&Profile> {
        self.client_id()?;
        Some(self.oauth.at(TokenPath::Versioned))
    }

    /// The same with the other token endpoint for refreshes: `{api}/auth/token`, without a version.
    pub fn unversioned_profile(&self) -> Option<&Profile> {
        self.client_id()?;
        Some(self.oauth.at(TokenPath::Unversioned))
    }

    /// Begins a sign-in in a browser (authorization code with PKCE). `entropy` is random bytes that are used for
    /// nothing else. Open the [`url`](AuthorizationUrl::url), keep the [`PendingAuthorization`] until the redirect
    /// comes back, then call [`exchange_code`](Mosaia::exchange_code).
    ///
    /// ```
    /// # use perennial_core::providers::mosaia::Mosaia;
    /// # use perennial_core::{Exchange, Now};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (random, now) = ([7; 128], Now::default());
    /// use perennial_core::oauth2::AuthorizationRequest;
    ///
    /// let mosaia = Mosaia::builder().client_id("my-app").build()?;
    /// let wanted = AuthorizationRequest::new("http://127.0.0.1:8123/done").scopes(["read", "write"]);
    /// let authorization = mosaia.authorize(random, &wanted, now)?;
    /// println!("open {}", authorization.url());
    /// let pending = authorization.into_pending();
    /// # let state = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
    ///
    /// // The browser comes back with this:
    /// let redirect = format!("/done?code=4711&state={state}");
    /// let mut exchange = mosaia.exchange_code(pending, &redirect, now)?;
    /// let request = exchange.start(now); // an adapter runs the exchange: it sends this and hands back the answer
    /// # assert_eq!(format!("{request:?}"), "POST api.mosaia.ai/v1/auth/token");
    /// # Ok(())
    /// # }
    /// ```
    pub fn authorize(
        &self,
        entropy: [u8; ENTROPY],
        wanted: &AuthorizationRequest,
        now: Now,
    ) -> Result<AuthorizationUrl, BeginError> {
        let profile = self.profile().ok_or(BeginError::NoClientId)?;
        Ok(profile.authorize(entropy, wanted, now)?)
    }

    /// Checks the redirect and returns the exchange of its code for tokens. Give the resulting grant to a session by
    /// [`install_grant`](crate::Session::install_grant). As [`PendingAuthorization::exchange_code`], but the grant also
    /// has the account.
    pub fn exchange_code(
        &self,
        pending: PendingAuthorization,
        redirect: &str,
        now: Now,
    ) -> Result<CodeExchange, AuthorizationError> {
        pending.exchange_code(redirect, now).map(CodeExchange)
    }
}

/// Why a sign-in in a browser cannot be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BeginError {
    /// The settings have no client id, by which the service knows the program. See
    /// [`Builder::client_id`](super::Builder::client_id).
    #[error("the program has no client id")]
    NoClientId,
    /// The request cannot be made.
    #[error(transparent)]
    AuthorizationRequest(#[from] AuthorizeError),
}

/// The exchange of a redirect's code for tokens.
#[derive(Debug)]
pub struct CodeExchange(TokenRequest);

impl exchange::Exchange for CodeExchange {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        self.0.start(now)
    }

    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        Ok(match self.0.receive(response, now)? {
            Step::Done(grant) => {
                let account = grant.extra.as_ref().and_then(account);
                Step::Done(Grant { account, ..begun(grant) })
            }
            step => step,
        })
    }
}

/// The grant, marked as one of a session that was begun by OAuth.
pub(super) fn begun(grant: Grant) -> Grant {
    Grant { grant_type: Some(SignInMethod::OAuth.name()), ..grant }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Subject<'a> {
    #[serde(borrow)]
    sub: Text<'a>,
}

/// The account by the service's `sub`: with OAuth the program sees no e-mail address.
fn account(extra: &Secret) -> Option<Account> {
    let Object(subject) = parse_json::<Object<Subject<'_>>>(extra.expose().as_bytes()).ok()?;
    Some(Account::new(subject?.sub.get()?))
}
