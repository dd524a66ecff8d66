//! Errors, in four kinds that are never mixed: the service's answer, the transport, the store, and the session's own
//! state.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use zeroize::Zeroizing;

use crate::credentials::{ImportError, LeaseId, Timestamp};
use crate::store::StoreError;

/// Why credentials could not be obtained.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The service answered with something else than a grant.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The request did not reach the service, or its answer did not arrive.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The session's store failed, so no request was sent to the service.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The session cannot renew in its present state: it is signed out or closed, or a person has to sign in.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl Error {
    /// Whether the same call can succeed later by itself.
    pub fn is_retryable(&self) -> bool {
        match self {
            // Where there is no other method, a session asks a missing endpoint again too.
            Error::Service(error) => {
                error.retry_at.is_some() || !matches!(error.outcome(), Outcome::Rejected | Outcome::Unsupported)
            }
            Error::Transport(_) => true,
            Error::Store(error) => error.is_retryable(),
            Error::Session(_) => self.retry_at().is_some(),
        }
    }

    /// Whether the service answered, whatever it said. `false` where no request was sent, or no answer arrived. An
    /// answer that was too large to be read counts as one.
    pub fn was_answered(&self) -> bool {
        match self {
            Error::Service(error) => error.was_answered(),
            Error::Transport(error) => error.kind == TransportErrorKind::TooLarge,
            Error::Store(_) | Error::Session(_) => false,
        }
    }

    /// Whether the service rejected the login: a wrong password or secret, a locked or unknown account, or a person is
    /// needed. Sending the same login again cannot help. `false` for an answer that merely grants nothing, such as an
    /// unexpected page or "too many attempts".
    pub fn refuses_login(&self) -> bool {
        matches!(self, Error::Service(error) if error.refuses_login())
    }

    /// When the session tries again by itself, by the wall clock. Until then callers get this error at once. `None`
    /// where it does not try again, and outside a session.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Error::Service(error) => error.retry_at,
            Error::Transport(error) => error.retry_at,
            Error::Store(error) => error.retry_at,
            Error::Session(
                SessionError::SignInRequired { retry_at, .. } | SessionError::CredentialsRejected { retry_at },
            ) => *retry_at,
            Error::Session(_) => None,
        }
    }

    /// What this failure means for the next attempt.
    pub fn outcome(&self) -> Outcome {
        match self {
            Error::Service(error) => error.outcome(),
            Error::Transport(error) => match error.kind {
                TransportErrorKind::NotSent => Outcome::NotProcessed,
                _ => Outcome::Indeterminate,
            },
            Error::Store(_) => Outcome::NotProcessed,
            Error::Session(_) => Outcome::Rejected,
        }
    }

    /// How long the service asked to wait (`Retry-After`, at most a day), with whatever error it came.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Service(ServiceError { kind, retry_after: other, .. }) => match *kind {
                ServiceErrorKind::RateLimited { retry_after } => retry_after,
                ServiceErrorKind::Unavailable { retry_after } => Some(retry_after),
                _ => *other,
            },
            _ => None,
        }
    }

    pub(crate) fn with_retry_at(mut self, at: Option<Timestamp>) -> Self {
        match &mut self {
            Error::Service(error) => error.retry_at = at,
            Error::Transport(error) => error.retry_at = at,
            Error::Store(error) => error.retry_at = at,
            Error::Session(
                SessionError::SignInRequired { retry_at, .. } | SessionError::CredentialsRejected { retry_at },
            ) => *retry_at = at,
            Error::Session(_) => {}
        }
        self
    }
}

/// What a failed exchange means for the next attempt: whether the service processed the request, and what to try next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service rejected the request: the session goes on to the next method. If the method consumes a login
    /// attempt, that login is not used again.
    Rejected,
    /// The service has no such endpoint: the session goes on to the next method, and looks for this endpoint again
    /// after some minutes.
    Unsupported,
    /// The service certainly did not process the request: the session tries the same method later.
    NotProcessed,
    /// The service may have processed the request: the session tries the same method later, but does not blindly repeat
    /// a one-use refresh token.
    Indeterminate,
}

/// The service answered with something else than a grant: its kind, HTTP status, error code and message.
#[derive(Clone)]
pub struct ServiceError {
    kind: ServiceErrorKind,
    status: Option<StatusCode>,
    code: Option<ServerText>,
    message: Option<ServerText>,
    retry_after: Option<Duration>,
    retry_at: Option<Timestamp>,
}

/// A text that a service sent, shared. Wiped when dropped: services repeat what they were sent.
type ServerText = Arc<Zeroizing<Box<str>>>;

/// The kind of a service's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceErrorKind {
    /// The login is wrong: e-mail, password, client secret or code. Ask for it again and call `sign_in`; the session
    /// does not try this login again.
    InvalidCredentials,
    /// The account is locked. Unlock it at the service, then call `sign_in`.
    AccountLocked,
    /// There is no such account. Correct the login and call `sign_in`.
    UserNotFound,
    /// A person has to act at the service first: sign in, consent or choose an account (OpenID Connect Core §3.1.2.6).
    /// Send the person there, then call `sign_in`, or `install_grant` with the grant that results.
    InteractionRequired,
    /// The refresh token, or the access token that a renewal was requested with, is rejected. A session with a login
    /// signs in by itself; without one, sign in again.
    RefreshRefused,
    /// Too many requests (429). The session waits by itself.
    RateLimited {
        /// The service's `Retry-After`, cut at a day.
        retry_after: Option<Duration>,
    },
    /// The service is down and says for how long (503 with `Retry-After`). The session waits by itself.
    Unavailable {
        /// The service's `Retry-After`, cut at a day.
        retry_after: Duration,
    },
    /// The service has no such endpoint (404, 405, 501). The session goes on to the next method.
    Unsupported,
    /// The service did not grant what was requested: AWS credentials that an account does not have, a device code that
    /// has expired.
    NotGranted,
    /// The answer could not be understood. The session tries again; if this lasts, the service has changed.
    Malformed {
        /// What was wrong with it.
        what: &'static str,
    },
    /// Any other failure of the service: a 5xx, an unknown code. The session tries again.
    Service,
    /// The provider's own code panicked. The session tries again after a pause.
    Panicked {
        /// In which part of the exchange.
        phase: ExchangePhase,
    },
}

/// A part of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangePhase {
    /// Making the first request: nothing was sent.
    Request,
    /// Reading an answer.
    Answer,
}

impl ServiceError {
    /// An error of this kind, without status, code or message.
    pub fn new(kind: ServiceErrorKind) -> Self {
        Self { kind, status: None, code: None, message: None, retry_after: None, retry_at: None }
    }

    /// An answer that could not be understood; `what` says what was wrong with it.
    pub fn malformed(what: &'static str) -> Self {
        Self::new(ServiceErrorKind::Malformed { what })
    }

    pub(crate) fn panicked(phase: ExchangePhase) -> Self {
        Self::new(ServiceErrorKind::Panicked { phase })
    }

    /// An exchange that had sent [`MAX_STEPS`](crate::exchange::MAX_STEPS) requests and wants one more.
    pub fn endless() -> Self {
        Self::malformed("one request after another, without an end")
    }

    /// Sets the HTTP status of the answer.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets how long the service asked to wait. `Retry-After` comes with other errors than 429 and 503 too.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Sets the service's own error code, cleaned and cut to 64 characters.
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        self.code = cleaned(code, MOST_OF_CODE).map(Arc::new);
        self
    }

    /// Sets the service's own message, cut to 200 characters and cleaned: control characters are left out, and words
    /// that may be an address or a token become `***`.
    #[must_use]
    pub fn with_message(mut self, message: &str) -> Self {
        self.message = cleaned(message, MOST_OF_MESSAGE).map(Arc::new);
        self
    }

    /// Removes the code or the message where it repeats one of these secrets: as it is, in another encoding, or cut
    /// off.
    #[must_use]
    pub fn without_echo<'a>(mut self, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        for secret in secrets {
            let matcher = SecretMatcher::of(secret);
            self.code.take_if(|code| matcher.is_in(code, MOST_OF_CODE));
            self.message.take_if(|message| matcher.is_in(message, MOST_OF_MESSAGE));
        }
        self
    }

    /// The kind of error.
    pub fn kind(&self) -> ServiceErrorKind {
        self.kind
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The service's own error code, cleaned and cut to 64 characters. It is untrusted text.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref().map(|text| &***text)
    }

    /// The service's own message, cleaned and cut to 200 characters. It is untrusted text.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref().map(|text| &***text)
    }

    fn was_answered(&self) -> bool {
        !matches!(self.kind, ServiceErrorKind::Panicked { phase: ExchangePhase::Request })
    }

    fn refuses_login(&self) -> bool {
        match self.kind {
            ServiceErrorKind::InvalidCredentials
            | ServiceErrorKind::AccountLocked
            | ServiceErrorKind::UserNotFound
            | ServiceErrorKind::InteractionRequired => true,
            ServiceErrorKind::RefreshRefused
            | ServiceErrorKind::RateLimited { .. }
            | ServiceErrorKind::Unavailable { .. }
            | ServiceErrorKind::Unsupported
            | ServiceErrorKind::NotGranted
            | ServiceErrorKind::Malformed { .. }
            | ServiceErrorKind::Service
            | ServiceErrorKind::Panicked { .. } => false,
        }
    }

    fn outcome(&self) -> Outcome {
        match self.kind {
            ServiceErrorKind::InvalidCredentials
            | ServiceErrorKind::AccountLocked
            | ServiceErrorKind::UserNotFound
            | ServiceErrorKind::InteractionRequired
            | ServiceErrorKind::NotGranted
            | ServiceErrorKind::RefreshRefused => Outcome::Rejected,
            ServiceErrorKind::Unsupported => Outcome::Unsupported,
            ServiceErrorKind::RateLimited { .. }
            | ServiceErrorKind::Unavailable { .. }
            | ServiceErrorKind::Panicked { phase: ExchangePhase::Request } => Outcome::NotProcessed,
            ServiceErrorKind::Malformed { .. }
            | ServiceErrorKind::Service
            | ServiceErrorKind::Panicked { phase: ExchangePhase::Answer } => Outcome::Indeterminate,
        }
    }
}

/// How many characters are kept of a service's code, and of its message.
const MOST_OF_CODE: usize = 64;
const MOST_OF_MESSAGE: usize = 200;

/// Cleans untrusted text for an error: printable, of `most` characters, with `***` for words that may be an address or
/// a token. Errors go into logs, and services echo what they were sent.
fn cleaned(text: &str, most: usize) -> Option<Zeroizing<Box<str>>> {
    joined(text.split_whitespace().map(|word| if is_opaque(word) { OPAQUE } else { word }), text.len(), most)
}

/// What stands for a word that is left out.
const OPAQUE: &str = "***";

/// Whether a word may be an e-mail address or a token: it has an `@`, or 16 or more bytes with a digit among them.
fn is_opaque(word: &str) -> bool {
    word.contains('@') || word.len() >= 16 && word.bytes().any(|byte| byte.is_ascii_digit())
}

/// Joins the printable parts of words by single blanks and cuts the result to `most` characters. `length` is the length
/// of the text that the words come from.
fn joined<'a>(words: impl Iterator<Item = &'a str>, length: usize, most: usize) -> Option<Zeroizing<Box<str>>> {
    // With room for all of it, even where `***` replaces a shorter word: growing would leave a copy behind.
    let room = length.saturating_mul(OPAQUE.len()).min(most.saturating_mul(4));
    let mut clean = Zeroizing::new(String::with_capacity(room));
    let mut left = most;
    for word in words {
        let mut printable = word.chars().filter(|c| is_printable(*c)).peekable();
        let blank = (!clean.is_empty() && printable.peek().is_some()).then_some(' ');
        for c in blank.into_iter().chain(printable) {
            if left == 0 {
                break;
            }
            clean.push(c);
            left -= 1;
        }
        if left == 0 {
            break;
        }
    }
    let clean = clean.trim_end();
    (!clean.is_empty()).then(|| Zeroizing::new(clean.into()))
}

/// Finds a secret in text that was cleaned, in each shape that it can have there.
struct SecretMatcher {
    /// The secret itself, cleaned of what is not printable.
    whole: Option<Zeroizing<Box<str>>>,
    /// The same where cleaning replaced some of its words, but not all, by `***`.
    masked: Option<Zeroizing<Box<str>>>,
    /// Its longest run of letters and digits, which looks the same in a form, an address or JSON. Empty if it is short.
    row: Zeroizing<Box<str>>,
}

impl SecretMatcher {
    /// Shorter runs occur in innocent text too.
    const SHORTEST_ROW: usize = 8;

    /// So many characters from a secret's beginning, where the text was cut, give nothing away.
    const SHORTEST_BEGINNING: usize = 4;

    fn of(secret: &str) -> Self {
        let whole = joined(secret.split_whitespace(), secret.len(), usize::MAX);
        let is_partly_masked = {
            let words = || secret.split_whitespace();
            words().any(is_opaque) && !words().all(is_opaque)
        };
        let masked = if is_partly_masked { cleaned(secret, usize::MAX) } else { None };
        let rows = secret.split(|c: char| !c.is_ascii_alphanumeric());
        let row = rows.max_by_key(|row| row.len()).filter(|row| row.len() >= Self::SHORTEST_ROW);
        Self { whole, masked, row: Zeroizing::new(row.unwrap_or_default().into()) }
    }

    /// Whether the secret occurs in `words`, which were cut at `most` characters.
    fn is_in(&self, words: &str, most: usize) -> bool {
        let row = (!self.row.is_empty()).then_some(&self.row);
        let shapes = [self.whole.as_ref(), self.masked.as_ref(), row];
        let mut shapes = shapes.into_iter().flatten().map(|shape| &***shape);
        let is_cut = words.chars().count() + 1 >= most;
        shapes.any(|shape| words.contains(shape) || is_cut && Self::is_begun(shape, words))
    }

    /// Whether `words` end with the beginning of `shape`.
    fn is_begun(shape: &str, words: &str) -> bool {
        let ends = shape.char_indices().map(|(start, _)| start).skip(Self::SHORTEST_BEGINNING);
        ends.map(|end| &shape[..end]).any(|beginning| words.ends_with(beginning))
    }
}

/// Neither a control character, which could move a terminal's cursor, nor a bidirectional mark, which reorders text.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ServiceErrorKind::InvalidCredentials => f.write_str("the service refused the login")?,
            ServiceErrorKind::AccountLocked => f.write_str("the account is locked")?,
            ServiceErrorKind::UserNotFound => f.write_str("the service knows no such account")?,
            ServiceErrorKind::InteractionRequired => f.write_str("a person has to act at the service")?,
            ServiceErrorKind::RefreshRefused => f.write_str("the service refused to renew")?,
            ServiceErrorKind::RateLimited { .. } => f.write_str("the service asks for fewer requests")?,
            ServiceErrorKind::Unavailable { .. } => f.write_str("the service is down for a while")?,
            ServiceErrorKind::Unsupported => f.write_str("the service has no such endpoint")?,
            ServiceErrorKind::NotGranted => f.write_str("the service did not grant what was asked for")?,
            ServiceErrorKind::Malformed { what } => write!(f, "the service's answer was not understood: {what}")?,
            ServiceErrorKind::Service => f.write_str("the service failed")?,
            ServiceErrorKind::Panicked { phase: ExchangePhase::Request } => {
                f.write_str("the provider's code panicked before it asked the service")?;
            }
            ServiceErrorKind::Panicked { phase: ExchangePhase::Answer } => {
                f.write_str("the provider's code panicked at the service's answer")?;
            }
        }
        if let Some(status) = self.status {
            write!(f, " (HTTP {})", status.as_u16())?;
        }
        if let Some(code) = self.code() {
            write!(f, " [{code}]")?;
        }
        match self.message() {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceError")
            .field("kind", &self.kind)
            .field("status", &self.status)
            .field("code", &self.code())
            .field("message", &self.message())
            .finish_non_exhaustive()
    }
}

impl std::error::Error for ServiceError {}

/// The request did not reach the service, or its answer did not arrive. The session tries again by itself.
#[derive(Clone, Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    retry_at: Option<Timestamp>,
}

/// How far the request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// Nothing was sent, for certain: no such name, connection refused, certificate not trusted.
    NotSent,
    /// The request may have been sent and processed.
    MaybeSent,
    /// The request's timeout passed. It may have been sent and processed.
    TimedOut,
    /// The answer was larger than the request allows. The request was processed.
    TooLarge,
}

impl TransportError {
    /// An error of this kind, without a source.
    pub fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None, retry_at: None }
    }

    /// An error with this source, where nothing was sent for certain.
    pub fn not_sent(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(TransportErrorKind::NotSent).with_source(source)
    }

    /// An error with this source, where the request may have been sent.
    pub fn maybe_sent(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(TransportErrorKind::MaybeSent).with_source(source)
    }

    /// Sets what caused it. Its text is shown: it must hold no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// How far the request got.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::NotSent => "the service could not be reached",
            TransportErrorKind::MaybeSent => "the connection failed before the answer was complete",
            TransportErrorKind::TimedOut => "the service did not answer in time",
            TransportErrorKind::TooLarge => "the service's answer was too large",
        })
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Why the session cannot renew in its present state. Somebody has to act, unless there is a `retry_at`.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Every renewal method has failed for good. Call `sign_in` with a login that works.
    #[error("a new sign-in is required")]
    SignInRequired {
        /// The service's last error.
        #[source]
        source: Option<Arc<Error>>,
        /// When the session tries once more by itself, by the wall clock: the last answers to the login were neither a
        /// grant nor a rejection, and it is not sent again before. `None` where the login was rejected.
        retry_at: Option<Timestamp>,
    },
    /// The service's API rejected newly issued credentials, more than once. Find out what it misses (a scope, an
    /// audience, a correct clock). `sign_in` tries another login at once.
    #[error("the service's API refuses the credentials that the service issues")]
    CredentialsRejected {
        /// When the session requests new ones, by the wall clock.
        retry_at: Option<Timestamp>,
    },
    /// The session has neither credentials nor a login. Give it one with `sign_in`.
    #[error("there is no login to sign in with")]
    NoLogin,
    /// Signed out, by this session or by another one on the same store. It stays so until `sign_in`, `sign_in_again` or
    /// `install_grant` in one of them.
    #[error("the session is signed out")]
    SignedOut,
    /// The service does not offer such credentials: its provider has no method for this lease.
    #[error("this service gives no {lease_id}")]
    NotOffered {
        /// The lease that was requested.
        lease_id: LeaseId,
    },
    /// A longer remaining lifetime was requested than this service's credentials have. Request less.
    #[error("the service's credentials never live that long")]
    LifetimeTooShort,
    /// The session was closed, or its driver has ended and cannot be started again here.
    #[error("the session is closed")]
    Closed,
    /// A saved session could not be imported.
    #[error("the saved session cannot be used")]
    SavedSession(#[from] ImportError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_code_and_message_are_cleaned_and_cut() {
        let error = ServiceError::new(ServiceErrorKind::Service)
            .with_status(StatusCode::BAD_GATEWAY)
            .with_code("E\u{1b}[31m1")
            .with_message(&format!(" no\r\n{} ", "é".repeat(500)));
        assert_eq!(error.message().unwrap().chars().count(), 200);
        assert!(error.to_string().starts_with("the service failed (HTTP 502) [E[31m1]: no éé"));
        assert_eq!(ServiceError::new(ServiceErrorKind::Service).with_message("\n").message(), None);
    }

    #[test]
    fn addresses_and_tokens_in_messages_are_masked() {
        let words = "user a@b.example with  eyJhbGciOiJIUzI1NiJ9.e30 is INVALID_CREDENTIALS";
        let error = ServiceError::new(ServiceErrorKind::Service).with_message(words);
        assert_eq!(error.message(), Some("user *** with *** is INVALID_CREDENTIALS"));
    }

    #[test]
    fn a_message_that_repeats_a_secret_is_removed() {
        let error = ServiceError::new(ServiceErrorKind::Service).with_code("E1").with_message("no hunter2 here");
        let error = error.without_echo(["", "hunter2"]);
        assert_eq!((error.code(), error.message()), (Some("E1"), None));
    }

    #[test]
    fn a_repeated_secret_is_found_in_another_encoding_and_where_it_is_cut_off() {
        let left = |secret: &str, words: &str| {
            let error = ServiceError::new(ServiceErrorKind::Service).with_message(words);
            error.without_echo([secret]).message().map(str::to_owned)
        };
        let secret = "pass\"word&beginning";
        for echo in ["pass\\\"word&beginning", "pass%22word%26beginning", "pass&quot;word&amp;beginning"] {
            let left = left(secret, &format!("bad body: {echo}"));
            assert!(left.as_ref().is_none_or(|words| !words.contains("beginning")), "{echo}: {left:?}");
        }
        // A blank, a word that is masked, a character that is not printable.
        assert_eq!(left("two  words", "not two words"), None);
        assert_eq!(left("two me@x.example", "not \"two me@x.example\""), None);
        assert_eq!(left("t\u{200b}wo", "not two"), None);
        // Cut off in the middle; innocent words, cut or not, stay.
        let filler = "x ".repeat(97);
        assert_eq!(left("open,sesame", &format!("{filler}open,sesame")), None);
        assert!(left("open,sesame", &format!("{filler}else and more")).is_some());
        assert!(left("open,sesame", "the password is not open").is_some());
        assert!(left("eyJhbGciOiJIUzI1NiJ9.e30", "token eyJhbGciOiJIUzI1NiJ9.e30 expired").is_some());
    }

    #[test]
    fn display_and_source_do_not_repeat_each_other() {
        let error = TransportError::new(TransportErrorKind::NotSent).with_source("connection refused");
        assert_eq!(error.to_string(), "the service could not be reached");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "connection refused");
    }

    #[test]
    fn each_error_says_whether_the_service_answered_and_whether_it_rejected_the_login() {
        let service = |kind| Error::from(ServiceError::new(kind));
        for kind in [
            ServiceErrorKind::InvalidCredentials,
            ServiceErrorKind::AccountLocked,
            ServiceErrorKind::UserNotFound,
            ServiceErrorKind::InteractionRequired,
        ] {
            assert!(service(kind).was_answered() && service(kind).refuses_login(), "{kind:?}");
        }
        for kind in [
            ServiceErrorKind::RefreshRefused,
            ServiceErrorKind::RateLimited { retry_after: None },
            ServiceErrorKind::Unavailable { retry_after: Duration::ZERO },
            ServiceErrorKind::Unsupported,
            ServiceErrorKind::NotGranted,
            ServiceErrorKind::Malformed { what: "x" },
            ServiceErrorKind::Service,
        ] {
            assert!(service(kind).was_answered() && !service(kind).refuses_login(), "{kind:?}");
        }
        for (phase, answered) in [(ExchangePhase::Request, false), (ExchangePhase::Answer, true)] {
            let error = Error::from(ServiceError::panicked(phase));
            assert_eq!((error.was_answered(), error.refuses_login()), (answered, false), "{phase:?}");
        }
        for (kind, answered) in [
            (TransportErrorKind::NotSent, false),
            (TransportErrorKind::MaybeSent, false),
            (TransportErrorKind::TimedOut, false),
            (TransportErrorKind::TooLarge, true),
        ] {
            let error = Error::from(TransportError::new(kind));
            assert_eq!((error.was_answered(), error.refuses_login()), (answered, false), "{kind:?}");
        }
        assert!(!Error::from(SessionError::SignedOut).was_answered());
    }

    #[test]
    fn only_refusals_are_final() {
        assert!(Error::from(TransportError::new(TransportErrorKind::TimedOut)).is_retryable());
        assert!(Error::from(ServiceError::malformed("x")).is_retryable());
        assert!(!Error::from(ServiceError::new(ServiceErrorKind::InvalidCredentials)).is_retryable());
        let missing = Error::from(ServiceError::new(ServiceErrorKind::Unsupported));
        assert!(!missing.is_retryable());
        assert!(missing.with_retry_at(Some(Timestamp::default())).is_retryable(), "a session tries it again");
        assert!(!Error::from(SessionError::SignedOut).is_retryable());
    }
}
