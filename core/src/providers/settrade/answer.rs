//! Parsers of the service's answers, as pure functions of a response.

use http::header;
use serde::Deserialize;

use super::refusal::{Code, RequestKind, failure_in};
use super::settings::{DEFAULT_LIFETIME, MARGIN, Settrade};
use crate::credentials::{AccessToken, Account, Now, Secret, Validity, check_token};
use crate::error::ServiceError;
use crate::exchange::Response;
use crate::grant::Grant;
use crate::mqtt::ConnectOptions;
use crate::wire::{self, Lifetime, Object, Text};

/// The token type where a sign-in answer names none.
const TOKEN_TYPE: &str = "Bearer";

/// The token types that the service is known to use.
const TOKEN_TYPES: [&str; 2] = ["Bearer", "Basic"];

/// The port of the MQTT brokers.
const MQTT_PORT: u16 = 443;

/// Reads the answer to [`Settrade::sign_in_request`]: access token and refresh token. `app_id` is the one that signed
/// in.
///
/// A success is an HTTP 2xx with an access token. One that cannot be used, beside a refresh token, gives a grant
/// without an access token whose [`flaw`](Grant::flaw) says why. Lifetimes run from `sent`, when the request was sent,
/// by this machine's own clock; `now` is when the answer came.
///
/// A rejected login is [`InvalidCredentials`](crate::ServiceErrorKind::InvalidCredentials) or, where the service
/// says so, [`AccountLocked`](crate::ServiceErrorKind::AccountLocked) or
/// [`UserNotFound`](crate::ServiceErrorKind::UserNotFound). A rejection because of the clock is
/// [`Service`](crate::ServiceErrorKind::Service): see [`server_clock`](super::server_clock).
pub fn parse_sign_in(response: &Response, app_id: &str, sent: Now, now: Now) -> Result<Grant, ServiceError> {
    let grant = open::<Tokens<'_>>(response, RequestKind::SignIn, now)?.grant(response, TOKEN_TYPE, sent)?;
    Ok(Grant { account: Some(Account::new(app_id)), ..grant })
}

/// Reads the answer to [`Settrade::refresh_request`]: new tokens. `token_type` is that of the old access token, for
/// answers that leave it out.
///
/// Times, and an access token that cannot be used, are handled as in [`parse_sign_in`]. A rejected token is
/// [`RefreshRefused`](crate::ServiceErrorKind::RefreshRefused).
pub fn parse_refresh(response: &Response, token_type: &str, sent: Now, now: Now) -> Result<Grant, ServiceError> {
    open::<Tokens<'_>>(response, RequestKind::Renewal, now)?.grant(response, token_type, sent)
}

impl Settrade {
    /// Reads the answer to [`Settrade::ticket_request`]: the broker's address and a dispatcher token. `access` is the
    /// access token that was sent, whose type and deadline the connect options get.
    ///
    /// An answer without a host name is an error, with or without a port. A rejected access token is
    /// [`RefreshRefused`](crate::ServiceErrorKind::RefreshRefused).
    pub fn parse_ticket(
        &self,
        response: &Response,
        access: &AccessToken,
        now: Now,
    ) -> Result<ConnectOptions, ServiceError> {
        let malformed = |what| ServiceError::malformed(what).with_status(response.status());
        let dispatcher = open::<Dispatcher<'_>>(response, RequestKind::Renewal, now)?;
        let hosts = dispatcher.hosts.0;
        let host = hosts.first().and_then(Text::get).ok_or_else(|| malformed("no hosts"))?;
        let token = dispatcher.token.get().ok_or_else(|| malformed("no dispatcher token"))?;
        // Builds and checks the header.
        let token = AccessToken::new(access.token_type(), token, *access.validity())
            .map_err(|_| malformed("a dispatcher token that is too long or has odd characters"))?;
        let options = self.address(host.trim()).and_then(|url| ConnectOptions::new(url).ok());
        let options = options.ok_or_else(|| malformed("a host that is not the name of one"))?;
        Ok(options
            .with_header(header::AUTHORIZATION, token.typed_header().clone())
            // Newer brokers read the header, older ones user name and password.
            .with_login(&self.app_code, Secret::from(token.expose()))
            .with_deadline(access.validity().deadline().map(|deadline| deadline.wall)))
    }

    /// The broker's address. `ws` only where both the service and the broker are on this machine.
    fn address(&self, host: &str) -> Option<String> {
        let (name, port) = match host.split_once(':') {
            Some((name, port)) => (name, port.parse().ok()?),
            None => (host, MQTT_PORT),
        };
        let local = self.base.as_str().starts_with("http:") && matches!(name, "127.0.0.1" | "localhost");
        let scheme = if local { "ws" } else { "wss" };
        is_host(name).then(|| format!("{scheme}://{name}:{port}{}/mqtt", self.dispatcher_path()))
    }
}

/// The fields of a grant.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens<'a> {
    #[serde(borrow)]
    token_type: Text<'a>,
    #[serde(borrow)]
    access_token: Text<'a>,
    #[serde(borrow)]
    refresh_token: Text<'a>,
    expires_in: Lifetime,
    code: Code,
}

impl Tokens<'_> {
    fn grant(&self, response: &Response, usual_type: &str, sent: Now) -> Result<Grant, ServiceError> {
        let refresh_token = self.refresh_token.get();
        refresh_token.map_or(Ok(()), check_token).map_err(|_| odd(response))?;
        let grant = Grant { refresh_token: refresh_token.map(Secret::from), ..Grant::default() };
        grant.with_access(self.access(response, usual_type, sent))
    }

    fn access(&self, response: &Response, usual_type: &str, sent: Now) -> Result<AccessToken, ServiceError> {
        let malformed = |what| ServiceError::malformed(what).with_status(response.status());
        let token_type = match self.token_type.get().map(str::trim) {
            None => usual_type,
            Some(named) if TOKEN_TYPES.iter().any(|known| known.eq_ignore_ascii_case(named)) => named,
            Some(_) => return Err(malformed("an unknown type of token")),
        };
        let token = self.access_token.get().ok_or_else(|| malformed("no access token"))?;
        let validity = Validity::with_lifetime(sent, self.expires_in.0.unwrap_or(DEFAULT_LIFETIME)).with_margin(MARGIN);
        AccessToken::new(token_type, token, validity).map_err(|_| odd(response))
    }
}

fn odd(response: &Response) -> ServiceError {
    ServiceError::malformed("a token that is too long or has odd characters").with_status(response.status())
}

/// The dispatcher's answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Dispatcher<'a> {
    #[serde(borrow)]
    hosts: Hosts<'a>,
    #[serde(borrow)]
    token: Text<'a>,
    code: Code,
}

/// A list of hosts. Null counts as an empty one.
#[derive(Default)]
struct Hosts<'a>(Vec<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Hosts<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(deserializer)?.unwrap_or_default()))
    }
}

/// What a success is parsed as. It has the answer's error code too, because an error whose message cannot be read must
/// not count as a success.
trait Coded {
    fn code(&self) -> &Code;
}

impl Coded for Tokens<'_> {
    fn code(&self) -> &Code {
        &self.code
    }
}

impl Coded for Dispatcher<'_> {
    fn code(&self) -> &Code {
        &self.code
    }
}

/// The data of a success. An error wins over any token in the same body.
fn open<'a, T: Coded + Deserialize<'a>>(
    response: &'a Response,
    request: RequestKind,
    now: Now,
) -> Result<T, ServiceError> {
    if let Some(error) = failure_in(response, request, now) {
        return Err(error);
    }
    let error = match wire::parse_json::<Object<T>>(response.body().as_ref()) {
        Ok(Object(Some(data))) if data.code().is_success() => return Ok(data),
        Ok(Object(Some(_))) => ServiceError::malformed("a refusal whose words are no text"),
        Ok(Object(None)) => ServiceError::malformed("JSON of another shape"),
        Err(error) => error,
    };
    Err(error.with_status(response.status()))
}

/// Whether it is a host name (RFC 1123 §2.1): labels of letters, digits and inner hyphens.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}
