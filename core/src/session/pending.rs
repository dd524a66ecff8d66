//! What an exchange ended in, on its way to being saved and reported.

use std::time::Duration;

use super::flight::Source;
use crate::credentials::{Credentials, LeaseId};
use crate::error::{Error, Outcome};

/// What an exchange ended in, while it is being saved: it is told afterwards, so that whoever ends when he hears of it
/// leaves a store that knows.
pub(super) enum Pending {
    Granted(Box<Granted>),
    Failed(Box<Failed>),
}

impl Pending {
    pub(super) fn granted(&self) -> Option<&Granted> {
        match self {
            Pending::Granted(granted) => Some(granted),
            Pending::Failed(_) => None,
        }
    }

    /// Whether this lease waits for it.
    pub(super) fn concerns(&self, lease_id: LeaseId) -> bool {
        match self {
            Pending::Granted(granted) => granted.covers[lease_id.index()],
            Pending::Failed(failed) => failed.lease_id == lease_id,
        }
    }
}

/// What is being saved, and when it is told at the latest.
pub(super) struct Unreported {
    pub(super) what: Pending,
    /// By the monotonic clock.
    pub(super) tell_at: Duration,
}

impl Unreported {
    pub(super) fn granted(&self) -> Option<&Granted> {
        self.what.granted()
    }
}

/// New credentials that are not yet announced: they are saved first.
pub(super) struct Granted {
    pub(super) credentials: Credentials,
    /// The leases that are new in them.
    pub(super) covers: [bool; 2],
    pub(super) method: Option<&'static str>,
    pub(super) origin: Source,
    /// What was asked for, and is not among them.
    pub(super) shortfall: Option<Failure>,
}

impl Granted {
    /// What somebody brought from outside.
    pub(super) fn brought(credentials: Credentials, origin: Source) -> Self {
        let covers = LeaseId::ALL.map(|lease_id| credentials.validity(lease_id).is_some());
        Self { credentials, covers, method: None, origin, shortfall: None }
    }
}

/// A failed attempt.
pub(super) struct Failure {
    pub(super) lease_id: LeaseId,
    pub(super) position: usize,
    pub(super) error: Error,
    pub(super) answer: Answer,
    pub(super) login: Shown,
}

/// The same, when the session's state knows of it.
pub(super) struct Failed {
    pub(super) lease_id: LeaseId,
    pub(super) position: usize,
    pub(super) error: Error,
    /// What it means here.
    pub(super) outcome: Outcome,
    /// A one-use token went out, and nobody knows what became of it.
    pub(super) lost: bool,
}

/// Whether the login has left this process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    No,
    Yes,
}

/// Whether an answer to a failed attempt is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Heard,
    /// It failed at its first request.
    Missing,
    /// It failed at a later request: those before it were carried out.
    MissingLate,
}
