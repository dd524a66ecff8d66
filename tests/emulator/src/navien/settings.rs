//! How the emulated service behaves where the real one is not known, or differs from account to account.

use crate::ledger::Rotation;
use serde_json::{Value, json};
use std::time::Duration;

/// Settings of the Navien service. Change the fields of the default.
#[derive(Clone, Debug)]
pub struct NavienSettings {
    /// E-mail addresses and passwords. By default `grower@example.com` with `correct horse battery`.
    pub accounts: Vec<(String, String)>,
    /// How long access and id tokens live: `authenticationExpiresIn`, in whole seconds. 3600 s by default.
    pub access_lifetime: Duration,
    /// How long AWS credentials live: `authorizationExpiresIn`. `None` leaves the field out; they then live
    /// an hour. 3600 s by default.
    pub aws_lifetime: Option<Duration>,
    /// How long refresh tokens live. 30 days by default.
    pub refresh_lifetime: Duration,
    /// Which endpoints there are. All of them by default.
    pub endpoint_set: EndpointSet,
    /// What a refresh does to the refresh token. Rotating by default, the harder case.
    pub rotation: Rotation,
    /// How sign-ins and refreshes are refused. HTTP 401 by default.
    pub refusals: Refusals,
    /// Whether a refresh answer carries AWS credentials too. Not by default.
    pub refresh_answer_with_aws: bool,
    /// Whether a refresh answer leaves `refreshToken` out; the old one then stays good. Not by default.
    pub refresh_answer_omits_refresh_token: bool,
    /// Whether a refresh answer leaves `idToken` out. Not by default.
    pub refresh_answer_omits_id_token: bool,
    /// `legal` in sign-in answers. An empty list by default.
    pub legal: Value,
}

impl Default for NavienSettings {
    fn default() -> Self {
        Self {
            accounts: vec![(Self::EMAIL.to_owned(), Self::PASSWORD.to_owned())],
            access_lifetime: Duration::from_secs(3600),
            aws_lifetime: Some(Duration::from_secs(3600)),
            refresh_lifetime: Duration::from_secs(30 * 24 * 3600),
            endpoint_set: EndpointSet::New,
            rotation: Rotation::Rotating,
            refusals: Refusals::Status,
            refresh_answer_with_aws: false,
            refresh_answer_omits_refresh_token: false,
            refresh_answer_omits_id_token: false,
            legal: json!([]),
        }
    }
}

impl NavienSettings {
    /// The default account's e-mail address.
    pub const EMAIL: &str = "grower@example.com";
    /// The default account's password.
    pub const PASSWORD: &str = "correct horse battery";
}

/// Which endpoints the service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointSet {
    /// Sign-in, refresh and API calls; `/auth/session/refresh` and `/user/secured-sign-in` answer 404.
    Old,
    /// All.
    New,
}

impl std::str::FromStr for EndpointSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "old" => Ok(Self::Old),
            "new" => Ok(Self::New),
            _ => Err(format!("an endpoint set is old or new, not {text}")),
        }
    }
}

/// How a sign-in or a refresh is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusals {
    /// By the HTTP status and by `code`.
    Status,
    /// By `code` only, under HTTP 200.
    Envelope,
}
