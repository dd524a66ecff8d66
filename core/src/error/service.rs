//! What a service answered where it granted nothing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use zeroize::Zeroizing;

use super::outcome::Outcome;
use crate::credentials::Timestamp;

/// The service answered, but granted nothing. Holds the kind of error, the HTTP status, and the service's own error
/// code and message. A panic in the provider's code is reported as one of these, too
/// ([`Panicked`](ServiceErrorKind::Panicked)).
#[derive(Clone)]
pub struct ServiceError {
    pub(super) kind: ServiceErrorKind,
    status: Option<StatusCode>,
    code: Option<ServerText>,
    message: Option<ServerText>,
    pub(super) retry_after: Option<Duration>,
    pub(crate) retry_at: Option<Timestamp>,
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
        /// Whether it was reading an answer; else nothing was sent.
        answered: bool,
    },
}

/// A part of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExchangePhase {
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
        Self::new(ServiceErrorKind::Panicked { answered: phase == ExchangePhase::Answer })
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

    pub(super) fn was_answered(&self) -> bool {
        !matches!(self.kind, ServiceErrorKind::Panicked { answered: false })
    }

    pub(super) fn refuses_login(&self) -> bool {
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

    pub(super) fn outcome(&self) -> Outcome {
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
            | ServiceErrorKind::Panicked { answered: false } => Outcome::NotProcessed,
            ServiceErrorKind::Malformed { .. }
            | ServiceErrorKind::Service
            | ServiceErrorKind::Panicked { answered: true } => Outcome::Indeterminate,
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
            ServiceErrorKind::Panicked { answered: false } => {
                f.write_str("the provider's code panicked before it asked the service")?;
            }
            ServiceErrorKind::Panicked { answered: true } => {
                f.write_str("the provider's code panicked at the service's answer")?;
            }
        }
        if let Some(status) = self.status {
            write!(f, " (HTTP {})", status.as_u16())?;
        }
        // Some services repeat the status in the answer.
        let repeats = |code: &&str| self.status.is_some_and(|status| status.as_str() == *code);
        if let Some(code) = self.code().filter(|code| !repeats(code)) {
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
}
