//! What a run came to.

use std::fmt;
use std::time::Duration;

/// A rule of a fleet. Its text is the rule's title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FleetRule {
    /// No two processes have a renewal in flight at the same time, and none begins without the lock. Excepted:
    /// a process that was halted while its request was out, or that lost the keeper of its lock meanwhile.
    OneRenewal,
    /// A refresh token is sent twice only where nobody can know what became of the first sending, and only by a
    /// session that has no login; or where the store had forgotten.
    NoReuse,
    /// A one-use token is sent only after its mark is in the store, under a lock that is still held.
    MarkThenSend,
    /// Whatever a session can be regained by, a login or the record, is enough once all is well.
    NoneLost,
    /// Whoever reads gets a whole record that somebody wrote.
    NoTornCell,
    /// No record is written over by one who has not seen it, or by an older one; no revision goes down.
    NoStaleCell,
    /// No process serves what is older than what it has served, or has read.
    NoStaleService,
    /// New credentials are announced after they are saved, or after a moment without a save.
    SaveThenTell,
    /// Valid credentials are served, whatever the store does.
    ValidNeverWait,
    /// What was signed out leaves the store, and stays out.
    SignOutClears,
    /// What one process signs out is signed out for all, until somebody signs in; then it is for all.
    SignOutHolds,
    /// Where a service wants quiet, nobody asks it; a password that is answered oddly is shown three times in an hour and
    /// eight times in a day, by all together.
    FailuresAreHeeded,
    /// Whoever waits is served or told within a bounded time.
    WaitsEnd,
    /// Little is asked of service and store, and a wake-up lies ahead.
    BoundedWork,
    /// A process that ends in order ends without a one-use token in flight, and without the lock.
    ProgramsEnd,
}

impl FleetRule {
    /// All of them.
    pub const ALL: [FleetRule; 15] = [
        FleetRule::OneRenewal,
        FleetRule::NoReuse,
        FleetRule::MarkThenSend,
        FleetRule::NoneLost,
        FleetRule::NoTornCell,
        FleetRule::NoStaleCell,
        FleetRule::NoStaleService,
        FleetRule::SaveThenTell,
        FleetRule::ValidNeverWait,
        FleetRule::SignOutClears,
        FleetRule::SignOutHolds,
        FleetRule::FailuresAreHeeded,
        FleetRule::WaitsEnd,
        FleetRule::BoundedWork,
        FleetRule::ProgramsEnd,
    ];

    /// The rule's title.
    pub const fn title(self) -> &'static str {
        match self {
            FleetRule::OneRenewal => "one renewal",
            FleetRule::NoReuse => "no reuse",
            FleetRule::MarkThenSend => "mark, then send",
            FleetRule::NoneLost => "none lost",
            FleetRule::NoTornCell => "no torn cell",
            FleetRule::NoStaleCell => "no stale cell",
            FleetRule::NoStaleService => "no stale service",
            FleetRule::SaveThenTell => "save, then tell",
            FleetRule::ValidNeverWait => "valid never wait",
            FleetRule::SignOutClears => "sign-out clears",
            FleetRule::SignOutHolds => "sign-out holds",
            FleetRule::FailuresAreHeeded => "failures are heeded",
            FleetRule::WaitsEnd => "waits end",
            FleetRule::BoundedWork => "bounded work",
            FleetRule::ProgramsEnd => "a program has an end",
        }
    }
}

impl fmt::Display for FleetRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// What a run came to. All figures are counts, unless they say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FleetReport {
    /// Runs.
    pub runs: u64,
    /// Processes, restarted ones included.
    pub processes: u64,
    /// Virtual time.
    pub time: Duration,
    /// Things that happened.
    pub events: u64,
    /// Requests that reached the service.
    pub requests: u64,
    /// Refreshes that were granted.
    pub refreshes: u64,
    /// Sign-ins that were granted.
    pub sign_ins: u64,
    /// Repeated refresh tokens, each within the rules.
    pub repeats: u64,
    /// Those of them that the service noticed.
    pub reuses: u64,
    /// Those of them that go back to a store that had forgotten.
    pub reuses_forgotten: u64,
    /// Renewals beside another one, each by a halted process.
    pub overlaps: u64,
    /// Operations on the store.
    pub store_ops: u64,
    /// Those of them that failed.
    pub store_failures: u64,
    /// Locks that somebody had to wait for.
    pub lock_waits: u64,
    /// Locks that ended by themselves.
    pub locks_lost: u64,
    /// Credentials taken up from another process.
    pub adoptions: u64,
    /// Credentials announced before they were saved.
    pub unsaved: u64,
    /// Deaths.
    pub crashes: u64,
    /// Halts and suspends.
    pub halts: u64,
    /// Times the store forgot.
    pub forgotten: u64,
    /// Sign-outs.
    pub sign_outs: u64,
    /// Processes that were signed out by another one.
    pub followed: u64,
    /// Fleets that needed a person in the end: no login was left that works.
    pub persons: u64,
    /// The longest that a caller waited.
    pub longest_wait: Duration,
    /// The most requests of one process in ten minutes.
    pub busiest: u64,
    /// The most operations of one process in ten minutes.
    pub busiest_store: u64,
    /// The longest that a fleet took to be well again.
    pub longest_recovery: Duration,
}

impl FleetReport {
    /// Adds another run.
    pub fn add(&mut self, other: &FleetReport) {
        for (sum, (_, figure)) in self.figures_mut().into_iter().zip(other.figures()) {
            *sum += figure;
        }
        self.time += other.time;
        self.longest_wait = self.longest_wait.max(other.longest_wait);
        self.longest_recovery = self.longest_recovery.max(other.longest_recovery);
        self.busiest = self.busiest.max(other.busiest);
        self.busiest_store = self.busiest_store.max(other.busiest_store);
    }

    fn figures_mut(&mut self) -> [&mut u64; 21] {
        [
            &mut self.runs,
            &mut self.processes,
            &mut self.events,
            &mut self.requests,
            &mut self.refreshes,
            &mut self.sign_ins,
            &mut self.repeats,
            &mut self.reuses,
            &mut self.reuses_forgotten,
            &mut self.overlaps,
            &mut self.store_ops,
            &mut self.store_failures,
            &mut self.lock_waits,
            &mut self.locks_lost,
            &mut self.adoptions,
            &mut self.unsaved,
            &mut self.crashes,
            &mut self.halts,
            &mut self.forgotten,
            &mut self.sign_outs,
            &mut self.followed,
        ]
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        let mut copy = *self;
        NAMES.into_iter().zip(copy.figures_mut().map(|figure| *figure)).collect()
    }
}

const NAMES: [&str; 21] = [
    "runs",
    "processes",
    "events",
    "requests",
    "refreshes granted",
    "sign-ins granted",
    "repeats within the rules",
    "  noticed as reuse",
    "  after the store forgot",
    "overlaps by halted processes",
    "store operations",
    "  failed",
    "locks waited for",
    "locks that ran out",
    "adoptions",
    "announced unsaved",
    "crashes",
    "halts",
    "times the store forgot",
    "sign-outs",
    "  heard of by other processes",
];

/// A table.
impl fmt::Display for FleetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, figure) in self.figures() {
            writeln!(f, "{name:<30}{figure:>14}")?;
        }
        writeln!(f, "{:<30}{:>14}", "fleets that needed a person", self.persons)?;
        writeln!(f, "{:<30}{:>12} h", "virtual time", self.time.as_secs() / 3600)?;
        writeln!(f, "{:<30}{:>12} s", "longest wait of a caller", self.longest_wait.as_secs())?;
        writeln!(f, "{:<30}{:>12} s", "longest recovery", self.longest_recovery.as_secs())?;
        writeln!(f, "{:<30}{:>14}", "most requests in 10 minutes", self.busiest)?;
        write!(f, "{:<30}{:>14}", "most store operations", self.busiest_store)
    }
}

/// A rule that was broken: where, by whom, and what had happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetViolation {
    /// The rule.
    pub rule: FleetRule,
    /// The seed.
    pub seed: u64,
    /// The virtual time.
    pub at: Duration,
    /// The process.
    pub process: usize,
    /// What was seen.
    pub what: String,
    /// The last things that happened.
    pub history: Vec<String>,
}

impl fmt::Display for FleetViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, seed, at, process, what, history } = self;
        for line in history {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "“{rule}” is broken by process {process} at {:.3} s: {what}", at.as_secs_f64())?;
        write!(f, "again: PERENNIAL_SEED={seed} cargo test -p perennial-simulation --test fleet -- --nocapture")
    }
}

impl std::error::Error for FleetViolation {}
