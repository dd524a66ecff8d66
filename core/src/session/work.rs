//! Code of a provider, as work: an exchange makes its first request, or reads an answer.
//!
//! A session never waits, but provider code may take its time: a key in hardware signs for seconds, a page of a
//! megabyte is read. And it may panic. So the session gives both away, the exchange with what it works on, and stays
//! usable meanwhile: the slot keeps the request's name, the lease and a deadline, and what comes back too late is
//! ignored. Who drives a session by hand sees none of this, unless he asks for it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::credentials::Now;
use crate::error::{Error, ExchangePhase, ServiceError, TransportError};
use crate::exchange::{Exchange, RequestId, Response, Step};
use crate::grant::Grant;

/// How long an exchange may take to make its first request, or to read one answer: 30 seconds. After that the attempt
/// counts as failed.
pub const WORK_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a session's exchanges run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Runs {
    /// In the middle of the input or command that leads to it.
    #[default]
    Here,
    /// Where whoever drives the session runs it.
    Elsewhere,
}

/// What an exchange has to do.
pub(super) enum Task {
    /// Make the first request.
    Start,
    /// Read this answer.
    Receive(Response),
}

/// Where the exchange in flight is.
pub(super) enum Place<X> {
    /// Here: its request is out.
    Waiting(X),
    /// Here: it has something to do.
    Ready(X, Task),
    /// With whoever took the work.
    Away,
}

/// Provider code to run: see [`Session::take_work`](super::Session::take_work).
pub struct Work<X> {
    pub(super) id: RequestId,
    pub(super) exchange: X,
    pub(super) task: Task,
    pub(super) now: Now,
}

/// What came of a [`Work`]: give it back with [`Session::work_done`](super::Session::work_done).
pub struct Done<X> {
    pub(super) id: RequestId,
    /// `None`: it is over.
    pub(super) exchange: Option<X>,
    pub(super) outcome: Result<Step, Error>,
}

impl<X: Exchange<Output = Grant>> Work<X> {
    /// Runs it, on any thread. A panic in the exchange ends here, as a failure.
    pub fn run(self) -> Done<X> {
        let Self { id, mut exchange, task, now } = self;
        let phase = task.phase();
        let ran = caught(move || {
            let outcome = match task {
                Task::Start => Ok(Step::Send(exchange.start(now))),
                Task::Receive(response) => exchange.receive(response, now),
            };
            (Some(exchange), outcome)
        });
        let (exchange, outcome) = ran.unwrap_or_else(|| (None, Err(ServiceError::panicked(phase).into())));
        Done { id, exchange, outcome }
    }

    /// Whether it [may block](Exchange::may_block): then it is not for a thread that others wait for.
    pub fn may_block(&self) -> bool {
        caught(|| self.exchange.may_block()).unwrap_or_default()
    }

    /// Gives it up, because nothing is there that could run it.
    pub fn give_up(self) -> Done<X> {
        let error = match self.task.phase() {
            ExchangePhase::Request => TransportError::not_sent("the request was given up before it was made"),
            ExchangePhase::Answer => TransportError::maybe_sent("the answer was given up before it was read"),
        };
        Done { id: self.id, exchange: None, outcome: Err(error.into()) }
    }
}

impl Task {
    fn phase(&self) -> ExchangePhase {
        match self {
            Task::Start => ExchangePhase::Request,
            Task::Receive(_) => ExchangePhase::Answer,
        }
    }
}

/// What foreign code comes to; `None` where it panics. What it says then is not repeated: it may hold a secret.
pub(super) fn caught<T>(code: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(code)).ok()
}

impl<X> fmt::Debug for Work<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("id", &self.id).field("phase", &self.task.phase()).finish_non_exhaustive()
    }
}

impl<X> fmt::Debug for Done<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done")
            .field("id", &self.id)
            .field("error", &self.outcome.as_ref().err())
            .finish_non_exhaustive()
    }
}
