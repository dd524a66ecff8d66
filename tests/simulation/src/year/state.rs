//! What a year remembers between two events: what is to happen, who waits, the request in flight, and what the observer
//! has seen.

use std::sync::Arc;
use std::time::Duration;

use crate::fleet::service::{Serial, serial_of};
use perennial_core::store::{OpId, StoreError, StoreReply};
use perennial_core::{Credentials, LeaseId, Now, RequestId, Response, TransportErrorKind};
use perennial_testing::Asked;

/// How long everything lives that the service grants.
pub(super) const LIFETIME: Duration = Duration::from_secs(3600);

/// How a record says that its one-use token was sent.
pub(super) const MARK: &str = "\"refresh_sent_at\":";

/// Something that happens at a moment.
pub(super) enum Event {
    /// The process starts.
    Start,
    /// The driver looks at the clocks.
    Look { incarnation: u32 },
    /// The store answers.
    StoreReply { incarnation: u32, id: OpId, result: Result<StoreReply, StoreError> },
    /// An answer reaches the process.
    Answers { incarnation: u32, id: RequestId, answer: Box<Answering> },
    /// Somebody asks for credentials.
    Call { caller: u8 },
    /// Somebody who was told an error asks again.
    Insist { caller: u8, tries: u8, lease_id: LeaseId },
    /// A person comes to sign in.
    Person,
    /// The service changes: how it stands is looked at.
    Turn,
    /// The machine goes on.
    Thaw,
}

/// Somebody who waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) since: Duration,
    pub(super) lease_id: LeaseId,
    pub(super) told: u64,
    pub(super) caller: u8,
    pub(super) tries: u8,
}

/// The request in flight.
pub(super) struct Flight {
    pub(super) id: RequestId,
    pub(super) kind: Kind,
    /// It is the second request of an exchange.
    pub(super) goes_on: bool,
    /// Its answer is lost, or late: nobody can do anything about that before its deadline.
    pub(super) is_doomed: bool,
    pub(super) doomed_until: Duration,
    /// The connection is gone.
    pub(super) is_broken: bool,
}

/// What an exchange is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Refresh(Serial),
    AwsRefresh,
    SignIn(String),
    /// It brings nothing.
    Other,
}

/// What reaches the process.
pub(super) struct Answering {
    pub(super) delivery: Result<Response, TransportErrorKind>,
    pub(super) end: End,
}

/// What a session learns of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nobody can tell.
    Unknown,
    /// Certainly nothing happened.
    Unprocessed,
    Refused,
    Granted,
    /// Another request is asked for.
    Half,
}

impl Kind {
    pub(super) fn of(asked: &Asked) -> Self {
        match asked {
            Asked::Refresh { token } => Self::Refresh(serial_of(token)),
            Asked::AwsRefresh { .. } => Self::AwsRefresh,
            Asked::SignIn { password, .. } => Self::SignIn(password.clone()),
            Asked::SignOut { .. } | Asked::Ticket { .. } => Self::Other,
        }
    }
}

impl Flight {
    /// What became of the one-use token.
    pub(super) fn token_after(&self, end: End) -> Use {
        match end {
            // What came before a last request was carried out.
            End::Unprocessed if !self.goes_on => Use::Never,
            End::Unknown | End::Half | End::Unprocessed => Use::Unknown,
            End::Refused | End::Granted => Use::Spent,
        }
    }
}

/// What became of a one-use token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Use {
    /// It was never sent, or was certainly not taken.
    #[default]
    Never,
    /// It was sent, and nobody knows.
    Unknown,
    /// It was taken or refused.
    Spent,
}

/// What is known of a grant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Issue {
    /// What the clocks said when it was asked for.
    pub(super) sent: Now,
    pub(super) incarnation: u32,
    pub(super) token: Use,
    pub(super) token_sent_at: Duration,
}

/// What the observer knows.
#[derive(Default)]
pub(super) struct Sight {
    pub(super) issues: Vec<Issue>,
    pub(super) served: [Option<Arc<Credentials>>; 2],
    /// Somebody has decided since the session was last looked at.
    pub(super) commanded: bool,
    pub(super) spins: u32,
    pub(super) repeat_login: bool,
    /// A person has signed in, and that was not yet tried.
    pub(super) person: bool,
    pub(super) refused: Vec<String>,
    /// The AWS credentials could not be renewed with the access token that is held.
    pub(super) aws_refused: bool,
    pub(super) started_at: Duration,
    pub(super) started: Now,
    pub(super) minutes: Window,
    pub(super) day: Window,
    pub(super) quiet_since: Duration,
}

/// How much was asked in the running minutes, or on the running day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub(super) number: u64,
    pub(super) requests: u64,
}

impl Window {
    pub(super) fn count(&mut self, now: Duration, length: u64) -> u64 {
        let number = now.as_secs() / length;
        if self.number != number {
            *self = Self { number, requests: 0 };
        }
        self.requests += 1;
        self.requests
    }
}
