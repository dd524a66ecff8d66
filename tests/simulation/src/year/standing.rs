//! Whether there are valid credentials, and if not, whose fault that is.

use std::time::Duration;

/// How it stands with the access token at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nobody has asked.
    #[default]
    Idle,
    /// Valid credentials are there, and the service takes them.
    Live,
    /// The machine is suspended, or the process has ended.
    Off,
    /// The service is down, or has asked to be left alone.
    ServiceDown,
    /// The answer to what was asked is lost, or takes its time.
    Unanswered,
    /// The store is down: nothing is renewed on a guess.
    StoreDown,
    /// A person has to sign in.
    NeedsPerson,
    /// The service has ended what it granted, and nobody has used it since.
    Unnoticed,
    /// Nothing stands in the way, and new ones are being asked for: the time of a conversation.
    Asking,
    /// Nothing stands in the way, and nothing is done: a pause after a failure.
    Pausing,
}

impl Standing {
    /// All of them.
    pub const ALL: [Standing; 10] = [
        Standing::Idle,
        Standing::Live,
        Standing::Off,
        Standing::ServiceDown,
        Standing::Unanswered,
        Standing::StoreDown,
        Standing::NeedsPerson,
        Standing::Unnoticed,
        Standing::Asking,
        Standing::Pausing,
    ];

    /// What it is called in a report.
    pub const fn title(self) -> &'static str {
        match self {
            Standing::Idle => "nobody asks",
            Standing::Live => "valid",
            Standing::Off => "machine or process off",
            Standing::ServiceDown => "service down",
            Standing::Unanswered => "answer lost or slow",
            Standing::StoreDown => "store down",
            Standing::NeedsPerson => "a person has to sign in",
            Standing::Unnoticed => "ended, and not yet used",
            Standing::Asking => "asking",
            Standing::Pausing => "pausing",
        }
    }

    /// Whether nothing but the session stands between its callers and valid credentials.
    pub const fn is_ours(self) -> bool {
        matches!(self, Standing::Asking | Standing::Pausing)
    }
}

/// A share of the time that somebody wanted credentials, in millionths.
pub(super) fn share(part: Duration, whole: Duration) -> u64 {
    let millionths = part.as_micros().saturating_mul(1_000_000).checked_div(whole.as_micros());
    millionths.and_then(|share| u64::try_from(share).ok()).unwrap_or(0)
}
