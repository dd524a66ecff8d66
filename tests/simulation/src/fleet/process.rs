//! One process of the fleet: a session, its clocks, and who carries out its operations on the store.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::service::Serial;
use super::store::{Facts, WrittenRecord};
use perennial_core::store::{OpId, StoreError, StoreErrorKind, StoreReply, StoreRequest};
use perennial_core::{Credentials, LeaseId, Now, Policy, RequestId, Session, Timestamp, Wake};
use perennial_testing::{Toy, ToyLogin};

/// When the true clock begins.
const EPOCH: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

/// What the monotonic clocks say then.
const BOOTED: Duration = Duration::from_secs(1000);

pub(super) struct Process {
    /// `None`: it has died.
    pub(super) session: Option<Session<Toy>>,
    /// It ends in order, as soon as its session says that it may.
    pub(super) closes: bool,
    /// How often it was started. What is meant for an older one does not reach it.
    pub(super) incarnation: u32,
    pub(super) policy: Policy,
    /// The login that it is started with.
    pub(super) login: Option<ToyLogin>,
    pub(super) clock: Clock,
    pub(super) frozen_until: Option<Duration>,
    pub(super) keeper: StoreDriver,
    pub(super) flight: Option<Flight>,
    pub(super) wake: Option<Wake>,
    pub(super) wake_number: u64,
    pub(super) sight: Sight,
}

/// The clocks of a process, against the true one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    pub(crate) wall_ahead: i64,
    pub(crate) stopped: Duration,
}

impl Clock {
    pub(crate) fn read(&self, truth: Duration) -> Now {
        let wall = EPOCH.saturating_add(truth).unix_millis().saturating_add(self.wall_ahead);
        Now::new(Timestamp::from_unix_millis(wall), BOOTED + truth.saturating_sub(self.stopped))
    }
}

/// Carries out operations on the store, one after another.
#[derive(Default)]
pub(super) struct StoreDriver {
    pub(super) queue: VecDeque<StoreRequest>,
    pub(super) running: Option<Running>,
    pub(super) held: Option<Held>,
    pub(super) last_serial: u64,
}

/// How a keeper ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// With its process.
    Death,
    /// Its driver goes, and another comes.
    Orderly,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) by: OpId,
    pub(super) fence: u64,
    /// When it was asked for.
    pub(super) since: Duration,
}

pub(super) struct Running {
    pub(super) serial: u64,
    pub(super) op: StoreRequest,
    pub(super) started: Duration,
    pub(super) plan: Plan,
    /// The lock that this operation has got.
    pub(super) fence: Option<u64>,
    /// Whether it still waits for the lock.
    pub(super) waits: bool,
    pub(super) read: Option<Rc<WrittenRecord>>,
    pub(super) result: Option<Result<StoreReply, StoreError>>,
}

/// What is to become of an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// When the store does it; `None`: never.
    pub(super) apply: Option<Duration>,
    pub(super) answer: Duration,
    pub(super) error: Option<StoreErrorKind>,
}

/// The exchange in flight, as the driver knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) id: RequestId,
    /// Its first request, and the present one.
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) renews: bool,
    /// Somebody signed out meanwhile.
    pub(super) orphaned: bool,
    /// The process was halted meanwhile.
    pub(super) halted: bool,
}

/// An operation that was asked of the store, and what was decided then: a person may decide something else while the store
/// is at work on it.
#[derive(Clone, Copy)]
pub(super) struct AskedStore {
    pub(super) id: OpId,
    pub(super) at: Duration,
    pub(super) decided: Decided,
    pub(super) brings_after: Option<Serial>,
}

/// What the observer knows of a process.
#[derive(Default)]
pub(super) struct Sight {
    /// What it has seen of the cell.
    pub(super) version: u64,
    pub(super) version_read: u64,
    /// What it has read last.
    pub(super) read: Option<Facts>,
    pub(super) first_read: Option<Option<Rc<WrittenRecord>>>,
    /// The access and AWS grants that it has written.
    pub(super) saved: [Serial; 2],
    /// When the last grant came, by its monotonic clock.
    pub(super) granted_at: Duration,
    /// The refresh token whose mark it read under the lock that it holds.
    pub(super) mark_found: Serial,
    pub(super) served: [Option<Arc<Credentials>>; 2],
    pub(super) newest_served: Serial,
    pub(super) last_served: Serial,
    pub(super) waits: [Option<Wait>; 2],
    /// What it has asked of the store last.
    pub(super) asked: Option<AskedStore>,
    /// The true time of the lock request, and its clocks then.
    pub(super) asked_lock: Option<Asked>,
    /// The service refused the login that it has.
    pub(super) refused: bool,
    /// It refused this token, rightly or not.
    pub(super) refused_token: Serial,
    pub(super) own_login: Option<ToyLogin>,
    /// A person signed in when this was the newest grant; what that brought is not yet saved.
    pub(super) brings_after: Option<Serial>,
    /// Whether a person has decided to sign in here.
    pub(super) decided: Decided,
    /// When somebody last signed out here.
    pub(super) left_at: Option<Duration>,
    /// What it was granted since a person decided to sign in.
    pub(super) granted: Serial,
    /// What it has seen of the cell last.
    pub(super) sees: Option<Facts>,
    /// The last sign-out that it has seen there.
    pub(super) out: Option<Facts>,
    /// The sign-in that was signed out here.
    pub(super) signed_out: Option<usize>,
    /// Served with what the service takes, since all is well again.
    pub(super) well: bool,
    pub(super) spins: u32,
    pub(super) window: Window,
    /// Somebody has decided here since the session was last looked at.
    pub(super) commanded: bool,
}

/// Whether a person has decided to sign in at a process, and that is not yet in the cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Decided {
    #[default]
    No,
    /// At this moment; the process has not read the cell since then: it cannot know what came before.
    Blindly(Duration),
    /// The same, and it has read the cell since then: a later sign-out that comes now counts more.
    Knowingly(Duration),
    /// A sign-out has come, with this revision.
    Overtaken(u64),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) since: Duration,
    pub(super) told: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) truth: Duration,
    pub(super) now: Now,
}

/// How much work was done in the running minutes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub(super) number: u64,
    pub(super) ops: u64,
    pub(super) requests: u64,
}

impl Process {
    pub(super) fn now(&self, truth: Duration) -> Now {
        self.clock.read(truth)
    }

    pub(super) fn is_frozen(&self, truth: Duration) -> bool {
        self.frozen_until.is_some_and(|until| truth < until)
    }

    /// The serial of what is served for a need.
    pub(super) fn serves(&self, lease_id: LeaseId, truth: Duration) -> Option<Arc<Credentials>> {
        self.session.as_ref()?.credentials(lease_id, self.now(truth)).cloned()
    }
}
