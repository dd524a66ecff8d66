//! The first half of a sign-in in a browser (authorization code with PKCE): the address to open, and what to keep until
//! the redirect comes back.

use std::fmt;

use zeroize::Zeroize;

use super::pending::PendingAuthorization;
use super::pkce::{Verifier, base64url};
use super::profile::{ParameterTarget, Profile};
use crate::credentials::{Deadline, Now};

/// How many of the random bytes become the `state`.
const STATE_BYTES: usize = 32;

/// What to ask for in a sign-in in a browser: redirect URI, scopes and further parameters.
#[derive(Clone)]
pub struct AuthorizationRequest {
    redirect_uri: String,
    scopes: Vec<String>,
    parameters: Vec<(String, String)>,
}

impl AuthorizationRequest {
    /// A request whose redirect goes to this URI, which is registered at the server for the client. A program on its
    /// user's machine takes `http://127.0.0.1:PORT/…` with any free port (RFC 8252 §7.3).
    pub fn new(redirect_uri: impl Into<String>) -> Self {
        Self { redirect_uri: redirect_uri.into(), scopes: Vec::new(), parameters: Vec::new() }
    }

    /// Adds scopes to request.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Adds a parameter to this one sign-in: `login_hint`, `prompt`, `nonce`.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }
}

/// Only the parameters' names are shown: the value of `login_hint` is an e-mail address.
impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.parameters.iter().map(|(name, _)| name).collect();
        let mut debug = f.debug_struct("AuthorizationRequest");
        debug.field("redirect_uri", &self.redirect_uri).field("scopes", &self.scopes);
        debug.field("parameters", &names).finish()
    }
}

/// Why a sign-in in a browser cannot be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// The profile has no authorization endpoint: see [`Profile::with_authorization_endpoint`].
    #[error("the server has no authorization endpoint")]
    NoEndpoint,
    /// The server's metadata lists PKCE methods without S256. Without it a sign-in in a browser is not safe.
    #[error("the server has no S256 code challenges")]
    NoS256,
    /// The redirect URI is not absolute, or has a fragment in it (RFC 6749 §3.1.2).
    #[error("the redirect URI is not absolute, or has a fragment")]
    RedirectUri,
    /// The address would have a parameter twice (RFC 6749 §3.1 forbids that): leave one out.
    #[error("a parameter would be there twice")]
    Repeated,
}

/// An authorization URL (RFC 6749 §4.1.1) to open in a browser, and what to keep until the redirect comes back.
pub struct AuthorizationUrl {
    url: String,
    pending: PendingAuthorization,
}

impl Profile {
    /// Begins a sign-in in a browser: authorization code with PKCE (RFC 6749 §4.1.1, RFC 7636 §4.3). `entropy` is 64 to
    /// 128 random bytes, checked when compiled: the first 32 become the `state`, the others the code verifier.
    pub fn authorize<const N: usize>(
        &self,
        mut entropy: [u8; N],
        wanted: &AuthorizationRequest,
        now: Now,
    ) -> Result<AuthorizationUrl, AuthorizeError> {
        const { assert!(N >= 64 && N <= 128, "a sign-in takes 64 to 128 bytes of entropy") };
        let state = base64url(&entropy[..STATE_BYTES]);
        let verifier = Verifier::from_bytes(&entropy[STATE_BYTES..]);
        entropy.zeroize();

        let endpoint = self.authorization_endpoint.as_ref().ok_or(AuthorizeError::NoEndpoint)?;
        if self.lacks_s256 {
            return Err(AuthorizeError::NoS256);
        }
        check_redirect_uri(&wanted.redirect_uri)?;
        let (challenge, scope) = (verifier.challenge(), self.joined(&wanted.scopes));
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", &*self.client_id),
            ("redirect_uri", &*wanted.redirect_uri),
            ("state", state.expose()),
            ("code_challenge", &*challenge),
            ("code_challenge_method", Verifier::METHOD),
        ];
        fields.extend(scope.as_deref().map(|scope| ("scope", scope)));
        fields.extend(self.extra(ParameterTarget::Authorization));
        fields.extend(wanted.parameters.iter().map(|(name, value)| (&**name, &**value)));
        if is_repeated(&fields) {
            return Err(AuthorizeError::Repeated);
        }
        let url = endpoint.with_query(fields);
        let pending = PendingAuthorization {
            profile: self.clone(),
            redirect_uri: (&*wanted.redirect_uri).into(),
            state,
            verifier,
            deadline: Deadline::after(now, self.pending_lifetime),
        };
        Ok(AuthorizationUrl { url, pending })
    }
}

/// Whether a name occurs twice. Only `resource` may (RFC 8707 §2).
fn is_repeated(fields: &[(&str, &str)]) -> bool {
    let mut names: Vec<_> = fields.iter().map(|(name, _)| *name).filter(|name| *name != "resource").collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

/// Absolute and without a fragment: `https://…`, `http://127.0.0.1:…`, `com.example.app:/…`.
fn check_redirect_uri(text: &str) -> Result<(), AuthorizeError> {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let named = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if named && plain { Ok(()) } else { Err(AuthorizeError::RedirectUri) }
}

impl AuthorizationUrl {
    /// The address to open in the browser. It holds no secret of the client, but it holds the `state` of this sign-in:
    /// keep it out of logs.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What to keep until the redirect comes back.
    pub fn into_pending(self) -> PendingAuthorization {
        self.pending
    }
}

impl fmt::Debug for AuthorizationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationUrl").field("pending", &self.pending).finish_non_exhaustive()
    }
}
