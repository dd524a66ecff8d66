//! Code of a provider, as work: an exchange makes its first request, or reads an answer.
//!
//! A session never waits, but provider code may take its time: a key in hardware signs for seconds, a page of a
//! megabyte is read. And it may panic. So the session gives both away, the exchange with what it works on, and stays
//! usable meanwhile: the slot keeps the request's name, the lease and a deadline, and what comes back too late is
//! ignored. Who drives a session by hand sees none of this, unless he asks for it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::Session;
use super::schedule::Pace;
use crate::credentials::LeaseId;
use crate::credentials::{Grant, Now};
use crate::error::{Error, ExchangePhase, ServiceError, TransportError};
use crate::exchange::{Exchange, Provider, RequestId, Response, Step};

/// How long an exchange may take to make its first request, or to read one answer. Then that has failed.
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

/// Provider code to run: see [`Session::take_work`].
pub struct Work<X> {
    id: RequestId,
    exchange: X,
    task: Task,
    now: Now,
}

/// What came of a [`Work`]: give it back with [`Session::work_done`].
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

impl<P: Provider> Session<P> {
    /// Hands the work of exchanges out, from now on: whoever drives the session takes it with
    /// [`take_work`](Self::take_work), runs it where it holds nobody up, and brings back what came of it. Without
    /// this, exchanges run in the middle of the input or command that leads to them, and nothing else is to be done.
    #[must_use]
    pub fn with_work_handed_out(mut self) -> Self {
        self.runs = Runs::Elsewhere;
        self
    }

    /// The work of the exchange in flight, if there is some: ask after each input and command, before
    /// [`poll_output`](Self::poll_output). Until it is done the session takes every input and command; it gives the
    /// work up after [`WORK_TIMEOUT`].
    ///
    /// ```
    /// # use perennial_core::{Now, Provider, Session};
    /// # fn example<P: Provider>(mut session: Session<P>, now: Now) {
    /// while let Some(work) = session.take_work(now) {
    ///     let done = work.run(); // on any thread, while others use the session
    ///     session.work_done(done, now);
    /// }
    /// # }
    /// ```
    pub fn take_work(&mut self, now: Now) -> Option<Work<P::Exchange>> {
        self.tick(now);
        let now = self.now;
        let flight = self.in_flight.flight_mut()?;
        match std::mem::replace(&mut flight.place, Place::Away) {
            Place::Ready(exchange, task) => Some(Work { id: flight.id, exchange, task, now }),
            place => {
                flight.place = place;
                None
            }
        }
    }

    /// Takes back what came of the work. Too late is fine: then it is ignored, and counted.
    pub fn work_done(&mut self, done: Done<P::Exchange>, now: Now) {
        self.tick(now);
        self.worked(done);
        self.advance();
    }

    /// Whoever drives this session panicked, in code that is not the provider's. Callers who wait are told, and nothing
    /// begins before a pause is over: a driver that panics in every turn must not hammer the service.
    pub fn driver_panicked(&mut self, now: Now) {
        self.tick(now);
        for lease_id in LeaseId::ALL {
            if self.leases[lease_id.index()].awaited || self.is_ready(lease_id) {
                self.back_off(lease_id, "driver", ServiceError::panicked(ExchangePhase::Request).into(), Pace::Outage);
            }
        }
    }

    /// Runs what there is to run, where that is to happen here.
    pub(super) fn run_work(&mut self) {
        while self.runs == Runs::Here
            && let Some(work) = self.take_work(self.now)
        {
            self.worked(work.run());
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
