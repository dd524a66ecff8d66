//! Where the code of a provider runs: in the middle of an input, or where whoever drives the session takes it.

use super::Session;
use super::schedule::Pace;
use super::work::{Done, Place, Runs, Work};
use crate::credentials::{LeaseId, Now};
use crate::error::{ExchangePhase, ServiceError};
use crate::exchange::Provider;

impl<P: Provider> Session<P> {
    /// Makes the session hand out the code of its provider's exchanges (signing, parsing) as [`Work`], instead of
    /// running it inside [`handle_input`](Self::handle_input) and the commands. Use it if that code may block or be
    /// slow while others need the session: take the work with [`take_work`](Self::take_work), run it on any thread, and
    /// return the result with [`work_done`](Self::work_done).
    #[must_use]
    pub fn with_work_handed_out(mut self) -> Self {
        self.exchanges.runs = Runs::Elsewhere;
        self
    }

    /// The work of the exchange in flight, if there is some: ask after each input and command, before
    /// [`poll_output`](Self::poll_output). Until it is done the session takes every input and command; it gives the
    /// work up after [`WORK_TIMEOUT`](super::WORK_TIMEOUT).
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
        let flight = self.exchanges.in_flight.flight_mut()?;
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
            if self.leases[lease_id.index()].is_waited_for() || self.is_ready(lease_id) {
                self.back_off(lease_id, "driver", ServiceError::panicked(ExchangePhase::Request).into(), Pace::Outage);
            }
        }
    }

    /// Runs what there is to run, where that is to happen here.
    pub(super) fn run_work(&mut self) {
        while self.exchanges.runs == Runs::Here
            && let Some(work) = self.take_work(self.now)
        {
            self.worked(work.run());
        }
    }
}
