//! How the emulated service behaves where the real one is not known, or differs.

use crate::endpoint::Endpoint;
use crate::ledger::Rotation;
use crate::navien::Refusals;
use std::time::Duration;

/// Settings of the Mosaia service. Change the fields of the default.
#[derive(Clone, Debug)]
pub struct MosaiaSettings {
    /// E-mail addresses and passwords. By default `grower@example.com` with `correct horse battery`.
    pub accounts: Vec<(String, String)>,
    /// Ids and secrets of programs. By default `emulated-client` with `emulated client secret`.
    pub clients: Vec<(String, String)>,
    /// How long access tokens live. 3600 s by default.
    pub access_lifetime: Duration,
    /// How long refresh tokens live. 30 days by default.
    pub refresh_lifetime: Duration,
    /// How long the code of a redirect lives. A minute by default.
    pub code_lifetime: Duration,
    /// What `exp` and `iat` count. Seconds by default.
    pub exp_unit: ExpUnit,
    /// What `exp` and `iat` are written as. Texts by default.
    pub exp_type: ExpType,
    /// What a refresh does to the refresh token. Rotating by default, the harder case.
    pub rotation: Rotation,
    /// How sign-ins and refreshes are refused: by the HTTP status with `{message}` (the default), or by
    /// `error {message}` under HTTP 200. OAuth endpoints have their own way.
    pub refusals: Refusals,
    /// Where a refresh token that OAuth brought is taken. Everywhere by default.
    pub refresh_paths: RefreshPaths,
    /// What the person in front of the browser says. Yes by default.
    pub consent: Consent,
    /// Whether the answer to a refresh leaves `refresh_token` out; the old one then stays good. Not by default.
    pub refresh_answer_omits_refresh_token: bool,
}

impl Default for MosaiaSettings {
    fn default() -> Self {
        Self {
            accounts: vec![(Self::EMAIL.to_owned(), Self::PASSWORD.to_owned())],
            clients: vec![(Self::CLIENT_ID.to_owned(), Self::CLIENT_SECRET.to_owned())],
            access_lifetime: Duration::from_secs(3600),
            refresh_lifetime: Duration::from_secs(30 * 24 * 3600),
            code_lifetime: Duration::from_secs(60),
            exp_unit: ExpUnit::Seconds,
            exp_type: ExpType::Text,
            rotation: Rotation::Rotating,
            refusals: Refusals::Status,
            refresh_paths: RefreshPaths::Both,
            consent: Consent::Given,
            refresh_answer_omits_refresh_token: false,
        }
    }
}

impl MosaiaSettings {
    /// The default account's e-mail address.
    pub const EMAIL: &str = "grower@example.com";
    /// The default account's password.
    pub const PASSWORD: &str = "correct horse battery";
    /// The default program's id.
    pub const CLIENT_ID: &str = "emulated-client";
    /// The default program's secret.
    pub const CLIENT_SECRET: &str = "emulated client secret";
}

/// What `exp` and `iat` count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpUnit {
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Millis,
}

/// What `exp` and `iat` are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpType {
    /// A JSON number.
    Number,
    /// A text with the number in it.
    Text,
}

/// Where a refresh token that OAuth brought is taken; the other place answers 404. Codes are always taken at
/// `/v1/auth/token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshPaths {
    /// In both places.
    Both,
    /// At `/v1/auth/token`.
    Versioned,
    /// At `/auth/token`, where the published client looks.
    Unversioned,
    /// Nowhere.
    Neither,
}

impl RefreshPaths {
    pub(super) fn has(self, endpoint: Endpoint) -> bool {
        match self {
            Self::Both => true,
            Self::Versioned => endpoint == Endpoint::MosaiaToken,
            Self::Unversioned => endpoint == Endpoint::MosaiaOldToken,
            Self::Neither => false,
        }
    }
}

/// What the person in front of the browser says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Yes, at once.
    Given,
    /// No.
    Denied,
}
