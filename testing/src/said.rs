//! What an answer of the service means: what the service knows of it, and the model is told.

use std::time::Duration;

/// What a grant holds: its tokens carry its serial number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The grant's number, at the end of each of its tokens.
    pub serial: u64,
    /// Whose it is; `None` where the answer does not say.
    pub user: Option<String>,
    /// Whether it has an access token.
    pub access: bool,
    /// The lifetime of the access token in milliseconds; `None` where unknown.
    pub access_ms: Option<u64>,
    /// Whether it has a refresh token.
    pub refresh: bool,
    /// Whether it has AWS credentials.
    pub aws: bool,
    /// Their lifetime.
    pub aws_ms: Option<u64>,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A grant.
    Granted(Facts),
    /// Half of the work is done: another request is wanted.
    Continues,
    /// A sign-out was carried out.
    SignedOut,
    /// No, in plain words.
    Refused,
    /// There is no such endpoint, says a machine.
    Missing,
    /// Too many requests: nothing happened.
    TooMany {
        /// How long the account is to be left alone.
        quiet: Duration,
    },
    /// The service is down, and says for how long: nothing happened.
    Down {
        /// How long the account is to be left alone.
        quiet: Duration,
    },
    /// The service failed: who knows what happened.
    Failed,
    /// A new refresh token beside an access token that cannot be used.
    Unusable {
        /// The number of the refresh token.
        serial: u64,
    },
    /// Something that is neither a grant nor a plain no.
    Odd,
    /// Provably nothing was sent.
    NotSent,
    /// No answer was heard.
    Unheard,
    /// An answer too large to be read.
    TooLarge,
}
