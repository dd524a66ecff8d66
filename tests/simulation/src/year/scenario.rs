//! The year: who has the account, and the faults.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use crate::fleet::random::Random;
use perennial_core::{LeaseId, Policy};

/// The days of a year.
pub const DAYS: u16 = 365;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// A year, and what goes wrong in it. The same year always goes the same way, bit for bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Year {
    /// The seed: it decides the account, the faults, and what is left to chance between them.
    pub seed: u64,
    /// Who has the account, and how it is kept.
    pub account: Account,
    /// The days that are lived through, counted from zero.
    pub days: Range<u16>,
    /// The faults, in order of time.
    pub faults: Vec<Fault>,
    /// A fault in Perennial on purpose.
    pub sabotage: Option<Sabotage>,
}

/// Who has the account, and how it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The session's policy.
    pub policy: Policy,
    /// The process has the login. Else a person signs in at the service's own page.
    pub has_login: bool,
    /// There is a store: a restart goes on from there.
    pub has_store: bool,
    /// Callers who use credentials every quarter of an hour.
    pub keepers: u8,
    /// Callers who come some times a day.
    pub comers: u8,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number in the year of its seed, by which it is named.
    pub number: u16,
    /// When, since the year began.
    pub at: Duration,
    /// What.
    pub trouble: Trouble,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The service is down.
    Outage {
        /// For so long.
        lasts: Duration,
        /// In this way.
        down: Down,
    },
    /// The service does its work, and its answers are lost.
    AnswersLost {
        /// The answers to so many requests.
        many: u8,
    },
    /// The service takes its time.
    AnswersSlow {
        /// With so many answers.
        many: u8,
        /// So long.
        takes: Duration,
    },
    /// The service's clock is wrong from now on.
    Skew {
        /// By so many milliseconds.
        ahead: i64,
    },
    /// The machine's wall clock is set.
    ClockSet {
        /// To so many milliseconds ahead of the truth.
        ahead: i64,
    },
    /// The machine is suspended: its monotonic clock stops.
    Suspend {
        /// For so long.
        lasts: Duration,
    },
    /// The service's API refuses what it has granted.
    Rejection(LeaseId),
    /// The service ends every session of the user: it refuses to renew.
    SessionsEnded,
    /// Somebody changes the password elsewhere.
    NewPassword,
    /// The process ends, and comes back.
    Restart {
        /// After so long.
        after: Duration,
    },
    /// The store fails.
    StoreDown {
        /// For so long.
        lasts: Duration,
    },
}

/// How a service is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// Nothing can be sent.
    Unreachable,
    /// Connections break.
    Breaking,
    /// No answer comes.
    Silent,
    /// HTTP 500.
    Failing,
    /// HTTP 429 or 503, with a time at which to come again.
    Busy,
    /// HTTP 200 with a page of the maintenance.
    Page,
}

/// A fault in Perennial on purpose: the observer has to name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Takes a slow request for one that was never sent.
    ForgetsFlight,
    /// Withholds valid credentials while it renews them.
    WithholdsWhileRenewing,
    /// Signs in again with a login that was refused.
    RepeatsLogin,
    /// Takes refresh tokens for reusable.
    RepeatsToken,
    /// Sends a one-use token that is not marked.
    SendsWithoutMark,
    /// Wants to be woken at once, again and again.
    Spins,
    /// Asks for new credentials whenever it is woken.
    Hammers,
    /// Looks at the monotonic clock only.
    OneClock,
    /// Sleeps through the end of a pause.
    LosesWakes,
    /// Waits for an answer for ever.
    NoDeadlines,
    /// Finds nothing in the store after a restart.
    ForgetsRecord,
    /// Renews when it is too late.
    RenewsLate,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Sabotage; 12] = [
        Sabotage::ForgetsFlight,
        Sabotage::WithholdsWhileRenewing,
        Sabotage::RepeatsLogin,
        Sabotage::RepeatsToken,
        Sabotage::SendsWithoutMark,
        Sabotage::Spins,
        Sabotage::Hammers,
        Sabotage::OneClock,
        Sabotage::LosesWakes,
        Sabotage::NoDeadlines,
        Sabotage::ForgetsRecord,
        Sabotage::RenewsLate,
    ];
}

impl Year {
    /// The year of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x7965_6172_0000_0000);
        let account = Account::some(&mut random);
        // Most years are like the years of most people; some are terrible.
        let many = random.pick(6, &[25, 40, 60, 60, 300]);
        let many = many / 2 + random.below(many);
        let mut faults: Vec<(Duration, Trouble)> =
            (0..many).map(|_| (random.between(HOUR, DAY * u32::from(DAYS)), Trouble::some(&mut random))).collect();
        faults.sort_by_key(|(at, _)| *at);
        let fault = |(number, (at, trouble))| Fault { number, at, trouble };
        let faults = (0..).zip(faults).map(fault).collect();
        Self { seed, account, days: 0..DAYS, faults, sabotage: None }
    }

    /// Only these days, with their faults.
    #[must_use]
    pub fn days(mut self, days: Range<u16>) -> Self {
        let until = DAY * u32::from(days.end);
        self.faults.retain(|fault| fault.at >= DAY * u32::from(days.start) && fault.at < until);
        self.days = days;
        self
    }

    /// Only the faults with these numbers.
    #[must_use]
    pub fn only(mut self, numbers: &[u16]) -> Self {
        self.faults.retain(|fault| numbers.contains(&fault.number));
        self
    }

    /// With a fault in Perennial on purpose.
    #[must_use]
    pub fn with(mut self, sabotage: Sabotage) -> Self {
        self.sabotage = Some(sabotage);
        self
    }

    pub(super) fn is(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }
}

impl Account {
    fn some(random: &mut Random) -> Self {
        let mut policy = Policy::default();
        if random.one_in(4) {
            policy = policy.on_demand();
        }
        if random.one_in(6) {
            policy = policy.margin(Duration::from_secs(30 + random.below(1200)));
        }
        if random.one_in(6) {
            policy = policy.request_timeout(Duration::from_secs(10));
        }
        let has_login = !random.one_in(4);
        let has_store = !has_login || !random.one_in(3);
        if has_login && has_store && random.one_in(4) {
            policy = policy.persist_login();
        }
        let keepers = u8::try_from(random.below(3)).unwrap_or(0);
        let comers = u8::try_from(random.below(4)).unwrap_or(0).max(u8::from(keepers == 0));
        Self { policy, has_login, has_store, keepers, comers }
    }

    pub(super) fn is_on_demand(&self) -> bool {
        self.policy.refresh_mode == perennial_core::session::RefreshMode::OnDemand
    }
}

impl Trouble {
    fn some(random: &mut Random) -> Self {
        match random.below(100) {
            0..26 => Trouble::Outage {
                lasts: some_length(random),
                down: random
                    .pick(Down::Unreachable, &[Down::Breaking, Down::Silent, Down::Failing, Down::Busy, Down::Page]),
            },
            26..38 => Trouble::AnswersLost { many: u8::try_from(1 + random.below(3)).unwrap_or(1) },
            38..48 => Trouble::AnswersSlow {
                many: u8::try_from(1 + random.below(8)).unwrap_or(1),
                takes: random.between(Duration::from_secs(1), MINUTE),
            },
            48..52 => Trouble::Skew { ahead: some_offset(random, 3 * 3600) },
            52..60 => {
                let seconds = random.pick(2, &[120, 3600, 10 * 3600]);
                Trouble::ClockSet { ahead: some_offset(random, seconds) }
            }
            60..70 => Trouble::Suspend { lasts: some_length(random) },
            70..77 => Trouble::Rejection(random.pick(LeaseId::Access, &[LeaseId::Access, LeaseId::Aws])),
            77..80 => Trouble::SessionsEnded,
            80..83 => Trouble::NewPassword,
            83..94 => Trouble::Restart { after: random.pick(MINUTE, &[Duration::from_secs(2), MINUTE, 3 * HOUR]) },
            _ => Trouble::StoreDown { lasts: some_length(random) },
        }
    }

    /// How long it goes on by itself.
    pub(super) fn lasts(self) -> Duration {
        match self {
            Trouble::Outage { lasts, .. } | Trouble::Suspend { lasts } | Trouble::StoreDown { lasts } => lasts,
            Trouble::Restart { after } => after,
            _ => Duration::ZERO,
        }
    }
}

/// From seconds to a day, most of them short.
fn some_length(random: &mut Random) -> Duration {
    let most = match random.below(16) {
        0..5 => Duration::from_secs(20),
        5..11 => 10 * MINUTE,
        11..15 => 2 * HOUR,
        _ => DAY,
    };
    random.between(Duration::from_secs(1), most)
}

fn some_offset(random: &mut Random, seconds: u64) -> i64 {
    let width = i64::try_from(seconds * 1000).unwrap_or(0);
    i64::try_from(random.below(seconds * 2000)).unwrap_or(0) - width
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, at, trouble } = self;
        write!(f, "fault {number:<4} {}  {trouble}", moment(*at))
    }
}

/// A moment of the year: the day, counted from zero, and the time.
pub(super) fn moment(at: Duration) -> String {
    let (day, left) = (at.as_secs() / 86_400, at.as_secs() % 86_400);
    format!("day {day:>3} {:02}:{:02}:{:02}.{:03}", left / 3600, left / 60 % 60, left % 60, at.subsec_millis())
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Outage { lasts, down } => write!(f, "the service is down for {lasts:?}: {down:?}"),
            Trouble::AnswersLost { many } => write!(f, "{many} answers are lost"),
            Trouble::AnswersSlow { many, takes } => write!(f, "{many} answers take {takes:?}"),
            Trouble::Skew { ahead } => write!(f, "the service's clock goes wrong by {ahead} ms"),
            Trouble::ClockSet { ahead } => write!(f, "the wall clock is set wrong by {ahead} ms"),
            Trouble::Suspend { lasts } => write!(f, "the machine is suspended for {lasts:?}"),
            Trouble::Rejection(lease_id) => write!(f, "the API refuses the {lease_id}"),
            Trouble::SessionsEnded => f.write_str("the service ends every session of the user"),
            Trouble::NewPassword => f.write_str("a new password is set elsewhere"),
            Trouble::Restart { after } => write!(f, "the process ends, and starts after {after:?}"),
            Trouble::StoreDown { lasts } => write!(f, "the store is down for {lasts:?}"),
        }
    }
}
