//! What the model remembers of a session: its leases, its attempt, what it signed out of, its store.

use std::time::Duration;

use crate::toy::{ToyLogin, ToyMethod};
use perennial_core::store::{OpId, StoreRequest};
use perennial_core::wire::Body;
use perennial_core::{Deadline, Generation, LeaseId, Now, RequestId, SignOut, Validity};

#[derive(Clone, Debug, Default)]
pub(super) struct Lease {
    pub(super) held: Option<Held>,
    /// Callers wait.
    pub(super) asked: bool,
    /// The same, whether or not what is held is valid.
    pub(super) waited: bool,
    /// A renewal was wished for before its time.
    pub(super) forced: bool,
    /// The present generation was named as refused.
    pub(super) named: bool,
    pub(super) stopped: bool,
    /// An attempt failed since the last grant.
    pub(super) failed: bool,
    /// Somebody has asked since this process began.
    pub(super) wanted: bool,
    pub(super) attempted_at: [Option<Duration>; 3],
    pub(super) answers: [Answers; 3],
    /// A grant came that is of no use for it, or an answer that could not be read: was that a no?
    pub(super) arguable: bool,
    pub(super) falls: Option<Fall>,
    pub(super) renewed_at: Option<Duration>,
    /// Refusals, one generation after the other, each within a minute of its issue.
    pub(super) fresh_rejects: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) serial: u64,
    /// From when to when, by the two clocks; `None`: unknown.
    pub(super) deadline: Option<Deadline>,
    pub(super) lifetime: Option<Duration>,
    pub(super) doubt: Doubt,
    /// Known once it was seen.
    pub(super) generation: Option<Generation>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) lease_id: LeaseId,
    pub(super) method: ToyMethod,
}

#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) id: RequestId,
    /// `None`: a sign-out.
    pub(super) attempt: Option<Attempt>,
    pub(super) sent: Now,
    pub(super) steps: u32,
    /// Somebody signed out meanwhile.
    pub(super) orphan: bool,
    /// A command made its answer useless.
    pub(super) dropped: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub(super) lease_id: LeaseId,
    /// Whether callers waited for it.
    pub(super) asked: bool,
    /// Whether it says something of the whole account: its login, or that it is to be left alone.
    pub(super) of_account: bool,
}

/// Whether credentials may be over already, and what became of looking into that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    None,
    /// Nobody has looked.
    Open,
    /// Who waited heard of a failure that concerns another lease: perhaps nobody could look.
    Told,
    /// Renewing them failed for now: they are served.
    Tried,
    /// Renewing them was refused: nobody gets them.
    Refused,
}

impl Doubt {
    pub(super) fn of(validity: &Validity) -> Self {
        if validity.is_uncertain() { Self::Open } else { Self::None }
    }
}

/// What the answers to a method were, for one lease, since that was renewed last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    /// Answers in a row that were no grant, and not the service's own failure.
    pub(super) noes: u32,
    pub(super) last_no: Duration,
    /// What was held then.
    pub(super) held: Holding,
    /// Attempts in a row of which nobody knows what became.
    pub(super) unknown: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Holding {
    #[default]
    Nothing,
    Valid,
}

/// An attempt that goes on with its next method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fall {
    /// The service will not grant anything by the method before.
    Refused,
    /// Nobody knows what became of this one.
    Unknown(ToyMethod),
}

/// An endpoint that the service says it does not have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing {
    pub(super) since: Duration,
    /// How often it said so in a row.
    pub(super) times: u32,
    /// It was the last one left, or has worked: it goes on.
    pub(super) goes_on: bool,
}

/// What is known of the last sign-out.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// What was said of the login, until the store is cleared.
    pub(super) unwritten: Option<SignOut>,
    /// Another session's sign-in was read: that of this one is over.
    pub(super) is_over: bool,
    /// The login was forgotten while nobody was signed in: neither does the store keep it, unless somebody wrote since.
    pub(super) forgets: bool,
    /// Whether a login was forgotten can be argued: a sign-out elsewhere left one there just before it was forgotten here.
    pub(super) maybe_forgotten: bool,
}

/// What the store holds, as far as sign-outs are concerned.
#[derive(Debug, Default)]
pub(super) struct There {
    pub(super) record: Option<Body>,
    /// Another session wrote it, and this one has not read it.
    pub(super) is_news: bool,
    /// This session has read or written it before.
    pub(super) is_known: bool,
    /// A grant was brought here and is not yet saved: what the store says does not count.
    pub(super) brought: bool,
    /// The store was read since a person signed in here: a sign-out that comes then is a later one.
    pub(super) is_read_since: bool,
    /// This process has not read it yet, and cannot know of a login that was refused in another one.
    pub(super) is_unread: bool,
    /// The login that this session has read or written there last.
    pub(super) login: Option<ToyLogin>,
    /// What this session has read or written there last is a sign-out, and this login stands beside it.
    pub(super) sign_out: Option<Option<ToyLogin>>,
}

impl There {
    pub(super) fn of(record: Option<&Body>) -> Self {
        Self { record: record.cloned(), is_unread: true, ..Self::default() }
    }

    pub(super) fn is_news(&self) -> bool {
        self.is_news
    }

    pub(super) fn is_set_aside(&mut self) {
        self.record = None;
    }
}

/// A store as the model sees it: it never fails, and answers at once.
#[derive(Debug, Default)]
pub(super) struct StoreSide {
    pub(super) out: Option<StoreRequest>,
    pub(super) locked: Option<OpId>,
    /// The refresh token that is marked as sent, by its number.
    pub(super) marked: Option<u64>,
    /// The access token that is saved.
    pub(super) saved: Option<u64>,
    /// A grant came, and nothing was saved since.
    pub(super) unsaved: bool,
    pub(super) there: There,
}

impl StoreSide {
    pub(super) fn is_locked(&self) -> bool {
        self.locked.is_some()
    }

    pub(super) fn is_at_work(&self) -> bool {
        self.locked.is_some() || self.unsaved
    }
}
