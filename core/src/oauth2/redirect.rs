//! The redirect that ends the browser's part of a sign-in (RFC 6749 §4.1.2).

use std::fmt;

use super::refusal::ErrorCode;
use super::words;
use crate::credentials::{Secret, check_token};
use crate::wire::form_decode;

/// The longest redirect that is read, in bytes.
const MAX_REDIRECT: usize = 64 * 1024;

/// Why a redirect cannot be exchanged for tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizationError {
    /// The text is no redirect of an authorization server. Begin a new sign-in.
    #[error("the redirect cannot be read: {what}")]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The `state` is not the one that was sent: the redirect belongs to another sign-in, or is forged. Begin a new
    /// sign-in.
    #[error("the redirect answers another sign-in")]
    State,
    /// The person took too long. Begin a new sign-in.
    #[error("the sign-in has expired")]
    Expired,
    /// A parameter occurs twice, which RFC 6749 §3.1 forbids. Begin a new sign-in.
    #[error("a parameter of the redirect is there twice")]
    Repeated,
    /// The redirect names another issuer than the profile (RFC 9207), or none although the server promised it. Tell
    /// whoever runs the server.
    #[error("the redirect comes from another server")]
    IssuerInRedirect,
    /// The server or the person refused.
    #[error("the sign-in was refused: {0}")]
    Refused(ErrorResponse),
}

/// The error in a redirect (RFC 6749 §4.1.2.1).
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    code: ErrorCode,
    name: String,
    description: Option<String>,
    uri: Option<String>,
}

impl ErrorResponse {
    /// The error code as one of the standard's.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The error code as the server wrote it, cleaned and cut to 64 characters.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's description, cleaned and cut to 200 characters. It is untrusted text.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The page that explains the error: http or https, without its query.
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.code, self.name)?;
        match &self.description {
            Some(description) => write!(f, ": {description}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorResponse")
            .field("name", &self.name)
            .field("description", &self.description)
            .field("uri", &self.uri)
            .finish()
    }
}

/// The parameters of a redirect. Their values are wiped when dropped.
pub(super) struct Redirect(Vec<(String, Secret)>);

impl Redirect {
    /// Reads a whole URI, its path and query, or its query alone.
    pub(super) fn parse(text: &str) -> Result<Self, AuthorizationError> {
        let malformed = |what| AuthorizationError::Malformed { what };
        if text.len() > MAX_REDIRECT {
            return Err(malformed("it is too long"));
        }
        let text = text.trim().split('#').next().unwrap_or_default();
        let query = match text.find(['?', '=', '&']) {
            Some(at) if text.as_bytes()[at] == b'?' => &text[at + 1..],
            Some(_) => text,
            None => return Err(malformed("it has no parameters")),
        };
        let pairs = form_decode(query).map(|pair| pair.map(|(name, value)| (name, Secret::from(value))));
        pairs.collect::<Option<_>>().map(Self).ok_or(malformed("it is not UTF-8"))
    }

    /// The value of a parameter; `None` where it is absent or occurs twice.
    fn one(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        let (_, value) = found.next()?;
        found.next().is_none().then(|| value.expose())
    }

    pub(super) fn state(&self) -> Option<&str> {
        self.one("state")
    }

    pub(super) fn issuer(&self) -> Option<&str> {
        self.one("iss")
    }

    pub(super) fn check_repeated(&self) -> Result<(), AuthorizationError> {
        let mut names: Vec<_> = self.0.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        let twice = names.windows(2).any(|pair| pair[0] == pair[1]);
        if twice { Err(AuthorizationError::Repeated) } else { Ok(()) }
    }

    /// The authorization code. An `error` wins over a code.
    pub(super) fn code(&self) -> Result<Secret, AuthorizationError> {
        let malformed = |what| AuthorizationError::Malformed { what };
        if let Some(error) = self.one("error") {
            // Servers echo what they were sent: text with the state in it is left out.
            let state = self.state().filter(|state| !state.is_empty());
            let own = |text: &&str| state.is_none_or(|state| !text.contains(state));
            return Err(AuthorizationError::Refused(ErrorResponse {
                code: ErrorCode::from(error),
                name: Some(error).filter(own).and_then(words::code).as_deref().cloned().unwrap_or_default(),
                description: self.one("error_description").filter(own).and_then(words::cleaned).as_deref().cloned(),
                uri: self.one("error_uri").filter(own).and_then(words::address),
            }));
        }
        let code = self.one("code").filter(|code| !code.is_empty()).ok_or(malformed("it has no code"))?;
        check_token(code).map_err(|_| malformed("its code has odd characters"))?;
        Ok(Secret::from(code))
    }
}
