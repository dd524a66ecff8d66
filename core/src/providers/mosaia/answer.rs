//! Parsers of the answers of the service's own endpoints, as pure functions of a response. Answers of its OAuth
//! endpoints are read by [`oauth2::parse_token`](crate::oauth2::parse_token) with
//! [`Mosaia::profile`](super::Mosaia::profile).

use std::fmt;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::refusal::{Failure, RequestKind, ServerError, failure, failure_of_unread};
use super::settings::MARGIN;
use super::{Login, SignInMethod};
use crate::credentials::{AccessToken, Account, Now, Secret, Timestamp, Validity, check_token};
use crate::error::{ServiceError, ServiceErrorKind};
use crate::exchange::Response;
use crate::grant::Grant;
use crate::wire::{self, Object, Text};

/// Reads the answer to [`Mosaia::sign_in_request`](super::Mosaia::sign_in_request): access token and refresh token, and
/// how the session was begun. The service's `sub` and `iat` are kept as extra fields.
///
/// Lifetimes run from `sent`, when the request was sent. The service sends an absolute `exp`: it is counted from the
/// answer's own `Date` or, without one, from `now`, when the answer came.
///
/// An access token that cannot be used, beside a refresh token, gives a grant without an access token whose
/// [`flaw`](Grant::flaw) says why.
///
/// A rejected login is [`InvalidCredentials`](ServiceErrorKind::InvalidCredentials),
/// [`UserNotFound`](ServiceErrorKind::UserNotFound) or [`AccountLocked`](ServiceErrorKind::AccountLocked),
/// whether it comes as `error` under HTTP 200 or as `message` under another status.
pub fn parse_sign_in(response: &Response, login: &Login, sent: Now, now: Now) -> Result<Grant, ServiceError> {
    Ok(Grant {
        account: Some(Account::new(login.name())),
        grant_type: Some(SignInMethod::of_login(login).name()),
        ..opened(response, RequestKind::SignIn, sent, now)?
    })
}

/// Reads the answer to [`Mosaia::refresh_request`](super::Mosaia::refresh_request). How the session was begun and the
/// account are kept; so is the refresh token where the answer has none.
///
/// Times, and an access token that cannot be used, are handled as in [`parse_sign_in`]. A rejected token is
/// [`RefreshRefused`](ServiceErrorKind::RefreshRefused).
pub fn parse_refresh(response: &Response, sent: Now, now: Now) -> Result<Grant, ServiceError> {
    opened(response, RequestKind::Token, sent, now)
}

/// Reads the answer to [`Mosaia::sign_out_request`](super::Mosaia::sign_out_request). A token that the service no
/// longer knows counts as signed out, as in RFC 7009 §2.2.
pub fn parse_sign_out(response: &Response, now: Now) -> Result<(), ServiceError> {
    match data(response, now) {
        Err(error) if error.kind() == ServiceErrorKind::RefreshRefused => Ok(()),
        other => other.map(drop),
    }
}

/// Whether the service accepts an access token.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Checked {
    /// It does. The value is the service's answer: the user, organisation and so on that the token belongs to.
    Accepted(Value),
    /// It does not: renew the token, or sign in.
    Refused,
}

/// Leaves out the service's answer: it has names and addresses of people.
impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Checked::Accepted(_) => "Accepted(***)",
            Checked::Refused => "Refused",
        })
    }
}

/// Reads the answer to [`Mosaia::self_request`](super::Mosaia::self_request).
pub fn parse_self(response: &Response, now: Now) -> Result<Checked, ServiceError> {
    match data(response, now) {
        Err(error) if error.kind() == ServiceErrorKind::RefreshRefused => Ok(Checked::Refused),
        Err(error) => Err(error),
        Ok(Some(data @ Value::Object(_))) => Ok(Checked::Accepted(data)),
        Ok(_) => Err(ServiceError::malformed("a success without data").with_status(response.status())),
    }
}

/// The envelope of every answer.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de> + Default"))]
struct Envelope<'a, T> {
    #[serde(borrow, default)]
    error: Failure<'a>,
    #[serde(borrow, default)]
    message: Text<'a>,
    #[serde(default)]
    data: T,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens<'a> {
    #[serde(borrow)]
    access_token: Text<'a>,
    #[serde(borrow)]
    refresh_token: Text<'a>,
    #[serde(borrow)]
    token_type: Text<'a>,
    #[serde(borrow)]
    sub: Text<'a>,
    iat: Value,
    exp: Value,
}

/// The extra fields to keep, under the service's names.
#[derive(Serialize)]
struct Extra<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(skip_serializing_if = "Value::is_null")]
    iat: &'a Value,
}

/// The grant in an answer. An error wins over any token in the same body.
fn opened(response: &Response, request: RequestKind, sent: Now, now: Now) -> Result<Grant, ServiceError> {
    let unread = |otherwise| failure_of_unread(response, otherwise, request, now);
    let envelope: Object<Envelope<'_, Object<Tokens<'_>>>> =
        wire::parse_json(response.body().as_ref()).map_err(unread)?;
    let Object(Some(Envelope { error, message, data: Object(data) })) = envelope else {
        return Err(unread(ServiceError::malformed("JSON of another shape")));
    };
    if let Some(error) = failure(response, &ServerError { error, message }, request, now) {
        return Err(error);
    }
    data.ok_or_else(|| ServiceError::malformed("a success without data"))
        .and_then(|tokens| tokens.granted(response, sent, now))
        .map_err(|error| error.with_status(response.status()))
}

impl Tokens<'_> {
    fn granted(&self, response: &Response, sent: Now, now: Now) -> Result<Grant, ServiceError> {
        let refresh_token = self.refresh_token.get();
        if refresh_token.is_some_and(|token| check_token(token).is_err()) {
            return Err(ServiceError::malformed("a refresh token that is too long or has odd characters"));
        }
        let extra = Extra { sub: self.sub.get(), iat: &self.iat };
        let grant = Grant {
            refresh_token: refresh_token.map(Secret::from),
            extra: serde_json::to_string(&extra).ok().map(Secret::from),
            ..Grant::default()
        };
        let access = self.access(response, sent, now);
        grant.with_access(access.map_err(|error| error.with_status(response.status())))
    }

    fn access(&self, response: &Response, sent: Now, now: Now) -> Result<AccessToken, ServiceError> {
        let malformed = ServiceError::malformed;
        if self.token_type.get().is_some_and(|named| !named.eq_ignore_ascii_case("bearer")) {
            return Err(malformed("a token of an unknown type"));
        }
        let token = self.access_token.get().ok_or(malformed("no access token"))?;
        let validity = match lifetime(&self.exp, response, now) {
            Some(lifetime) => Validity::with_lifetime(sent, lifetime),
            None => Validity::unknown(sent),
        };
        AccessToken::new("Bearer", token, validity.with_margin(MARGIN))
            .map_err(|_| malformed("an access token that is too long or has odd characters"))
    }
}

/// The `data` in the answer of an endpoint that grants nothing; `None` where the body is empty.
fn data(response: &Response, now: Now) -> Result<Option<Value>, ServiceError> {
    let unread = |otherwise| failure_of_unread(response, otherwise, RequestKind::Token, now);
    if response.status().is_success() && response.body().as_ref().trim_ascii().is_empty() {
        return Ok(None);
    }
    let envelope: Object<Envelope<'_, Value>> = wire::parse_json(response.body().as_ref()).map_err(unread)?;
    let Object(Some(Envelope { error, message, data })) = envelope else {
        return Err(unread(ServiceError::malformed("JSON of another shape")));
    };
    match failure(response, &ServerError { error, message }, RequestKind::Token, now) {
        Some(error) => Err(error),
        None => Ok(Some(data)),
    }
}

/// The lifetime of a token that expires at `exp`; `None` where that is absent or no time.
fn lifetime(exp: &Value, response: &Response, now: Now) -> Option<Duration> {
    let end = moment(exp)?;
    match wire::server_time(response.headers()) {
        Some(servers_now) => Some(Duration::try_from(end.since(servers_now)).unwrap_or_default()),
        // An end in the past by our own clock alone is ignored: it may be our clock that is wrong.
        None => Duration::try_from(end.since(now.wall)).ok(),
    }
}

/// Reads a Unix time, as a number or a text with a number in it, in seconds or milliseconds: above 1e11 it is in
/// milliseconds, because in seconds that would be the year 5138.
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    const SECONDS_END: f64 = 1e11;
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let millis = if number > SECONDS_END { number } else { number * 1000.0 };
    // The conversion from a float saturates.
    #[allow(clippy::cast_possible_truncation, reason = "milliseconds are as fine as moments are here")]
    let millis = millis as i64;
    (number.is_finite() && millis > 0).then(|| Timestamp::from_unix_millis(millis))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn moments_are_read_in_every_form() {
        let expected = Some(Timestamp::from_unix_seconds(1_754_078_962));
        for form in [
            json!(1_754_078_962),
            json!("1754078962"),
            json!(" 1754078962 "),
            json!(1_754_078_962.0),
            json!(1_754_078_962_000_u64),
            json!("1754078962000"),
            json!("1.754078962e12"),
        ] {
            assert_eq!(moment(&form), expected, "{form}");
        }
        for none in [json!(null), json!(0), json!(-5), json!("soon"), json!(""), json!("NaN"), json!("inf"), json!([1])]
        {
            assert_eq!(moment(&none), None, "{none}");
        }
        // The last value in seconds, and the first in milliseconds.
        assert_eq!(moment(&json!(100_000_000_000_u64)), Some(Timestamp::from_unix_seconds(100_000_000_000)));
        assert_eq!(moment(&json!(100_000_000_001_u64)), Some(Timestamp::from_unix_millis(100_000_000_001)));
        assert!(moment(&json!(1e300)).is_some());
    }
}
