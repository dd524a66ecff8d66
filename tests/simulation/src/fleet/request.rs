//! What is remembered of a request: who sent it, what is to become of it, and what its process knows of that.

use std::time::Duration;

use super::service::Serial;
use perennial_core::{RequestId, Response, TransportErrorKind};
use perennial_testing::Asked;

/// A request, and what became of it.
pub(super) struct Sent {
    pub(super) process: usize,
    pub(super) incarnation: u32,
    pub(super) id: RequestId,
    pub(super) asked: Asked,
    /// The one-use token that it spends.
    pub(super) token: Serial,
    pub(super) had_login: bool,
    pub(super) end: End,
    pub(super) ended_at: Duration,
    /// Why it may be sent though its token was sent before.
    pub(super) excuse: Option<Excuse>,
    pub(super) fate: Fate,
}

/// What its process knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Open,
    /// Nobody told.
    Unknown,
    Refused,
    /// Certainly nothing happened.
    Unprocessed,
    Granted(Serial),
}

/// What is to become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    /// The service does its work, and the answer is another.
    Worked(Bad),
    /// The service does nothing.
    Turned(Bad),
    /// The service does its work; no answer comes.
    Unanswered,
    /// It does not reach the service.
    Nowhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    Error,
    Busy,
    Down,
    Refused,
    Page,
}

/// What reaches the process.
pub(super) struct Answering {
    pub(super) delivery: Result<Response, TransportErrorKind>,
    pub(super) end: Option<End>,
}

impl Sent {
    /// Its process will not learn what became of it.
    pub(super) fn forget(&mut self, now: Duration) {
        if self.end == End::Open {
            (self.end, self.ended_at) = (End::Unknown, now);
        }
    }
}

/// Why a token may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excuse {
    /// Nobody can know what became of it.
    Lost,
    /// The store had forgotten what became of it.
    Forgotten,
}
