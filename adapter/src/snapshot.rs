//! What is published for readers: one immutable picture of a session, replaced whole.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::sync::{ArcSwap, Guard};
use perennial_core::credentials::{Credentials, Generation, LeaseId, Now, Timestamp};
use perennial_core::exchange::Provider;
use perennial_core::session::{RefreshMode, Session as Machine, State};
use perennial_core::store::StoreError;
use perennial_core::{Error, SessionError};

/// The newest snapshot of a session.
pub(crate) struct Snapshots(ArcSwap<Snapshot>);

impl Snapshots {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self(ArcSwap::from_pointee(snapshot))
    }

    #[inline]
    pub(crate) fn load(&self) -> Guard<Arc<Snapshot>> {
        self.0.load()
    }

    /// Must be called under the session's lock, so that snapshots are published in the order in which they were made.
    pub(crate) fn replace(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}

/// What readers may know of a session, at one moment.
#[derive(Default)]
pub(crate) struct Snapshot {
    ready: FastPath,
    leases: [LeaseSnapshot; 2],
    pub(crate) state: State,
    pub(crate) has_login: bool,
    pub(crate) signing_out: bool,
    /// Why the service was not told of the last sign-out.
    pub(crate) unrevoked: Option<Error>,
    /// Why what is held is not saved.
    pub(crate) unsaved: Option<StoreError>,
    pub(crate) closed: bool,
}

/// Who looks after a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DriverState {
    Running,
    /// Until somebody starts a driver.
    None,
    /// It is closed.
    Closed,
}

/// All that most reads look at, side by side.
#[derive(Default)]
struct FastPath {
    credentials: Option<Arc<Credentials>>,
    /// Before these moments they are valid for each need, and a reader has nothing else to think of.
    until: [Timestamp; 2],
}

#[derive(Default)]
struct LeaseSnapshot {
    serves: ValidUntil,
    generation: Generation,
    margin: Margin,
    /// Whoever asked waits for the attempt that goes on, though what is held is valid.
    renews_first: bool,
    failures_reported: u64,
    error: Option<Error>,
}

/// From when on a reader of what is valid has something to do.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Margin {
    #[default]
    None,
    /// Let the session know, and take what is valid.
    RequestsRefresh(Timestamp),
    /// Ask, and wait for the attempt.
    Waits(Timestamp),
}

impl Margin {
    fn begins(self) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::RequestsRefresh(at) | Self::Waits(at) => Some(at),
        }
    }
}

/// What a caller does with what is held.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Nothing: it is not valid.
    Nothing,
    Take,
    /// Take it, and let the session know.
    TakeAndRequestRefresh,
    /// Take it if there is no time to ask.
    Ask,
}

/// Until when a reader may take the credentials, by the wall clock alone: the driver takes them back at the
/// deadline of the monotonic one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum ValidUntil {
    #[default]
    No,
    Until(Timestamp),
    Unknown,
}

impl Snapshot {
    /// These credentials, whatever the time is.
    pub(crate) fn fixed(credentials: Credentials) -> Self {
        let for_ever = Timestamp::from_unix_millis(i64::MAX);
        let ready = FastPath { credentials: Some(Arc::new(credentials)), until: [for_ever; 2] };
        Self { ready, state: State::Live, ..Self::default() }
    }

    pub(crate) fn of<P: Provider>(session: &Machine<P>, attended: DriverState, now: Now) -> Self {
        let leases = LeaseId::ALL.map(|lease_id| LeaseSnapshot::of(session, lease_id, attended, now));
        let until = leases.each_ref().map(LeaseSnapshot::ready_until);
        Self {
            ready: FastPath { credentials: session.held().cloned(), until },
            leases,
            state: session.state(),
            has_login: session.has_login(),
            signing_out: session.is_signing_out(),
            unrevoked: session.unrevoked().cloned(),
            unsaved: session.unsaved().cloned(),
            closed: attended == DriverState::Closed,
        }
    }

    /// What is held, valid or not.
    #[inline]
    pub(crate) fn held(&self) -> Option<&Arc<Credentials>> {
        self.ready.credentials.as_ref()
    }

    /// Whether there are credentials that are valid for this need, and nobody has to hear of it. Where this says no,
    /// look closer: [`usage`](Self::usage).
    #[inline]
    pub(crate) fn is_ready(&self, lease_id: LeaseId, wall: Timestamp) -> bool {
        wall < self.ready.until[lease_id.index()]
    }

    /// Whether somebody who waits could see a difference.
    pub(crate) fn differs(&self, other: &Snapshot) -> bool {
        let held = |view: &Snapshot| view.held().map(Arc::as_ptr);
        let flags = |view: &Snapshot| {
            let failed = (view.unsaved.is_some(), view.unrevoked.is_some());
            (view.state, view.has_login, view.signing_out, failed, view.closed)
        };
        let lease = |lease: &LeaseSnapshot| {
            (lease.serves, lease.margin, lease.renews_first, lease.generation, lease.failures_reported)
        };
        held(self) != held(other)
            || flags(self) != flags(other)
            || self.leases.each_ref().map(lease) != other.leases.each_ref().map(lease)
    }

    /// Whether there are credentials that are valid for this need.
    pub(crate) fn is_valid(&self, lease_id: LeaseId, wall: Timestamp) -> bool {
        match self.leases[lease_id.index()].serves {
            ValidUntil::No => false,
            ValidUntil::Until(end) => wall < end,
            ValidUntil::Unknown => true,
        }
    }

    /// What a caller does with what is held.
    pub(crate) fn usage(&self, lease_id: LeaseId, wall: Timestamp) -> Use {
        match self.leases[lease_id.index()].margin {
            _ if !self.is_valid(lease_id, wall) => Use::Nothing,
            Margin::RequestsRefresh(at) if at <= wall => Use::TakeAndRequestRefresh,
            Margin::Waits(at) if at <= wall => Use::Ask,
            Margin::None | Margin::RequestsRefresh(_) | Margin::Waits(_) => Use::Take,
        }
    }

    /// Whether somebody who has asked is served: what is valid is not being renewed first.
    pub(crate) fn answers(&self, lease_id: LeaseId, wall: Timestamp) -> bool {
        self.is_valid(lease_id, wall) && !self.leases[lease_id.index()].renews_first
    }

    pub(crate) fn generation(&self, lease_id: LeaseId) -> Generation {
        self.leases[lease_id.index()].generation
    }

    pub(crate) fn told(&self, lease_id: LeaseId) -> u64 {
        self.leases[lease_id.index()].failures_reported
    }

    /// What those who wait are told.
    pub(crate) fn error(&self, lease_id: LeaseId) -> Error {
        self.leases[lease_id.index()].error.clone().unwrap_or_else(|| SessionError::Closed.into())
    }

    /// Why waiting makes no sense, whatever one waits for.
    pub(crate) fn end(&self) -> Option<Error> {
        match self.state {
            _ if self.closed => Some(SessionError::Closed.into()),
            State::SignedOut => Some(SessionError::SignedOut.into()),
            _ => None,
        }
    }
}

impl LeaseSnapshot {
    fn of<P: Provider>(session: &Machine<P>, lease_id: LeaseId, attended: DriverState, now: Now) -> Self {
        let valid = session.credentials(lease_id, now).filter(|_| attended != DriverState::Closed);
        let validity = valid.and_then(|held| held.validity(lease_id));
        let deadline = validity.map(|validity| validity.deadline().map(|deadline| deadline.wall));
        // One request is enough, if a driver runs that sees it.
        let heard = session.is_asked_for(lease_id) && attended == DriverState::Running;
        let near = match (validity, deadline) {
            (Some(validity), _) if validity.is_uncertain() => Some(BEGINNING),
            (Some(validity), Some(Some(end))) => Some(end.saturating_sub(validity.margin())),
            _ => None,
        };
        let margin = match (session.policy().refresh_mode, near) {
            (RefreshMode::OnDemand, Some(near)) if !heard => Margin::RequestsRefresh(near),
            (RefreshMode::OneShot, Some(near)) => Margin::Waits(near),
            _ => Margin::None,
        };
        let (told, error) = session.failures(lease_id);
        Self {
            serves: deadline.map_or(ValidUntil::No, |end| end.map_or(ValidUntil::Unknown, ValidUntil::Until)),
            generation: session.held().map_or_else(Generation::default, |held| held.generation(lease_id)),
            margin,
            renews_first: session.renews_first(lease_id),
            failures_reported: told,
            error: error.cloned(),
        }
    }

    fn ready_until(&self) -> Timestamp {
        let end = match self.serves {
            ValidUntil::No => BEGINNING,
            ValidUntil::Until(end) => end,
            ValidUntil::Unknown => Timestamp::from_unix_millis(i64::MAX),
        };
        self.margin.begins().map_or(end, |at| at.min(end))
    }
}

/// Before every moment that a clock can say.
const BEGINNING: Timestamp = Timestamp::from_unix_millis(i64::MIN);

/// Credentials as they were when you asked; it derefs to [`Credentials`]. Getting one takes no lock, allocates nothing
/// and touches no shared counter, as long as a thread holds at most eight of them at once; further ones cost a counter.
/// So keep it for one call only, ask again for the next one, and keep what [`to_arc`](Self::to_arc) returns if you need
/// the credentials for longer. It is not updated by a renewal.
pub struct CredentialsRef(Guard<Arc<Snapshot>>);

impl CredentialsRef {
    /// `None` where nothing is held.
    #[inline]
    pub(crate) fn new(view: Guard<Arc<Snapshot>>) -> Option<Self> {
        view.held().is_some().then_some(Self(view))
    }

    /// The same credentials, to keep for as long as you like. A renewal does not change them.
    pub fn to_arc(&self) -> Arc<Credentials> {
        Arc::clone(self.held())
    }

    #[inline]
    fn held(&self) -> &Arc<Credentials> {
        match self.0.held() {
            Some(held) => held,
            None => unreachable!("made only of a view that holds credentials"),
        }
    }
}

impl Deref for CredentialsRef {
    type Target = Credentials;

    #[inline]
    fn deref(&self) -> &Credentials {
        self.held()
    }
}

impl fmt::Debug for CredentialsRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.held(), f)
    }
}
