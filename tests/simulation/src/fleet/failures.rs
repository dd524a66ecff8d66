//! What one process meets at the service, all heed: a service that wants quiet, a password that was answered oddly.
//!
//! From outside it can be told only where clocks go as they should and the store keeps what is written.

use std::time::Duration;

use http::header;

use super::process::{Decided, Flight};
use super::report::FleetRule;
use super::request::End;
use super::scenario::Level;
use super::views::Quiet;
use super::world::World;
use perennial_core::Response;
use perennial_testing::Asked;

/// Wall clocks differ by two seconds each way where there is no trouble, and one writes what the other reads.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5);

const HOUR: Duration = Duration::from_secs(3600);

/// So often a password may be shown in the first hour, and in the first day, without a grant or a plain no.
const MOST_IN_HOUR: usize = 3;
const MOST_IN_DAY: usize = 8;

impl World {
    /// Whether what stands in the store means the same to all.
    fn is_understood(&self) -> bool {
        [self.scenario.clock_trouble, self.scenario.forgetting] == [Level::Never; 2]
    }

    /// Whether what one process has met always reaches the store.
    fn is_all_told(&self) -> bool {
        [self.scenario.store_trouble, self.scenario.crashes] == [Level::Never; 2]
    }

    /// A person decides something: nothing of before stands in the way.
    pub(super) fn forget_failures(&mut self) {
        (self.views.failures.quiet, self.views.failures.shown) = (None, Vec::new());
    }

    /// A process hears an answer.
    pub(super) fn observe_response(&mut self, process: usize, flight: Flight, response: &Response, end: End) {
        if !flight.renews || flight.orphaned {
            return;
        }
        let retry_after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        if let Some(seconds) = retry_after.filter(|_| matches!(response.status().as_u16(), 429 | 503)) {
            let until = self.now + Duration::from_secs(seconds);
            self.views.failures.quiet = Some(Quiet { until, heard_by: process, is_told: false });
        }
        let Asked::SignIn { password, .. } = self.requests[flight.first].asked.clone() else { return };
        let failures = &mut self.views.failures;
        failures.has_many_passwords |= failures.password.get_or_insert_with(|| password.clone()) != &password;
        match end {
            End::Granted(_) => failures.shown.clear(),
            End::Unknown | End::Unprocessed => failures.shown.push(self.now),
            End::Open | End::Refused => {}
        }
        let first = failures.shown.first().copied().unwrap_or_default();
        let within = |time: Duration| failures.shown.iter().filter(|at| **at < first + time).count();
        let (in_hour, in_day) = (within(HOUR), within(24 * HOUR));
        let too_often = in_hour > MOST_IN_HOUR || in_day > MOST_IN_DAY;
        if too_often && !failures.has_many_passwords && self.is_understood() && self.is_all_told() {
            let what = format!("a password was shown {in_hour} times in an hour, {in_day} in a day");
            self.breaks(FleetRule::FailuresAreHeeded, process, what);
        }
    }

    /// A process writes: what it has heard of quiet is in the record from now on. What a person has begun there is written
    /// without the failures of before.
    pub(super) fn observe_told_quiet(&mut self, process: usize) {
        if self.processes[process].sight.decided != Decided::No {
            return self.forget_failures();
        }
        if let Some(quiet) = self.views.failures.quiet.as_mut().filter(|quiet| quiet.heard_by == process) {
            quiet.is_told = true;
        }
    }

    /// An attempt begins.
    pub(super) fn check_quiet(&mut self, process: usize) {
        let Some(quiet) = self.views.failures.quiet.as_ref().filter(|quiet| quiet.is_told) else { return };
        let left = quiet.until.saturating_sub(self.now);
        // A person who signs in is not held up by it.
        let is_asked_by_person = self.processes[process].sight.decided != Decided::No;
        if left > CLOCKS_DIFFER && !is_asked_by_person && self.is_understood() {
            let what = format!("asks the service, which wants to be left alone for {left:?} yet");
            self.breaks(FleetRule::FailuresAreHeeded, process, what);
        }
    }
}
