//! The rules, by name, and what is said when one is broken.

use std::fmt;
use std::time::Duration;

use super::scenario::{DAYS, Year, moment};

/// A rule of a year. Its text is the rule's title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum YearRule {
    /// At most one exchange is in flight.
    OneAtATime,
    /// Credentials that are valid are served at once, and go on being served until their deadline.
    ValidNeverWait,
    /// A login that was refused is not tried again.
    RefusedStops,
    /// A one-use token is sent again only where its answer was lost and no login is there.
    NoReuse,
    /// With a store, a one-use token is sent only after its mark is saved.
    MarkThenSend,
    /// Little is asked of the service, and a wake-up lies ahead.
    BoundedWork,
    /// Nothing is served beyond its deadline, by whichever clock reaches it first.
    EarlierDeadline,
    /// Where nothing stands in the way any more, valid credentials are there soon.
    HealthyAgain,
    /// Whoever waits is served or told within a bounded time.
    WaitsEnd,
    /// A login is spent only where nothing cheaper is left, or a person wants it.
    SignInsJustified,
    /// Where nothing goes wrong nobody waits, and nobody is told an error.
    QuietIsQuiet,
}

impl YearRule {
    /// All of them.
    pub const ALL: [YearRule; 11] = [
        YearRule::OneAtATime,
        YearRule::ValidNeverWait,
        YearRule::RefusedStops,
        YearRule::NoReuse,
        YearRule::MarkThenSend,
        YearRule::BoundedWork,
        YearRule::EarlierDeadline,
        YearRule::HealthyAgain,
        YearRule::WaitsEnd,
        YearRule::SignInsJustified,
        YearRule::QuietIsQuiet,
    ];

    /// The rule's title.
    pub const fn title(self) -> &'static str {
        match self {
            YearRule::OneAtATime => "one at a time",
            YearRule::ValidNeverWait => "valid never wait",
            YearRule::RefusedStops => "refused stops",
            YearRule::NoReuse => "no reuse",
            YearRule::MarkThenSend => "mark, then send",
            YearRule::BoundedWork => "bounded work",
            YearRule::EarlierDeadline => "the earlier deadline",
            YearRule::HealthyAgain => "healthy again",
            YearRule::WaitsEnd => "waits end",
            YearRule::SignInsJustified => "sign-ins are justified",
            YearRule::QuietIsQuiet => "quiet is quiet",
        }
    }
}

impl fmt::Display for YearRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// A rule that was broken: in which year, when, and what had happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YearViolation {
    /// The rule.
    pub rule: YearRule,
    /// The year.
    pub year: Year,
    /// When, since the year began.
    pub at: Duration,
    /// What was seen.
    pub what: String,
    /// The last things that happened.
    pub history: Vec<String>,
}

impl fmt::Display for YearViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, year, at, what, history } = self;
        writeln!(f, "{:?}", year.account)?;
        for fault in &year.faults {
            writeln!(f, "{fault}")?;
        }
        for line in history {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "“{rule}” is broken on {}: {what}", moment(*at))?;
        write!(f, "again: PERENNIAL_SEED={}", year.seed)?;
        if year.days != (0..DAYS) {
            write!(f, " PERENNIAL_DAYS={}..{}", year.days.start, year.days.end)?;
        }
        let of_seed = Year::of(year.seed).days(year.days.clone());
        if year.faults != of_seed.faults {
            let numbers: Vec<String> = year.faults.iter().map(|fault| fault.number.to_string()).collect();
            write!(f, " PERENNIAL_FAULTS={}", if numbers.is_empty() { "none".into() } else { numbers.join(",") })?;
        }
        f.write_str(" cargo test -p perennial-simulation --test year -- --nocapture")
    }
}

impl std::error::Error for YearViolation {}
