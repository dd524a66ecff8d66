//! Parsers of the service's answers, as pure functions of a response.

use serde::Deserialize;

use crate::credentials::{AccessToken, Account, AwsCredentials, Now, Validity};
use crate::error::{ServiceError, ServiceErrorKind};
use crate::exchange::Response;
use crate::grant::Grant;
use crate::wire;

use super::account::UserFields;
use super::fields::{Aws, Legal, Tokens, User};
use super::refusal::{Head, RequestKind, failure_in, failure_of};
use super::settings::MARGIN;
use crate::wire::{AnyText, Number, Object, Text, UnescapedStr};

/// Reads the answer to [`Navien::sign_in_request`](super::Navien::sign_in_request): JWTs, AWS credentials and
/// the account. `user_id` is the e-mail address that signed in.
///
/// A success is an HTTP 2xx whose envelope has the code 200, or no code. Lifetimes run from `sent`, when the request
/// was sent; `now` is when the answer came.
///
/// An answer without a usable access token is an error, or a grant with a [`flaw`](Grant::flaw) where it brought other
/// credentials that must not be lost. An incomplete AWS set is left out as a whole. A rejected login is
/// [`InvalidCredentials`](ServiceErrorKind::InvalidCredentials) or, where the service says so,
/// [`AccountLocked`](ServiceErrorKind::AccountLocked) or [`UserNotFound`](ServiceErrorKind::UserNotFound). A 403
/// without a reason rejects no login, because gateways send it too.
pub fn parse_sign_in(response: &Response, user_id: &str, sent: Now, now: Now) -> Result<Grant, ServiceError> {
    sign_in::<UnescapedStr<'_>>(response, user_id, sent, now)
        .or_else(|_| sign_in::<Text<'_>>(response, user_id, sent, now))
}

/// Reads the answer to [`Navien::refresh_request`](super::Navien::refresh_request): JWTs, sometimes AWS
/// credentials. What the service leaves out (refresh token, ID token, AWS set) is `None`: the old one is kept.
///
/// Times, and an access token that cannot be used, are handled as in [`parse_sign_in`]. A rejected token is
/// [`RefreshRefused`](ServiceErrorKind::RefreshRefused).
pub fn parse_refresh(response: &Response, sent: Now, now: Now) -> Result<Grant, ServiceError> {
    refresh::<UnescapedStr<'_>>(response, sent, now).or_else(|_| refresh::<Text<'_>>(response, sent, now))
}

/// Reads the answer to [`Navien::session_refresh_request`](super::Navien::session_refresh_request): AWS
/// credentials, and the JWTs that may come with them.
///
/// Times are handled as in [`parse_sign_in`]. A rejected access token is
/// [`RefreshRefused`](ServiceErrorKind::RefreshRefused). An answer without AWS credentials is
/// [`NotGranted`](ServiceErrorKind::NotGranted), one with part of the set [`Malformed`](ServiceErrorKind::Malformed);
/// if JWTs came all the same, they are granted and this error is the grant's [`flaw`](Grant::flaw).
pub fn parse_session_refresh(response: &Response, sent: Now, now: Now) -> Result<Grant, ServiceError> {
    session_refresh::<UnescapedStr<'_>>(response, sent, now)
        .or_else(|_| session_refresh::<Text<'_>>(response, sent, now))
}

/// Reads the answer to [`Navien::secured_sign_in_request`](super::Navien::secured_sign_in_request): AWS
/// credentials and, if the service sends it, the account. `user_id` is the one that was sent.
///
/// All else is as in [`parse_session_refresh`].
pub fn parse_secured_sign_in(response: &Response, user_id: &str, sent: Now, now: Now) -> Result<Grant, ServiceError> {
    secured_sign_in::<UnescapedStr<'_>>(response, user_id, sent, now)
        .or_else(|_| secured_sign_in::<Text<'_>>(response, user_id, sent, now))
}

// Each parser is generic over how tokens are read: `UnescapedStr` is the fast path, and what fails there is read again
// as `Text`, whose result or error counts. Both give the same grant for what the fast path can read.

fn sign_in<'a, T: AnyText + Deserialize<'a>>(
    response: &'a Response,
    user_id: &str,
    sent: Now,
    now: Now,
) -> Result<Grant, ServiceError> {
    let Opened { head, data } = open::<Nested<'a, T>>(response, RequestKind::SignIn, now)?;
    let mut grant = jwts(data.tokens(response)?, response, sent)?;
    let user_info = data.user_info.0.unwrap_or_default();
    grant.account = Some(account(&user_info, &data.legal, &head, response, user_id));
    Ok(grant)
}

fn refresh<'a, T: AnyText + Deserialize<'a>>(
    response: &'a Response,
    sent: Now,
    now: Now,
) -> Result<Grant, ServiceError> {
    jwts(&open::<Box<Tokens<T>>>(response, RequestKind::Renewal, now)?.data, response, sent)
}

fn session_refresh<'a, T: AnyText + Deserialize<'a>>(
    response: &'a Response,
    sent: Now,
    now: Now,
) -> Result<Grant, ServiceError> {
    aws_first(&open::<Box<Tokens<T>>>(response, RequestKind::Renewal, now)?.data, response, sent)
}

fn secured_sign_in<'a, T: AnyText + Deserialize<'a>>(
    response: &'a Response,
    user_id: &str,
    sent: Now,
    now: Now,
) -> Result<Grant, ServiceError> {
    let Opened { head, data } = open::<Nested<'a, T>>(response, RequestKind::Renewal, now)?;
    let mut grant = aws_first(data.tokens(response)?, response, sent)?;
    grant.account =
        data.user_info.0.as_ref().map(|user_info| account(user_info, &data.legal, &head, response, user_id));
    Ok(grant)
}

/// The envelope of every answer.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Envelope<'a, T> {
    #[serde(default)]
    code: Number,
    #[serde(borrow, default)]
    msg: Text<'a>,
    #[serde(borrow, default)]
    message: Text<'a>,
    #[serde(default)]
    data: Object<T>,
}

/// The `data` of both sign-ins.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: AnyText + Deserialize<'de>"))]
struct Nested<'a, T> {
    #[serde(borrow, default, alias = "userInfo")]
    user_info: Object<User<'a>>,
    #[serde(borrow, default)]
    legal: Legal<'a>,
    /// On the heap, because it is large and moved through several results.
    #[serde(default)]
    token: Object<Box<Tokens<T>>>,
    /// Another name for it.
    #[serde(default)]
    tokens: Object<Box<Tokens<T>>>,
}

impl<T> Nested<'_, T> {
    fn tokens(&self, response: &Response) -> Result<&Tokens<T>, ServiceError> {
        let (token, tokens) = (self.token.0.as_deref(), self.tokens.0.as_deref());
        token
            .or(tokens)
            .ok_or_else(|| ServiceError::malformed("a success without a token").with_status(response.status()))
    }
}

/// A success: the head of its envelope and its data.
struct Opened<'a, T> {
    head: Head<'a>,
    data: T,
}

/// An error wins over any token in the same body; a success without `data` is none.
fn open<'a, T: Deserialize<'a>>(
    response: &'a Response,
    request: RequestKind,
    now: Now,
) -> Result<Opened<'a, T>, ServiceError> {
    let status = response.status();
    let error = match wire::parse_json::<Object<Envelope<'a, T>>>(response.body().as_ref()) {
        Ok(Object(Some(envelope))) => {
            let head = Head::new(envelope.code, envelope.msg, envelope.message);
            if !status.is_success() || !head.is_success() {
                return Err(failure_of(response, &head, request, now));
            }
            match envelope.data.0 {
                Some(data) => return Ok(Opened { head, data }),
                None => ServiceError::malformed("a success without data"),
            }
        }
        Ok(Object(None)) => ServiceError::malformed("JSON of another shape"),
        Err(error) => error,
    };
    // A rejection counts even where its `data` cannot be read.
    Err(failure_in(response, request, now).unwrap_or_else(|| error.with_status(status)))
}

/// The JWTs, and the AWS set if it is complete: half a set does not cost the access token.
fn jwts<T: AnyText>(tokens: &Tokens<T>, response: &Response, sent: Now) -> Result<Grant, ServiceError> {
    let refresh_token = tokens.refresh_token();
    let grant = Grant {
        refresh_token: refresh_token.map_err(|_| {
            ServiceError::malformed("a token that is too long or has odd characters").with_status(response.status())
        })?,
        id_token: tokens.id_token().unwrap_or_default(),
        aws: aws_set(tokens, response, sent).ok(),
        ..Grant::default()
    };
    grant.with_access(access_token(tokens, response, sent))
}

/// The AWS set, which must be complete, and the JWTs that may come with it.
fn aws_first<T: AnyText>(tokens: &Tokens<T>, response: &Response, sent: Now) -> Result<Grant, ServiceError> {
    let grant = Grant {
        access: access_token(tokens, response, sent).ok(),
        refresh_token: tokens.refresh_token().unwrap_or_default(),
        id_token: tokens.id_token().unwrap_or_default(),
        ..Grant::default()
    };
    grant.with_aws(aws_set(tokens, response, sent))
}

fn access_token<T: AnyText>(tokens: &Tokens<T>, response: &Response, sent: Now) -> Result<AccessToken, ServiceError> {
    let malformed = |what| ServiceError::malformed(what).with_status(response.status());
    let validity = Validity::with_lifetime(sent, tokens.access_lifetime()).with_margin(MARGIN);
    let token = tokens.access_token(validity).ok_or_else(|| malformed("no access token"))?;
    token.map_err(|_| malformed("an access token that is too long or has odd characters"))
}

fn aws_set<T: AnyText>(tokens: &Tokens<T>, response: &Response, sent: Now) -> Result<AwsCredentials, ServiceError> {
    let malformed = |what| ServiceError::malformed(what).with_status(response.status());
    let validity = match tokens.aws_lifetime() {
        Some(lifetime) => Validity::with_lifetime(sent, lifetime),
        None => Validity::unknown(sent),
    };
    match tokens.aws() {
        Aws::Complete(parts) => parts
            .build(validity.with_margin(MARGIN))
            .map_err(|_| malformed("AWS credentials that are too long or have odd characters")),
        Aws::Incomplete => Err(malformed("an incomplete AWS set")),
        Aws::Absent => Err(ServiceError::new(ServiceErrorKind::NotGranted).with_status(response.status())),
    }
}

/// The account of a sign-in. Where the envelope leaves them out, `code` is the HTTP status and `message` is `SUCCESS`.
fn account(user: &User<'_>, legal: &Legal<'_>, head: &Head<'_>, response: &Response, user_id: &str) -> Account {
    let fields = UserFields {
        user_first_name: user.user_first_name.get().unwrap_or_default(),
        user_last_name: user.user_last_name.get().unwrap_or_default(),
        user_type: user.user_type.get().unwrap_or_default(),
        user_status: user.user_status.get().unwrap_or_default(),
        user_seq: user.user_seq.value(),
        legal: legal.array(),
        code: head.code().unwrap_or(i64::from(response.status().as_u16())),
        msg: head.message().unwrap_or("SUCCESS"),
    };
    fields.into_account(user_id)
}
