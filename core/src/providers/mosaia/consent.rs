//! Sign-in in a browser: OAuth with PKCE, by a profile of [`oauth2`](crate::oauth2) for this service.

use serde::Deserialize;

use super::builder::InvalidSettings;
use super::{Mosaia, SignInMethod};
use crate::credentials::{Account, Credentials, Now, Secret};
use crate::error::Error;
use crate::exchange::{self, Request, Response, Step};
use crate::grant::Grant;
use crate::oauth2::{
    AuthorizationError, AuthorizationRequest, AuthorizationUrl, AuthorizeError, InvalidProfile, PendingAuthorization,
    Profile, ScopeSeparator, TokenRequest,
};
use crate::wire::{BaseUrl, Object, Text, TransportSecurity, parse_json};

/// How many random bytes a sign-in in a browser takes: 32 become the `state`, 96 the PKCE verifier of 128 characters.
pub const ENTROPY: usize = 128;

/// The extra field in which credentials keep the endpoint that took their refresh token last.
const TOKEN_PATH: &str = "token_path";

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
    let user_id = subject?.sub.get()?.to_owned();
    Some(Account { user_id, ..Account::default() })
}

/// Which endpoint refreshes a token. The service's own client uses the address without the version, perhaps by mistake.
/// The one with the version, which exchanges codes, is asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TokenPath {
    #[default]
    Versioned,
    Unversioned,
}

impl TokenPath {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Versioned => Self::Unversioned,
            Self::Unversioned => Self::Versioned,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Versioned => "versioned",
            Self::Unversioned => "unversioned",
        }
    }

    /// The endpoint that answered the last refresh of these credentials.
    pub(super) fn remembered(have: &Credentials) -> Self {
        match have.extra(TOKEN_PATH) {
            Some(path) if path == Self::Unversioned.name() => Self::Unversioned,
            _ => Self::Versioned,
        }
    }

    /// The grant with this endpoint among its extra fields, which are saved with the credentials: the next refresh asks
    /// there first. It goes to the end, where it wins over a field of the service with the same name.
    pub(super) fn remember(self, grant: Grant) -> Grant {
        if grant.extra.is_none() && grant.flaw.is_some() {
            // Extra fields would replace those of the credentials that are held.
            return grant;
        }
        let fields = grant.extra.as_ref().map_or("{}", Secret::expose);
        let fields = fields.trim_end().strip_suffix('}').unwrap_or("{");
        let comma = if fields.trim_end().ends_with('{') { "" } else { "," };
        // With room for all of it: growing would leave a copy behind.
        let mut extra = String::with_capacity(fields.len() + TOKEN_PATH.len() + self.name().len() + 8);
        for piece in [fields, comma, "\"", TOKEN_PATH, "\":\"", self.name(), "\"}"] {
            extra.push_str(piece);
        }
        Grant { extra: Some(Secret::from(extra)), ..grant }
    }
}

/// A profile for each of the two token endpoints.
#[derive(Clone, Debug)]
pub(super) struct OAuth {
    versioned: Profile,
    unversioned: Profile,
}

impl OAuth {
    pub(super) fn new(
        root: &BaseUrl,
        api: &BaseUrl,
        app: &BaseUrl,
        client_id: Option<&str>,
        security: &TransportSecurity,
    ) -> Result<Self, InvalidSettings> {
        // A refresh names no client, so it works without an id. For all else the profile is not given out without one.
        let client_id = client_id.unwrap_or("nobody");
        let at = |base: &BaseUrl| {
            let unusable = |error| match error {
                InvalidProfile::Url(error) => InvalidSettings::ApiUrl(error),
                _ => InvalidSettings::ClientId,
            };
            let token_endpoint = format!("{}/auth/token", base.as_str());
            let profile = Profile::new_under(&token_endpoint, client_id, security).map_err(unusable)?;
            let profile = profile
                .with_authorization_endpoint(&format!("{}/oauth", app.as_str()))
                .map_err(InvalidSettings::AppUrl)?;
            Ok(profile
                .with_scope_separator(ScopeSeparator::Comma)
                .with_absolute_expiry("exp")
                .with_clientless_refresh())
        };
        Ok(Self { versioned: at(api)?, unversioned: at(root)? })
    }

    pub(super) fn at(&self, path: TokenPath) -> &Profile {
        match path {
            TokenPath::Versioned => &self.versioned,
            TokenPath::Unversioned => &self.unversioned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::{AccessToken, Validity};

    fn credentials(extra: Option<&str>) -> Credentials {
        let access = AccessToken::new("Bearer", "a", Validity::unknown(Now::default())).unwrap();
        let grant = Grant { access: Some(access), extra: extra.map(Secret::from), ..Grant::default() };
        Credentials::from_grant(grant, None).unwrap()
    }

    #[test]
    fn the_endpoint_of_the_last_refresh_is_kept_beside_the_services_extra_fields() {
        for extra in [None, Some("{}"), Some("{ }"), Some(r#"{"sub":"s"}"#), Some(r#"{"sub":"s","token_path":1}"#)] {
            for path in [TokenPath::Versioned, TokenPath::Unversioned] {
                let grant = path.remember(Grant { extra: extra.map(Secret::from), ..Grant::default() });
                let have = credentials(grant.extra.as_ref().map(Secret::expose));
                assert_eq!(TokenPath::remembered(&have), path, "{extra:?}");
                let sub = extra.filter(|extra| extra.contains("sub")).map(|_| "s".into());
                assert_eq!(have.extra("sub"), sub, "{extra:?}");
            }
        }
        assert_eq!(TokenPath::remembered(&credentials(None)), TokenPath::Versioned);
    }
}
