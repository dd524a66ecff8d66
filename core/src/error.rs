//! What can go wrong, in four families that are never mixed: what the service said, what the transport did, what
//! the store did, and what stands in the session's way.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use zeroize::Zeroizing;

use crate::credentials::{ImportError, LeaseId, Timestamp};
use crate::store::StoreError;

/// Any failure to get credentials.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The service answered, and it was no grant.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The request or its answer did not get through.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The store of the session failed, and nothing was asked of the service.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The session cannot ask: something has to be done first.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl Error {
    /// Whether the same call can succeed later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            // A session asks a missing endpoint again, too, where there is no other way.
            Error::Service(error) => {
                error.retry_at.is_some() || !matches!(error.outcome(), Outcome::Rejected | Outcome::Unsupported)
            }
            Error::Transport(_) => true,
            Error::Store(error) => error.is_retryable(),
            Error::Session(_) => self.retry_at().is_some(),
        }
    }

    /// Whether the service was heard: an answer came, whatever it said. `false` where the request or its answer did not
    /// get through, and where nothing was asked. An answer that is too large to be read is one, too.
    pub fn was_answered(&self) -> bool {
        match self {
            Error::Service(error) => error.was_answered(),
            Error::Transport(error) => error.kind == TransportErrorKind::TooLarge,
            Error::Store(_) | Error::Session(_) => false,
        }
    }

    /// Whether the service said no to whoever signs in: a wrong password or secret, a locked or unknown account,
    /// a person is needed. To show the same login again cannot help. An answer that only grants nothing (an odd page,
    /// "too many attempts", a rule of the service) leaves that open.
    pub fn refuses_login(&self) -> bool {
        matches!(self, Error::Service(error) if error.refuses_login())
    }

    /// When the session tries again by itself, by the wall clock. Until then callers get this same error at
    /// once; `None` where it does not try again, or outside a session.
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

    /// What this failure means for the ladder.
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

    /// How long the service asked to be left alone, whatever else it said.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Service(ServiceError { kind, retry_after: told, .. }) => match *kind {
                ServiceErrorKind::RateLimited { retry_after } => retry_after,
                ServiceErrorKind::Unavailable { retry_after } => Some(retry_after),
                _ => *told,
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

/// What a failed exchange means for the renewal ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service said no: the next rung; on a rung that spends the login, that login is not used again.
    Rejected,
    /// The service has no such endpoint: this rung is left out for good.
    Unsupported,
    /// Certainly nothing happened: the same rung, later.
    NotProcessed,
    /// Everything else, the request may have been carried out: the same rung, later, but a one-use token is
    /// not blindly repeated.
    Indeterminate,
}

/// The service answered, and it was no grant.
#[derive(Clone)]
pub struct ServiceError {
    kind: ServiceErrorKind,
    status: Option<StatusCode>,
    code: Option<Words>,
    message: Option<Words>,
    retry_after: Option<Duration>,
    retry_at: Option<Timestamp>,
}

/// A service's words, shared. Wiped: services repeat what they were sent.
type Words = Arc<Zeroizing<Box<str>>>;

/// What kind of no it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceErrorKind {
    /// Wrong e-mail, password or secret. Ask for them again and call `sign_in`; this login is not tried again.
    InvalidCredentials,
    /// The account is locked. Unlock it at the service, then call `sign_in`.
    AccountLocked,
    /// There is no such account. Correct the login and call `sign_in`.
    UserNotFound,
    /// A person has to act at the service first: sign in again, consent, choose an account (OpenID Connect Core
    /// §3.1.2.6). Send the person there, then call `sign_in`, or `install_grant` with what that brought.
    InteractionRequired,
    /// The token with which a renewal was asked for is refused. A session with a login signs in by itself;
    /// without one, sign in again.
    RefreshRefused,
    /// Too many requests (429). The session waits by itself.
    RateLimited {
        /// The service's `Retry-After`, within bounds.
        retry_after: Option<Duration>,
    },
    /// Down, and it said for how long (503 with `Retry-After`). The session waits by itself.
    Unavailable {
        /// The service's `Retry-After`, within bounds.
        retry_after: Duration,
    },
    /// The service has no such endpoint (404, 405, 501). The session takes its next way.
    Unsupported,
    /// It granted, but not what was needed: an account without AWS credentials, for instance.
    NotGranted,
    /// The answer could not be understood. The session tries again; if it stays so, the service has changed.
    Malformed {
        /// What was wrong with it.
        what: &'static str,
    },
    /// Any other failure of the service: a 5xx, an unknown code. The session tries again.
    Service,
    /// The provider's own code panicked: it is at fault, not the service. The session tries again after a pause.
    Panicked {
        /// At what.
        phase: ExchangePhase,
    },
}

/// What an exchange was at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangePhase {
    /// Its first request: nothing was sent.
    Request,
    /// An answer.
    Answer,
}

impl ServiceError {
    /// A failure of this kind, with nothing more known.
    pub fn new(kind: ServiceErrorKind) -> Self {
        Self { kind, status: None, code: None, message: None, retry_after: None, retry_at: None }
    }

    /// An answer that could not be understood.
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

    /// With the HTTP status of the answer.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// With how long the service asked to be left alone: `Retry-After` comes with other failures than 429 and 503, too.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// With the service's own error code, cleaned and cut.
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        self.code = cleaned(code, MOST_OF_CODE).map(Arc::new);
        self
    }

    /// With the service's own words, cleaned of control characters and cut.
    #[must_use]
    pub fn with_message(mut self, message: &str) -> Self {
        self.message = cleaned(message, MOST_OF_MESSAGE).map(Arc::new);
        self
    }

    /// Without code or message where they repeat one of these: as it is, in another encoding, or cut off.
    #[must_use]
    pub fn without_echo<'a>(mut self, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        for secret in secrets {
            let echo = Echo::of(secret);
            self.code.take_if(|code| echo.is_in(code, MOST_OF_CODE));
            self.message.take_if(|message| echo.is_in(message, MOST_OF_MESSAGE));
        }
        self
    }

    /// What kind of no it was.
    pub fn kind(&self) -> ServiceErrorKind {
        self.kind
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The service's own error code.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref().map(|words| &***words)
    }

    /// The service's own words, cleaned and cut.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref().map(|words| &***words)
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

/// How many characters of a service's code and message are kept.
const MOST_OF_CODE: usize = 64;
const MOST_OF_MESSAGE: usize = 200;

/// Untrusted text for an error: printable, of bounded length, without what may be an address or a token. Errors go
/// into logs, and services echo what they were sent.
fn cleaned(text: &str, most: usize) -> Option<Zeroizing<Box<str>>> {
    joined(text.split_whitespace().map(|word| if is_opaque(word) { OPAQUE } else { word }), text.len(), most)
}

/// What stands for a word that is not shown.
const OPAQUE: &str = "***";

/// What may be an address or a token.
fn is_opaque(word: &str) -> bool {
    word.contains('@') || word.len() >= 16 && word.bytes().any(|byte| byte.is_ascii_digit())
}

/// What is printable of words, with one blank between two, cut. `length` is that of the text that they are from.
fn joined<'a>(words: impl Iterator<Item = &'a str>, length: usize, most: usize) -> Option<Zeroizing<Box<str>>> {
    // With room for all of it, a short word that became a longer mark included: growing would leave a copy behind.
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

/// What a secret looks like in words that were cleaned.
struct Echo {
    whole: Option<Zeroizing<Box<str>>>,
    /// The same with some of its words taken out.
    masked: Option<Zeroizing<Box<str>>>,
    /// Its longest row of letters and digits, which stays as it is in any form, address or JSON.
    row: Zeroizing<Box<str>>,
}

impl Echo {
    /// Shorter rows stand in innocent words, too.
    const SHORTEST_ROW: usize = 8;

    /// A beginning as short as this tells nobody anything.
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

    /// `most` is where the words were cut.
    fn is_in(&self, words: &str, most: usize) -> bool {
        let row = (!self.row.is_empty()).then_some(&self.row);
        let shapes = [self.whole.as_ref(), self.masked.as_ref(), row];
        let mut shapes = shapes.into_iter().flatten().map(|shape| &***shape);
        let is_cut = words.chars().count() + 1 >= most;
        shapes.any(|shape| words.contains(shape) || is_cut && Self::is_begun(shape, words))
    }

    /// Whether the words end with a beginning of it.
    fn is_begun(shape: &str, words: &str) -> bool {
        let ends = shape.char_indices().map(|(start, _)| start).skip(Self::SHORTEST_BEGINNING);
        ends.map(|end| &shape[..end]).any(|beginning| words.ends_with(beginning))
    }
}

/// Control characters move a terminal's cursor; bidirectional marks reorder what is read.
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

/// The request or its answer did not get through. All of them pass by themselves; the session tries again.
#[derive(Clone, Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    retry_at: Option<Timestamp>,
}

/// How far the request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// Provably nothing was sent: no such name, connection refused, certificate not trusted.
    NotSent,
    /// It may have been sent, and carried out.
    MaybeSent,
    /// The request's deadline passed. It may have been carried out.
    TimedOut,
    /// The answer was larger than the request allows. It was carried out.
    TooLarge,
}

impl TransportError {
    /// A failure of this kind.
    pub fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None, retry_at: None }
    }

    /// Provably nothing was sent, because of this.
    pub fn not_sent(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(TransportErrorKind::NotSent).with_source(source)
    }

    /// It may have been sent, and failed because of this.
    pub fn maybe_sent(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(TransportErrorKind::MaybeSent).with_source(source)
    }

    /// With what caused it. Its text must hold no secret: it is shown.
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

/// What stands in the session's way. None of these passes by itself, but for those with a `retry_at`.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Every way to renew is used up. Call `sign_in` with a login that works.
    #[error("a new sign-in is required")]
    SignInRequired {
        /// What the service said last.
        #[source]
        source: Option<Arc<Error>>,
        /// When the session tries once more by itself, by the wall clock: the login was answered with something that
        /// is neither a grant nor a refusal, and is not shown again before. `None` where it was refused.
        retry_at: Option<Timestamp>,
    },
    /// The service's API refused credentials right after the service had issued them, more than once. Look at what
    /// the API wants of them (a scope, an audience, a clock); `sign_in` tries another login at once.
    #[error("the service's API refuses the credentials that the service issues")]
    CredentialsRejected {
        /// When new ones are asked for, by the wall clock.
        retry_at: Option<Timestamp>,
    },
    /// The session has neither credentials nor a login. Give it one with `sign_in`.
    #[error("there is no login to sign in with")]
    NoLogin,
    /// Signed out, here or by another session on the same store. It stays so until `sign_in`, `sign_in_again` or
    /// `install_grant`, here or there.
    #[error("the session is signed out")]
    SignedOut,
    /// The service has no such credentials. Ask for something else.
    #[error("this service gives no {lease_id}")]
    NotOffered {
        /// What was asked for.
        lease_id: LeaseId,
    },
    /// Credentials of this service never live so long. Ask for less.
    #[error("the service's credentials never live that long")]
    LifetimeTooShort,
    /// The handle was closed, or what drove it is gone and cannot be started here.
    #[error("the session is closed")]
    Closed,
    /// A saved session could not be taken up.
    #[error("the saved session cannot be used")]
    SavedSession(#[from] ImportError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_words_are_cleaned_and_cut() {
        let error = ServiceError::new(ServiceErrorKind::Service)
            .with_status(StatusCode::BAD_GATEWAY)
            .with_code("E\u{1b}[31m1")
            .with_message(&format!(" no\r\n{} ", "é".repeat(500)));
        assert_eq!(error.message().unwrap().chars().count(), 200);
        assert!(error.to_string().starts_with("the service failed (HTTP 502) [E[31m1]: no éé"));
        assert_eq!(ServiceError::new(ServiceErrorKind::Service).with_message("\n").message(), None);
    }

    #[test]
    fn addresses_and_tokens_are_taken_out_of_messages() {
        let words = "user a@b.example with  eyJhbGciOiJIUzI1NiJ9.e30 is INVALID_CREDENTIALS";
        let error = ServiceError::new(ServiceErrorKind::Service).with_message(words);
        assert_eq!(error.message(), Some("user *** with *** is INVALID_CREDENTIALS"));
    }

    #[test]
    fn an_echo_of_a_secret_is_left_out() {
        let error = ServiceError::new(ServiceErrorKind::Service).with_code("E1").with_message("no hunter2 here");
        let error = error.without_echo(["", "hunter2"]);
        assert_eq!((error.code(), error.message()), (Some("E1"), None));
    }

    #[test]
    fn an_echo_is_found_in_another_encoding_and_where_it_is_cut() {
        let left = |secret: &str, words: &str| {
            let error = ServiceError::new(ServiceErrorKind::Service).with_message(words);
            error.without_echo([secret]).message().map(str::to_owned)
        };
        let secret = "pass\"word&beginning";
        for echo in ["pass\\\"word&beginning", "pass%22word%26beginning", "pass&quot;word&amp;beginning"] {
            let left = left(secret, &format!("bad body: {echo}"));
            assert!(left.as_ref().is_none_or(|words| !words.contains("beginning")), "{echo}: {left:?}");
        }
        // A blank, a word that is taken out, characters that are not shown.
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
    fn an_answer_is_told_from_silence_and_a_refused_login_from_any_other_answer() {
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
