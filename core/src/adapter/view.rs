//! What is published for readers: one immutable picture of a session, replaced whole.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::sync::Guard;
use crate::credentials::{Credentials, Generation, Need, Now, Timestamp};
use crate::error::{Error, SessionError};
use crate::exchange::Provider;
use crate::session::{Renewal, Session, State};
use crate::store::StoreError;

/// One picture of a session.
#[derive(Default)]
pub(super) struct View {
    pub(super) credentials: Option<Arc<Credentials>>,
    leases: [LeaseView; 2],
    pub(super) state: State,
    pub(super) has_login: bool,
    pub(super) signing_out: bool,
    /// Why what is held is not saved.
    pub(super) unsaved: Option<StoreError>,
    pub(super) closed: bool,
}

#[derive(Default)]
struct LeaseView {
    serves: Serves,
    generation: Generation,
    /// From when on a reader of a lazy session has to knock.
    knock_at: Option<Timestamp>,
    told: u64,
    error: Option<Error>,
}

/// Until when a reader may take the credentials, by the wall clock alone: the driver takes them back at the
/// deadline of the monotonic one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Serves {
    #[default]
    No,
    Until(Timestamp),
    Unknown,
}

impl View {
    pub(super) fn of<P: Provider>(session: &Session<P>, closed: bool, now: Now) -> Self {
        Self {
            credentials: session.held().cloned(),
            leases: Need::ALL.map(|need| LeaseView::of(session, need, now)),
            state: session.state(),
            has_login: session.has_login(),
            signing_out: session.is_signing_out(),
            unsaved: session.unsaved().cloned(),
            closed,
        }
    }

    /// Whether somebody who waits could see a difference.
    pub(super) fn differs(&self, other: &View) -> bool {
        let held = |view: &View| view.credentials.as_ref().map(Arc::as_ptr);
        let flags = |view: &View| (view.state, view.has_login, view.signing_out, view.unsaved.is_some(), view.closed);
        let lease = |lease: &LeaseView| (lease.serves, lease.generation, lease.told);
        held(self) != held(other)
            || flags(self) != flags(other)
            || self.leases.each_ref().map(lease) != other.leases.each_ref().map(lease)
    }

    /// Whether there are credentials that are valid for this need.
    pub(super) fn serves(&self, need: Need, wall: Timestamp) -> bool {
        match self.leases[need.index()].serves {
            Serves::No => false,
            Serves::Until(end) => wall < end,
            Serves::Unknown => true,
        }
    }

    /// Whether the session has to hear of this reader.
    pub(super) fn wants_a_knock(&self, need: Need, wall: Timestamp) -> bool {
        self.leases[need.index()].knock_at.is_some_and(|at| at <= wall)
    }

    pub(super) fn generation(&self, need: Need) -> Generation {
        self.leases[need.index()].generation
    }

    pub(super) fn told(&self, need: Need) -> u64 {
        self.leases[need.index()].told
    }

    /// What those who wait are told.
    pub(super) fn error(&self, need: Need) -> Error {
        self.leases[need.index()].error.clone().unwrap_or_else(|| SessionError::Closed.into())
    }

    /// Why waiting makes no sense, whatever one waits for.
    pub(super) fn end(&self) -> Option<Error> {
        match self.state {
            _ if self.closed => Some(SessionError::Closed.into()),
            State::SignedOut => Some(SessionError::SignedOut.into()),
            _ => None,
        }
    }
}

impl LeaseView {
    fn of<P: Provider>(session: &Session<P>, need: Need, now: Now) -> Self {
        let term = session.credentials(need, now).and_then(|held| held.term(need));
        let deadline = term.map(|term| term.deadline().map(|deadline| deadline.wall));
        let knock_at = match (session.policy().renewal, term, deadline) {
            (Renewal::Lazy, Some(term), _) if term.is_doubtful() => Some(now.wall),
            (Renewal::Lazy, Some(term), Some(Some(end))) => Some(end.saturating_sub(term.margin())),
            _ => None,
        };
        let (told, error) = session.failures(need);
        Self {
            serves: deadline.map_or(Serves::No, |end| end.map_or(Serves::Unknown, Serves::Until)),
            generation: session.held().map_or_else(Generation::default, |held| held.generation(need)),
            knock_at,
            told,
            error: error.cloned(),
        }
    }
}

/// Credentials as they are now. Borrowed from what is published: no lock, no allocation, no shared counter. Keep
/// it for one call, not for ever; [`to_arc`](Self::to_arc) makes something to keep.
pub struct Current(Guard<Arc<View>>);

impl Current {
    /// `None` where nothing is held.
    pub(super) fn new(view: Guard<Arc<View>>) -> Option<Self> {
        view.credentials.is_some().then_some(Self(view))
    }

    /// The credentials, to keep.
    pub fn to_arc(&self) -> Arc<Credentials> {
        Arc::clone(self.held())
    }

    fn held(&self) -> &Arc<Credentials> {
        match &self.0.credentials {
            Some(held) => held,
            None => unreachable!("made only of a view that holds credentials"),
        }
    }
}

impl Deref for Current {
    type Target = Credentials;

    fn deref(&self) -> &Credentials {
        self.held()
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.held(), f)
    }
}
