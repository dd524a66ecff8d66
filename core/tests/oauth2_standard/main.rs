//! OAuth 2 as servers really speak it: answers, redirects, client authentication, device flow, discovery.
#![cfg(feature = "oauth2")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod answers;
mod authorization;
mod clients;
mod device;
mod discovery;
mod garbage;
mod sessions;
mod told;

use std::time::Duration;

use perennial_core::oauth2::{GrantType, Profile, parse_token};
use perennial_core::wire::form_decode;
use perennial_core::{Grant, Now, Request, Response, ServiceError, ServiceErrorKind, Timestamp};

const ALL: [GrantType; 5] = [
    GrantType::AuthorizationCode,
    GrantType::ClientCredentials,
    GrantType::DeviceCode,
    GrantType::Password,
    GrantType::RefreshToken,
];

fn profile() -> Profile {
    Profile::new("https://auth.example/token", "app").unwrap()
}

fn now(seconds: u64) -> Now {
    let wall = Timestamp::from_unix_seconds(1_700_000_000).saturating_add(Duration::from_secs(seconds));
    Now::new(wall, Duration::from_secs(1000 + seconds))
}

fn answer(status: u16, body: impl Into<String>) -> Response {
    let mut response = Response::new(body.into().into_bytes().into());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    response
}

fn read(profile: &Profile, response: &Response) -> Result<Grant, ServiceError> {
    parse_token(profile, GrantType::RefreshToken, response, now(0), now(1))
}

fn granted(body: &str) -> Grant {
    read(&profile(), &answer(200, body)).unwrap()
}

fn kind(asked: GrantType, status: u16, body: &str) -> ServiceErrorKind {
    parse_token(&profile(), asked, &answer(status, body), now(0), now(1)).unwrap_err().kind()
}

fn is_malformed(error: &ServiceError) -> bool {
    matches!(error.kind(), ServiceErrorKind::Malformed { .. })
}

/// The fields of a form.
fn form(request: &Request) -> Vec<(String, String)> {
    form_decode(std::str::from_utf8(request.http.body().as_ref()).unwrap()).map(Option::unwrap).collect()
}

fn field(request: &Request, name: &str) -> Option<String> {
    form(request).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}
