//! What a year came to.

use std::fmt;
use std::time::Duration;

use super::standing::{Standing, share};

/// What years came to. All figures are counts, unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct YearReport {
    /// Years, or parts of one.
    pub years: u64,
    /// Virtual time.
    pub time: Duration,
    /// Things that happened.
    pub events: u64,
    /// Faults.
    pub faults: u64,
    /// How long it stood how with the access token, in the order of [`Standing::ALL`].
    pub standings: [Duration; 10],
    /// Times that a caller asked for credentials, repeated ones included.
    pub asked: u64,
    /// Callers that had to wait, and were served.
    pub waited: u64,
    /// Callers that were told an error.
    pub errors: u64,
    /// The longest that a caller waited, for credentials or an error.
    pub longest_wait: Duration,
    /// Leases that were renewed by the service.
    pub renewals: u64,
    /// Requests that were sent.
    pub requests: u64,
    /// Those of them that were sign-ins.
    pub sign_ins: u64,
    /// Those of them that were granted.
    pub sign_ins_granted: u64,
    /// Repeated refresh tokens, each within the rules.
    pub repeats: u64,
    /// Times that a person signed in.
    pub persons: u64,
    /// Operations on the store.
    pub store_ops: u64,
    /// Those of them that failed.
    pub store_failures: u64,
    /// Starts of the process.
    pub starts: u64,
    /// The most requests in a day.
    pub busiest_day: u64,
    /// A digest of all that went in and out: the same for the same year.
    pub digest: u64,
}

impl YearReport {
    /// Adds another year.
    pub fn add(&mut self, other: &YearReport) {
        for (sum, figure) in self.standings.iter_mut().zip(other.standings) {
            *sum += figure;
        }
        for (sum, figure) in self.counts_mut().into_iter().zip(other.clone().counts_mut()) {
            *sum += *figure;
        }
        self.time += other.time;
        self.longest_wait = self.longest_wait.max(other.longest_wait);
        self.busiest_day = self.busiest_day.max(other.busiest_day);
        self.digest = self.digest.wrapping_add(other.digest);
    }

    /// For how long somebody wanted credentials.
    pub fn wanted(&self) -> Duration {
        self.sum(|standing| standing != Standing::Idle)
    }

    /// For how long there were none though nothing but the session stood in the way.
    pub fn ours(&self) -> Duration {
        self.sum(Standing::is_ours)
    }

    /// For how long there were valid ones.
    pub fn valid(&self) -> Duration {
        self.sum(|standing| standing == Standing::Live)
    }

    /// A part of [`wanted`](Self::wanted) in millionths.
    pub fn share(&self, part: Duration) -> u64 {
        share(part, self.wanted())
    }

    fn sum(&self, counts: impl Fn(Standing) -> bool) -> Duration {
        let standings = Standing::ALL.into_iter().zip(self.standings);
        standings.filter(|(standing, _)| counts(*standing)).map(|(_, time)| time).sum()
    }

    /// In tenths a day.
    fn a_day(&self, count: u64) -> u64 {
        count.saturating_mul(864_000).checked_div(self.time.as_secs()).unwrap_or(0)
    }

    fn counts_mut(&mut self) -> [&mut u64; 15] {
        [
            &mut self.years,
            &mut self.events,
            &mut self.faults,
            &mut self.asked,
            &mut self.waited,
            &mut self.errors,
            &mut self.renewals,
            &mut self.requests,
            &mut self.sign_ins,
            &mut self.sign_ins_granted,
            &mut self.repeats,
            &mut self.persons,
            &mut self.store_ops,
            &mut self.store_failures,
            &mut self.starts,
        ]
    }
}

/// Millionths as a percentage with four decimals.
pub(super) fn percent(millionths: u64) -> String {
    format!("{}.{:04} %", millionths / 10_000, millionths % 10_000)
}

/// A table.
impl fmt::Display for YearReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |f: &mut fmt::Formatter<'_>, name: &str, figure: u64| writeln!(f, "{name:<38}{figure:>14}");
        let part = |f: &mut fmt::Formatter<'_>, name: &str, time: Duration| {
            writeln!(f, "{name:<38}{:>14}{:>14} s", percent(self.share(time)), time.as_secs())
        };
        let tenths = |f: &mut fmt::Formatter<'_>, name: &str, figure: u64| {
            let rate = self.a_day(figure);
            writeln!(f, "{name:<38}{figure:>14}{:>10}.{} a day", rate / 10, rate % 10)
        };
        count(f, "days", self.time.as_secs() / 86_400)?;
        count(f, "things that happened", self.events)?;
        count(f, "faults", self.faults)?;
        part(f, "time in which credentials were wanted", self.wanted())?;
        part(f, "  valid", self.valid())?;
        let others = Standing::ALL.into_iter().zip(self.standings);
        for (standing, time) in others.filter(|(standing, _)| *standing > Standing::Live && !standing.is_ours()) {
            part(f, &format!("  no way: {}", standing.title()), time)?;
        }
        part(f, "  remainder, which is ours", self.ours())?;
        part(f, "    asking the service", self.standings[Standing::Asking as usize])?;
        part(f, "    pausing after a failure", self.standings[Standing::Pausing as usize])?;
        tenths(f, "callers that asked", self.asked)?;
        tenths(f, "  waited, and were served", self.waited)?;
        tenths(f, "  were told an error", self.errors)?;
        writeln!(
            f,
            "{:<38}{:>12}.{} s",
            "longest wait",
            self.longest_wait.as_secs(),
            self.longest_wait.subsec_millis() / 100
        )?;
        tenths(f, "leases renewed", self.renewals)?;
        tenths(f, "requests", self.requests)?;
        tenths(f, "  sign-ins", self.sign_ins)?;
        tenths(f, "  sign-ins that were granted", self.sign_ins_granted)?;
        count(f, "  repeated one-use tokens, by the rules", self.repeats)?;
        count(f, "most requests in a day", self.busiest_day)?;
        count(f, "a person signed in", self.persons)?;
        tenths(f, "store operations", self.store_ops)?;
        count(f, "  failed", self.store_failures)?;
        write!(f, "{:<38}{:>14}", "starts of the process", self.starts)
    }
}
