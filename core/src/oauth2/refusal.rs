//! Error responses of a token endpoint (RFC 6749 §5.2), in the standard's form and in those that servers really send.

use std::fmt;

use http::StatusCode;
use zeroize::Zeroizing;

use super::fields::Fields;
use super::grant_type::GrantType;
use super::profile::{FieldCase, Profile};
use super::words;
use crate::credentials::Now;
use crate::error::{ServiceError, ServiceErrorKind};
use crate::exchange::Response;
use crate::wire::{self, Number, Text};

/// The error codes of OAuth 2 and OpenID Connect. From a [`ServiceError`]: `error.code().map(ErrorCode::from)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// `access_denied`, which Microsoft's device flow calls `authorization_declined`: the person or the server refused.
    AccessDenied,
    /// `authorization_pending`: the person has not yet decided (RFC 8628 §3.5).
    AuthorizationPending,
    /// `expired_token`: the person took too long (RFC 8628 §3.5).
    ExpiredToken,
    /// `interaction_required`, `login_required`, `consent_required`, `account_selection_required`: a person has to act
    /// (OpenID Connect Core §3.1.2.6).
    InteractionRequired,
    /// `invalid_client`: the client's authentication failed.
    InvalidClient,
    /// `invalid_grant`: the code, refresh token or password is rejected.
    InvalidGrant,
    /// `invalid_request`: a parameter is missing, wrong, or occurs twice.
    InvalidRequest,
    /// `invalid_scope`: a scope is unknown, or more than is allowed.
    InvalidScope,
    /// `invalid_target`: a resource is unknown (RFC 8707 §2).
    InvalidTarget,
    /// `server_error`: the server failed.
    ServerError,
    /// `slow_down`: poll less often (RFC 8628 §3.5).
    SlowDown,
    /// `temporarily_unavailable`: the server is overloaded.
    TemporarilyUnavailable,
    /// `unauthorized_client`: this client may not use this grant.
    UnauthorizedClient,
    /// `unsupported_grant_type`: the server does not know this grant.
    UnsupportedGrantType,
    /// `unsupported_response_type`: the server does not give out codes this way.
    UnsupportedResponseType,
    /// `unsupported_token_type`: tokens of this kind cannot be revoked (RFC 7009 §2.2.1).
    UnsupportedTokenType,
    /// Any other code.
    Other,
}

impl From<&str> for ErrorCode {
    fn from(code: &str) -> Self {
        match code {
            "access_denied" | "authorization_declined" => Self::AccessDenied,
            "account_selection_required" | "consent_required" | "interaction_required" | "login_required" => {
                Self::InteractionRequired
            }
            "authorization_pending" => Self::AuthorizationPending,
            "expired_token" => Self::ExpiredToken,
            "invalid_client" => Self::InvalidClient,
            "invalid_grant" => Self::InvalidGrant,
            "invalid_request" => Self::InvalidRequest,
            "invalid_scope" => Self::InvalidScope,
            "invalid_target" => Self::InvalidTarget,
            "server_error" => Self::ServerError,
            "slow_down" => Self::SlowDown,
            "temporarily_unavailable" => Self::TemporarilyUnavailable,
            "unauthorized_client" => Self::UnauthorizedClient,
            "unsupported_grant_type" => Self::UnsupportedGrantType,
            "unsupported_response_type" => Self::UnsupportedResponseType,
            "unsupported_token_type" => Self::UnsupportedTokenType,
            _ => Self::Other,
        }
    }
}

/// The error that an answer names, its texts cleaned. Wiped when dropped: it may repeat what was sent.
#[derive(Default)]
pub(super) struct ServerError {
    code: Option<Zeroizing<String>>,
    message: Option<Zeroizing<String>>,
    uri: Option<String>,
}

impl ServerError {
    /// The error in an answer, if there is one: `error` as a text or an object, or `errors` with something in it. A
    /// value that is empty, null, zero or false is no error.
    pub(super) fn find(fields: &Fields<'_>, names: FieldCase) -> Option<Self> {
        let server_error = match fields.raw("error") {
            Some(json) if is_truthy(json) => Self::from_json(json),
            _ => Self::from_json(fields.raw("errors").filter(|json| is_truthy(json))?),
        };
        let camel = |name| matches!(names, FieldCase::Camel).then_some(name);
        Some(Self {
            message: server_error
                .message
                .or_else(|| text(fields, "error_description"))
                .or_else(|| text(fields, camel("errorDescription")?))
                .or_else(|| text(fields, "message")),
            uri: server_error.uri.or_else(|| words::address(fields.text("error_uri").ok()?.get()?)),
            code: server_error.code,
        })
    }

    /// The text of an answer that names no error code: `{"message": …}`.
    fn message_only(fields: &Fields<'_>) -> Self {
        let message = text(fields, "error_description").or_else(|| text(fields, "message"));
        Self { message, ..Self::default() }
    }

    /// Reads the forms `"invalid_grant"`, `{"code", "message"}` (Facebook) and `[{"errorType", "message"}]` (Fitbit).
    fn from_json(json: &str) -> Self {
        if let Ok(text) = serde_json::from_str::<Text<'_>>(json)
            && let Some(text) = text.get()
        {
            return Self { code: words::code(text), ..Self::default() };
        }
        let first = serde_json::from_str::<Vec<&serde_json::value::RawValue>>(json).ok();
        if let Some(first) = first.and_then(|all| all.first().map(|first| first.get())) {
            return if first.starts_with('[') { Self::default() } else { Self::from_json(first) };
        }
        let Ok(fields) = Fields::read_json(json.as_bytes()) else { return Self::default() };
        let code = ["error", "errorType", "code", "type"].into_iter().find_map(|name| {
            let json = fields.raw(name)?;
            let text = serde_json::from_str::<Text<'_>>(json).ok()?;
            match (text.get(), serde_json::from_str::<Number>(json).ok()?) {
                (Some(text), _) => words::code(text),
                (None, number) => number.value().map(|number| Zeroizing::new(number.to_string())),
            }
        });
        let message = text(&fields, "message").or_else(|| text(&fields, "error_description"));
        Self { code, message, uri: None }
    }

    /// The error with this code and message.
    fn onto(self, error: ServiceError) -> ServiceError {
        let error = match &self.code {
            Some(code) => error.with_code(code),
            None => error,
        };
        match (self.message, self.uri) {
            (Some(message), Some(uri)) => {
                let mut words = Zeroizing::new(String::with_capacity(message.len() + uri.len() + 3));
                [&message, " (", &uri, ")"].into_iter().for_each(|piece| words.push_str(piece));
                error.with_message(&words)
            }
            (Some(message), None) => error.with_message(&message),
            (None, Some(uri)) => error.with_message(&uri),
            (None, None) => error,
        }
    }
}

fn text(fields: &Fields<'_>, name: &str) -> Option<Zeroizing<String>> {
    words::cleaned(fields.text(name).ok()?.get()?)
}

fn is_truthy(json: &str) -> bool {
    let empty = json.bytes().all(|byte| byte.is_ascii_whitespace() || b"[]{}\"".contains(&byte));
    !empty && !matches!(json, "null" | "false" | "0")
}

/// The failure in an answer; `None` where it is a 2xx without an error in it.
pub(super) fn failure(
    profile: &Profile,
    grant_type: GrantType,
    response: &Response,
    fields: Result<&Fields<'_>, &ServiceError>,
    now: Now,
) -> Option<ServiceError> {
    let status = response.status();
    let server_error = fields.ok().and_then(|fields| {
        let within = profile.within.as_deref().and_then(|name| fields.object(name)?.ok());
        ServerError::find(fields, profile.names).or_else(|| ServerError::find(&within?, profile.names))
    });
    if status.is_success() && server_error.is_none() {
        return None;
    }
    let code = server_error.as_ref().and_then(|error| error.code.as_ref()).map(|code| code.as_str());
    let refuses = code.is_some_and(|code| refusal(profile, grant_type, status, code).is_some());
    // 5xx and 429 win over any code. A 404 or 405 with a code of the standard is the endpoint's own answer: then the
    // endpoint is not missing.
    if let Some(error) = wire::failure(response, now)
        && !(refuses && matches!(error.kind(), ServiceErrorKind::Unsupported) && status.is_client_error())
    {
        return Some(server_error.unwrap_or_default().onto(error));
    }
    let kind = match (code, fields) {
        (Some(code), _) => refusal(profile, grant_type, status, code).unwrap_or(ServiceErrorKind::Service),
        // A 401 without a code, where a login was sent: the login is wrong.
        (None, fields)
            if status == StatusCode::UNAUTHORIZED && grant_type.shows_a_login() && is_silent(response, fields) =>
        {
            ServiceErrorKind::InvalidCredentials
        }
        // A proxy's page or a torn body rejects nothing: it may not be the server's answer.
        (None, Err(error)) if !response.body().as_ref().is_empty() => error.kind(),
        (None, _) => ServiceErrorKind::Service,
    };
    let server_error = server_error.unwrap_or_else(|| fields.map(ServerError::message_only).unwrap_or_default());
    let error =
        ServiceError::new(kind).with_status(status).with_retry_after(wire::retry_after(response.headers(), now));
    Some(server_error.onto(error))
}

/// Whether the body is empty, or JSON.
fn is_silent(response: &Response, fields: Result<&Fields<'_>, &ServiceError>) -> bool {
    fields.is_ok() || response.body().as_ref().trim_ascii().is_empty()
}

/// The kind of error by which a code rejects a token or login for good; `None` where trying again may help.
fn refusal(profile: &Profile, grant_type: GrantType, status: StatusCode, code: &str) -> Option<ServiceErrorKind> {
    let own = profile.refusals.iter().any(|known| &**known == code);
    if grant_type == GrantType::RefreshToken {
        // Nothing else discards a refresh token: not a client that is misconfigured for an hour, not a 200.
        return match ErrorCode::from(code) {
            _ if own => Some(ServiceErrorKind::RefreshRefused),
            ErrorCode::InvalidGrant if status.is_client_error() => Some(ServiceErrorKind::RefreshRefused),
            ErrorCode::InteractionRequired if status.is_client_error() => Some(ServiceErrorKind::InteractionRequired),
            _ => None,
        };
    }
    match ErrorCode::from(code) {
        _ if own => Some(ServiceErrorKind::InvalidCredentials),
        ErrorCode::InvalidGrant | ErrorCode::InvalidClient | ErrorCode::AccessDenied => {
            Some(ServiceErrorKind::InvalidCredentials)
        }
        ErrorCode::InteractionRequired => Some(ServiceErrorKind::InteractionRequired),
        ErrorCode::ExpiredToken => Some(ServiceErrorKind::NotGranted),
        ErrorCode::UnsupportedGrantType | ErrorCode::UnauthorizedClient => Some(ServiceErrorKind::Unsupported),
        _ => None,
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessDenied => "access denied",
            Self::AuthorizationPending => "not yet decided",
            Self::ExpiredToken => "it took too long",
            Self::InteractionRequired => "a person has to be asked",
            Self::InvalidClient => "the client did not prove itself",
            Self::InvalidGrant => "the grant is refused",
            Self::InvalidRequest => "the request is not as it should be",
            Self::InvalidScope => "a scope is not granted",
            Self::InvalidTarget => "a resource is unknown",
            Self::ServerError => "the server failed",
            Self::SlowDown => "asked too often",
            Self::TemporarilyUnavailable => "the server is busy",
            Self::UnauthorizedClient => "this client may not do so",
            Self::UnsupportedGrantType => "the server has no such grant",
            Self::UnsupportedResponseType => "the server has no such response type",
            Self::UnsupportedTokenType => "such tokens cannot be revoked",
            Self::Other => "another reason",
        })
    }
}
