//! What goes into a session and what comes out of it.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::credentials::{Generation, LeaseId, Timestamp};
use crate::error::ImportError;
use crate::error::{Error, TransportError};
use crate::exchange::{Request, RequestId, Response};
use crate::store::{OpId, StoreError, StoreReply, StoreRequest};

/// What a driver tells a session. Safe at any time: late, foreign and repeated answers are ignored and counted.
pub enum Input {
    /// The answer to a request.
    Response(RequestId, Response),
    /// The request or its answer did not get through.
    Failed(RequestId, TransportError),
    /// The answer of the store.
    Store(OpId, Result<StoreReply, StoreError>),
    /// Another session may have written to the store.
    StoreChanged,
    /// Whatever carried out the operations on the store has ended: the result of an operation that is under way will
    /// not come, and the lock is released.
    StoreGone,
    /// Time has passed. Too early is fine.
    Wake,
}

/// Of an answer its status only: headers may hold secrets.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Response(id, response) => {
                f.debug_tuple("Response").field(id).field(&response.status()).finish_non_exhaustive()
            }
            Input::Failed(id, error) => f.debug_tuple("Failed").field(id).field(error).finish(),
            Input::Store(id, stored) => f.debug_tuple("Stored").field(id).field(stored).finish(),
            Input::StoreChanged => f.write_str("StoreChanged"),
            Input::StoreGone => f.write_str("StoreGone"),
            Input::Wake => f.write_str("Wake"),
        }
    }
}

/// What a session asks of its driver.
#[derive(Debug)]
pub enum Output {
    /// Carry out this request and hand in its answer or failure, under its id.
    Send(Request),
    /// This request's answer is no longer of use. Advice: to go on with it does no harm.
    Cancel(RequestId),
    /// Carry out this operation on the store, after those before it, and hand in the answer under its id. Only where
    /// the session has a store.
    Store(StoreRequest),
    /// Something happened that people may want to see.
    Event(Event),
    /// Nothing to do until this moment, or until the next input or command. `None`: there is no such moment, only the
    /// next input or command matters.
    Sleep(Option<Wake>),
}

/// When to wake a session, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The moment, by the [monotonic clock](crate::Now::monotonic). Sleep at most a minute at a time and then hand in
    /// [`Input::Wake`] with both clocks: while a machine is suspended, only its wall clock goes on.
    pub at: Duration,
    /// The reason.
    pub why: Timer,
}

/// Why a session wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timer {
    /// A lease reaches its margin.
    Renewal(LeaseId),
    /// A lease reaches its hard deadline.
    Expiry(LeaseId),
    /// The pause before another attempt ends.
    Retry(LeaseId),
    /// The request in flight reaches its deadline.
    RequestDeadline,
    /// The store has not answered, has to be written again, or announces what it is still writing.
    Store,
}

/// Something that happened. No secret is in it; `Display` is fit for a log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// An attempt to renew a lease has begun.
    RenewalStarted {
        /// The lease.
        lease_id: LeaseId,
        /// The renewal method.
        method: &'static str,
    },
    /// A lease was renewed.
    Renewed {
        /// The lease.
        lease_id: LeaseId,
        /// The renewal method; `None` if the credentials came from `install_grant`, from `import`, or from another
        /// session through the store.
        method: Option<&'static str>,
        /// Its new generation.
        generation: Generation,
        /// Its new hard deadline, if known.
        expires_at: Option<Timestamp>,
    },
    /// A renewal method failed, and the same attempt goes on with another method.
    Fallback {
        /// The lease.
        lease_id: LeaseId,
        /// The method that failed.
        method: &'static str,
        /// Why.
        error: Error,
    },
    /// An attempt failed. Everybody who waited was told; it is tried again at the error's `retry_at`.
    Failed {
        /// The lease.
        lease_id: LeaseId,
        /// The method that failed; `store` or `driver` if no method was tried, because the store or the driver failed.
        method: &'static str,
        /// Why.
        error: Error,
    },
    /// No way to renew this lease is left.
    Exhausted {
        /// The lease.
        lease_id: LeaseId,
        /// What callers are told.
        error: Error,
    },
    /// The service's API refused credentials.
    Rejected {
        /// The lease.
        lease_id: LeaseId,
        /// The generation that was refused.
        generation: Generation,
    },
    /// A lease passed its hard deadline.
    Expired {
        /// The lease.
        lease_id: LeaseId,
    },
    /// What is held was saved.
    Saved,
    /// The session's state could not be saved in the store. Its credentials are handed out all the same, and saving is
    /// tried again.
    NotSaved {
        /// Why.
        error: StoreError,
    },
    /// The record in the store could not be read or is another program's. The store has moved it aside, and nothing was
    /// deleted.
    Quarantined {
        /// What is wrong with it.
        error: ImportError,
    },
    /// The store holds an older state than this session has seen there (a restored backup, for instance), or nothing at
    /// all. The session keeps its own credentials and saves them again.
    StoreRegressed,
    /// Signed out: credentials are gone.
    SignedOut,
    /// The service was asked to forget credentials.
    Revoked {
        /// Why that failed; `None` if it succeeded. The session has dropped them in either case.
        error: Option<Error>,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::RenewalStarted { lease_id, method } => write!(f, "{lease_id}: asking for new ones ({method})"),
            Event::Renewed { lease_id, method, generation, expires_at } => {
                match method {
                    Some(method) => write!(f, "{lease_id}: {generation} by {method}")?,
                    None => write!(f, "{lease_id}: {generation} taken up")?,
                }
                match expires_at {
                    Some(at) => write!(f, ", until {at}"),
                    None => f.write_str(", of unknown length"),
                }
            }
            Event::Fallback { lease_id, method, error } => {
                write!(f, "{lease_id}: {method} does not work, next way ({error})")
            }
            Event::Failed { lease_id, method, error } => {
                write!(f, "{lease_id}: {method} failed ({error})")?;
                error.retry_at().map_or(Ok(()), |at| write!(f, ", again at {at}"))
            }
            Event::Exhausted { lease_id, error } => write!(f, "{lease_id}: no way to renew is left ({error})"),
            Event::Rejected { lease_id, generation } => {
                write!(f, "{lease_id}: {generation} was refused by the service")
            }
            Event::Expired { lease_id } => write!(f, "{lease_id}: expired"),
            Event::Saved => f.write_str("saved"),
            Event::NotSaved { error } => write!(f, "not saved ({error})"),
            Event::Quarantined { error } => write!(f, "set aside what was saved: {error}"),
            Event::StoreRegressed => f.write_str("the store has gone back to an older state"),
            Event::SignedOut => f.write_str("signed out"),
            Event::Revoked { error: None } => f.write_str("revoked at the service"),
            Event::Revoked { error: Some(error) } => write!(f, "not revoked at the service ({error})"),
        }
    }
}

/// What a session is doing, seen from its access token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Nothing is held and nobody has asked.
    #[default]
    Idle,
    /// Nothing valid is held; it is being asked for.
    SigningIn,
    /// Nothing valid is held; a pause before the next attempt.
    Waiting,
    /// Valid credentials are held.
    Live,
    /// Valid credentials are held, and new ones are being asked for.
    Renewing,
    /// Nothing valid is held, and the session has no way left to renew, or only a login that it must not send again
    /// yet: a person should sign in. [`Session::obstacle`](super::Session::obstacle) says why.
    SignInRequired,
    /// Signed out.
    SignedOut,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Idle => "idle",
            State::SigningIn => "signing in",
            State::Waiting => "waiting to try again",
            State::Live => "live",
            State::Renewing => "renewing",
            State::SignInRequired => "a new sign-in is required",
            State::SignedOut => "signed out",
        })
    }
}

/// What a session has to say, and has counted.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) outputs: VecDeque<Output>,
    pub(super) stats: Stats,
}

/// What a session has counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests sent.
    pub requests: u64,
    /// Answers that came late, twice or to no request of ours.
    pub ignored: u64,
}
