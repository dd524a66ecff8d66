//! The second half of a sign-in in a browser: what is kept until the redirect comes back, and the check of the
//! redirect.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::exchange::{GrantParams, TokenRequest};
use super::pkce::Verifier;
use super::profile::{IssuerInRedirect, Profile};
use super::redirect::{AuthorizationError, Redirect};
use crate::credentials::{Deadline, Now, Secret, Timestamp};
use crate::wire::{BodyBuffer, Object, Text};

/// The format version of an exported sign-in that this crate writes and reads.
const VERSION: u64 = 1;

/// A sign-in in a browser that waits for its redirect: it holds `state` and PKCE code verifier. It can be used once:
/// [`exchange_code`](Self::exchange_code) and [`export`](Self::export) take it by value.
///
/// ```compile_fail,E0382
/// # use perennial_core::{Now, oauth2::PendingAuthorization};
/// fn twice(pending: PendingAuthorization, redirect: &str, now: Now) {
///     let _ = pending.exchange_code(redirect, now);
///     let _ = pending.exchange_code(redirect, now); // used up
/// }
/// ```
pub struct PendingAuthorization {
    pub(super) profile: Profile,
    pub(super) redirect_uri: Box<str>,
    pub(super) state: Secret,
    pub(super) verifier: Verifier,
    pub(super) deadline: Deadline,
}

/// Why an exported sign-in cannot be restored. Begin a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPending {
    /// The text is damaged, or is no exported sign-in.
    #[error("it is damaged or not a sign-in that was exported")]
    Malformed,
    /// It was begun at another server or by another client.
    #[error("it belongs to another server or client")]
    OtherProfile,
    /// The person took too long.
    #[error("it has expired")]
    Expired,
}

impl PendingAuthorization {
    /// Whether a redirect belongs to this sign-in, without using the sign-in up. For a listener on loopback, which
    /// other programs may call too. It compares the `state` alone, in constant time.
    pub fn matches(&self, redirect: &str) -> bool {
        Redirect::parse(redirect).is_ok_and(|redirect| self.owns(&redirect))
    }

    /// Checks the redirect and returns the exchange of its authorization code for tokens (RFC 6749 §4.1.3, with the
    /// PKCE verifier). `redirect` is the whole URI, its path and query, or its query alone.
    ///
    /// The checks, in this order: the `state` in constant time, the time, parameters that occur twice, the issuer
    /// (RFC 9207), the server's error, the code. The first that fails is the error.
    // By value: a code is exchanged once.
    pub fn exchange_code(self, redirect: &str, now: Now) -> Result<TokenRequest, AuthorizationError> {
        let redirect = Redirect::parse(redirect)?;
        if !self.owns(&redirect) {
            return Err(AuthorizationError::State);
        }
        if self.deadline.is_past(now) {
            return Err(AuthorizationError::Expired);
        }
        redirect.check_repeated()?;
        self.check_issuer(&redirect)?;
        let code = redirect.code()?;
        let Self { profile, redirect_uri, verifier, .. } = self;
        Ok(TokenRequest::new(profile, GrantParams::Code { code, verifier, redirect_uri }))
    }

    fn owns(&self, redirect: &Redirect) -> bool {
        let state = redirect.state().unwrap_or_default();
        state.as_bytes().ct_eq(self.state.expose().as_bytes()).into()
    }

    /// RFC 9207 §2.4: the issuer must be the same, character by character.
    fn check_issuer(&self, redirect: &Redirect) -> Result<(), AuthorizationError> {
        match (redirect.issuer(), self.profile.issuer()) {
            (Some(named), Some(known)) if named == known => Ok(()),
            // Also where the profile names no issuer: there is nothing to compare with.
            (Some(_), _) => Err(AuthorizationError::IssuerInRedirect),
            (None, _) if self.profile.issuer_in_redirect == IssuerInRedirect::Promised => {
                Err(AuthorizationError::IssuerInRedirect)
            }
            (None, _) => Ok(()),
        }
    }

    /// When the sign-in expires, by the wall clock.
    pub fn expires_at(&self) -> Timestamp {
        self.deadline.wall
    }

    /// The redirect URI: where the browser comes back to.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The sign-in as a text, to keep between two web requests. It is a secret: keep it in the web session of that one
    /// browser, where nobody else can read it.
    pub fn export(self) -> Secret {
        let token_endpoint = self.profile.token_endpoint.to_string();
        let form = Form {
            pending: VERSION,
            issuer: self.profile.issuer(),
            token_endpoint: &*token_endpoint,
            client_id: &*self.profile.client_id,
            redirect_uri: &*self.redirect_uri,
            state: self.state.expose(),
            verifier: self.verifier.expose(),
            expires_at: self.deadline.wall.unix_millis(),
        };
        let mut buffer = BodyBuffer::new(usize::MAX);
        // Texts and numbers into memory: neither side can fail.
        let _ = serde_json::to_writer(&mut buffer, &form);
        Secret::from(std::str::from_utf8(buffer.finish().as_ref()).unwrap_or_default())
    }

    /// Restores what [`PendingAuthorization::export`] wrote. Delete the text before or in the same step: a sign-in is
    /// restored once.
    ///
    /// Issuer, token endpoint and client id must be those of `profile`, so that a code is never sent to another server
    /// than the one that gave it.
    #[expect(clippy::needless_pass_by_value, reason = "what is restored is used up")]
    pub fn restore(profile: &Profile, exported: Secret, now: Now) -> Result<Self, InvalidPending> {
        let malformed = |_| InvalidPending::Malformed;
        let Object(form) = serde_json::from_str::<Object<Form<Text<'_>>>>(exported.expose()).map_err(malformed)?;
        let form = form.filter(|form| form.pending == VERSION).ok_or(InvalidPending::Malformed)?;
        fn text<'a>(text: &'a Text<'_>) -> Result<&'a str, InvalidPending> {
            text.get().ok_or(InvalidPending::Malformed)
        }
        let verifier = Verifier::parse(text(&form.verifier)?).map_err(|_| InvalidPending::Malformed)?;
        let (state, redirect_uri) = (Secret::from(text(&form.state)?), text(&form.redirect_uri)?);
        let (issuer, token_endpoint) = (form.issuer.as_ref().and_then(Text::get), text(&form.token_endpoint)?);
        if issuer != profile.issuer()
            || token_endpoint != profile.token_endpoint.to_string()
            || text(&form.client_id)? != &*profile.client_id
        {
            return Err(InvalidPending::OtherProfile);
        }
        let wall = Timestamp::from_unix_millis(form.expires_at);
        // The wall clock may have been set back meanwhile: no more is left than a sign-in begun now would have.
        let left = Duration::try_from(wall.since(now.wall)).unwrap_or_default().min(profile.pending_lifetime);
        if left.is_zero() {
            return Err(InvalidPending::Expired);
        }
        let deadline = Deadline::after(now, left);
        Ok(Self { profile: profile.clone(), redirect_uri: redirect_uri.into(), state, verifier, deadline })
    }
}

/// Written with `&str`, read with [`Text`]: neither leaves copies of secrets behind.
#[derive(Serialize, Deserialize)]
struct Form<S> {
    pending: u64,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    issuer: Option<S>,
    token_endpoint: S,
    client_id: S,
    redirect_uri: S,
    state: S,
    verifier: S,
    expires_at: i64,
}

fn none<T>() -> Option<T> {
    None
}

impl fmt::Debug for PendingAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAuthorization")
            .field("profile", &self.profile)
            .field("expires_at", &self.deadline.wall)
            .finish_non_exhaustive()
    }
}
