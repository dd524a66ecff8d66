//! The first half of a sign-in in a browser: the address to open, and what is remembered until it comes back.

use std::fmt;

use zeroize::Zeroize;

use super::pending::PendingAuthorization;
use super::pkce::{Verifier, base64url};
use super::profile::{ParameterTarget, Profile};
use crate::credentials::{Deadline, Now};

/// How many bytes of the entropy become the `state`.
const STATE_BYTES: usize = 32;

/// What a sign-in in a browser is for.
#[derive(Clone)]
pub struct AuthorizationRequest {
    redirect_uri: String,
    scopes: Vec<String>,
    parameters: Vec<(String, String)>,
}

impl AuthorizationRequest {
    /// Where the browser goes afterwards: an address that the server knows the client by. On its user's machine
    /// (RFC 8252 §7.3) that is `http://127.0.0.1:PORT/…` with any free port.
    pub fn new(redirect_uri: impl Into<String>) -> Self {
        Self { redirect_uri: redirect_uri.into(), scopes: Vec::new(), parameters: Vec::new() }
    }

    /// With these scopes.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// With a parameter for this sign-in alone: `login_hint`, `prompt`, `nonce`.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }
}

/// Of the parameters their names: a hint is an e-mail address.
impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.parameters.iter().map(|(name, _)| name).collect();
        let mut debug = f.debug_struct("Wanted");
        debug.field("redirect_uri", &self.redirect_uri).field("scopes", &self.scopes);
        debug.field("parameters", &names).finish()
    }
}

/// A sign-in in a browser cannot be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// The profile has no authorization endpoint. Give it one.
    #[error("the server has no authorization endpoint")]
    NoEndpoint,
    /// The server says that it knows no S256. There is no safe sign-in in a browser with it.
    #[error("the server has no S256 code challenges")]
    NoS256,
    /// The redirect URI is not absolute, or has a fragment in it (RFC 6749 §3.1.2).
    #[error("the redirect URI is not absolute, or has a fragment")]
    RedirectUri,
    /// A parameter would be there twice.
    #[error("a parameter would be there twice")]
    Repeated,
}

/// A sign-in that a browser can begin.
pub struct AuthorizationUrl {
    url: String,
    pending: PendingAuthorization,
}

impl Profile {
    /// Begins a sign-in in a browser (RFC 6749 §4.1.1, RFC 7636 §4.3). `entropy` are 64 to 128 random bytes, which
    /// the compiler checks: 32 become the `state`, the rest the verifier.
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

/// `resource` alone may be there more than once (RFC 8707 §2).
fn is_repeated(fields: &[(&str, &str)]) -> bool {
    let mut names: Vec<_> = fields.iter().map(|(name, _)| *name).filter(|name| *name != "resource").collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

/// `https://…`, `http://127.0.0.1:…`, `com.example.app:/…`: absolute, and no fragment.
fn check_redirect_uri(text: &str) -> Result<(), AuthorizeError> {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let named = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if named && plain { Ok(()) } else { Err(AuthorizeError::RedirectUri) }
}

impl AuthorizationUrl {
    /// The address that the browser opens. It holds no secret of the client, but whoever reads it can join this
    /// one sign-in: it belongs into the browser, not into a log.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What is remembered until the browser comes back.
    pub fn into_pending(self) -> PendingAuthorization {
        self.pending
    }
}

impl fmt::Debug for AuthorizationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").field("pending", &self.pending).finish_non_exhaustive()
    }
}
