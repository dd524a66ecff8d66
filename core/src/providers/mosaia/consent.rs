//! A person's consent in a browser: OAuth with PKCE, by the service's own profile of [`oauth`](crate::oauth2).

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

/// Random bytes for one sign-in in a browser: 32 become the `state`, 96 the verifier of 128 characters.
pub const ENTROPY: usize = 128;

/// The name under which credentials remember where their refresh token was taken last.
const TOKEN_PATH: &str = "token_path";

impl Mosaia {
    /// How OAuth is spoken with the service: what [`oauth`](crate::oauth2)'s requests and parsers take. `None`
    /// without a client id.
    pub fn profile(&self) -> Option<&Profile> {
        self.client_id()?;
        Some(self.oauth.at(TokenPath::Versioned))
    }

    /// The same with the other place where refresh tokens are taken: `{api}/auth/token`, without a version.
    pub fn unversioned_profile(&self) -> Option<&Profile> {
        self.client_id()?;
        Some(self.oauth.at(TokenPath::Unversioned))
    }

    /// Begins a sign-in in a browser, with random bytes that are used for nothing else: open the
    /// [`url`](AuthorizationUrl::url), keep the [`PendingAuthorization`] until the browser comes back, [exchange_code](Mosaia::exchange_code) it.
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
    /// let request = exchange.start(now); // an adapter's client runs the exchange to its end
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

    /// Takes what the browser came back with, and makes of its code the exchange for tokens. A session takes its
    /// grant by [`install_grant`](crate::Session::install_grant). As [`PendingAuthorization::exchange_code`], which leaves out whose grant it is.
    pub fn exchange_code(
        &self,
        pending: PendingAuthorization,
        redirect: &str,
        now: Now,
    ) -> Result<CodeExchange, AuthorizationError> {
        pending.exchange_code(redirect, now).map(CodeExchange)
    }
}

/// A sign-in in a browser cannot be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// The settings name no client id: the service would not know the program. See
    /// [`Builder::client_id`](super::Builder::client_id).
    #[error("the program has no client id")]
    NoClientId,
    /// What is wanted makes no sense.
    #[error(transparent)]
    AuthorizationRequest(#[from] AuthorizeError),
}

/// The code of a redirect, for tokens.
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

/// A grant that OAuth brought.
pub(super) fn begun(grant: Grant) -> Grant {
    Grant { grant_type: Some(SignInMethod::OAuth.name()), ..grant }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Subject<'a> {
    #[serde(borrow)]
    sub: Text<'a>,
}

/// Whom the service says it is: nobody typed an e-mail address.
fn account(extra: &Secret) -> Option<Account> {
    let Object(subject) = parse_json::<Object<Subject<'_>>>(extra.expose().as_bytes()).ok()?;
    let user_id = subject?.sub.get()?.to_owned();
    Some(Account { user_id, ..Account::default() })
}

/// Where a refresh token is taken. The service's own client leaves out the version, which may be a mistake of the
/// client: the address with it, where codes are taken, is asked first.
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

    /// Where the last refresh of these credentials was answered.
    pub(super) fn remembered(have: &Credentials) -> Self {
        match have.extra(TOKEN_PATH) {
            Some(path) if path == Self::Unversioned.name() => Self::Unversioned,
            _ => Self::Versioned,
        }
    }

    /// Has the grant remember it, and so the credentials and what is saved of them: nobody has to ask twice for
    /// what is missing. It goes to the end, where it wins over a field of the service that is called the same.
    pub(super) fn remember(self, grant: Grant) -> Grant {
        if grant.extra.is_none() && grant.flaw.is_some() {
            // What is held remembers more than this, and would lose it.
            return grant;
        }
        let told = grant.extra.as_ref().map_or("{}", Secret::expose);
        let told = told.trim_end().strip_suffix('}').unwrap_or("{");
        let comma = if told.trim_end().ends_with('{') { "" } else { "," };
        // With room for all of it: growing would leave a copy behind.
        let mut extra = String::with_capacity(told.len() + TOKEN_PATH.len() + self.name().len() + 8);
        for piece in [told, comma, "\"", TOKEN_PATH, "\":\"", self.name(), "\"}"] {
            extra.push_str(piece);
        }
        Grant { extra: Some(Secret::from(extra)), ..grant }
    }
}

/// The two profiles.
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
        // A refresh names no client, so that one goes on without an id; for all else the profile is not given out.
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
    fn the_place_of_the_last_refresh_is_remembered_beside_what_the_service_said() {
        for told in [None, Some("{}"), Some("{ }"), Some(r#"{"sub":"s"}"#), Some(r#"{"sub":"s","token_path":1}"#)] {
            for path in [TokenPath::Versioned, TokenPath::Unversioned] {
                let grant = path.remember(Grant { extra: told.map(Secret::from), ..Grant::default() });
                let have = credentials(grant.extra.as_ref().map(Secret::expose));
                assert_eq!(TokenPath::remembered(&have), path, "{told:?}");
                let sub = told.filter(|told| told.contains("sub")).map(|_| "s".into());
                assert_eq!(have.extra("sub"), sub, "{told:?}");
            }
        }
        assert_eq!(TokenPath::remembered(&credentials(None)), TokenPath::Versioned);
    }
}
