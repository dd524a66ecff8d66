//! What a session knows of one lease.

use std::time::Duration;

use super::methods::{Methods, Standing};
use super::schedule::{
    MAX_BACKOFF, MAX_BACKOFF_FOREGROUND, MAX_BACKOFF_PROGRAM, MIN_RETRY_INTERVAL, Pace, REJECTION_GRACE, Random,
};
use crate::credentials::{Generation, Now, Validity};
use crate::error::{Error, SessionError};

/// One lease: what is held, what callers and commands want, and what may be tried when.
#[derive(Debug, Default)]
pub(super) struct Lease {
    pub(super) held: Held,
    pub(super) demand: Demand,
    pub(super) trigger: Trigger,
    progress: Progress,
    attempt: Attempt,
    pub(super) methods: Methods,
    told: Told,
    /// How many attempts in a row have failed.
    failures: u32,
    attempted_at: Option<Duration>,
}

/// The generation that is held.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) generation: Generation,
    pub(super) service: Serving,
    /// When it was issued, as far as this session saw it.
    renewed_at: Option<Duration>,
    /// How many generations in a row were rejected right after their issue.
    rejections: u32,
    /// What spreads its renewal.
    jitter: Duration,
    pub(super) expiry: Expiry,
}

/// Whether the present generation is served, while it is valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Serving {
    /// Its deadline is to be relied on.
    #[default]
    Proven,
    /// It was saved by a clock that cannot be right, and may be over. Renewed before anybody gets it.
    Unproven,
    /// The same, and renewing it was tried: nobody said no, so it is served.
    Accepted,
    /// The same, and there is no way left to renew it: nobody gets it.
    Refused,
    /// The service's API rejected it: nobody gets it, and further rejections of it are the same news.
    Rejected,
}

impl Serving {
    pub(super) fn may_be_served(self) -> bool {
        matches!(self, Self::Proven | Self::Accepted)
    }
}

/// Whether it was told that the present generation has expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Expiry {
    #[default]
    Ahead,
    Told,
}

/// Who wants this lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Demand {
    /// Nobody has asked yet.
    #[default]
    None,
    /// Somebody has asked at some time: renewal goes on by itself.
    Background,
    /// Somebody has asked since the last attempt ended.
    Waiting,
}

/// What asks for a renewal before its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Trigger {
    #[default]
    None,
    /// A command, or a rejection by the API.
    Requested,
    /// A new login: only that may renew.
    NewLogin,
}

/// How the attempts at it go.
#[derive(Debug, Default)]
enum Progress {
    /// One may begin, or is under way.
    #[default]
    Ready,
    /// The last one goes on with its next method, at once.
    NextMethod,
    BackingOff(Pause),
    /// Nothing is left to try, and what callers are told.
    Exhausted(Box<Error>),
}

/// What the running attempt has met on its way from method to method.
#[derive(Debug, Default)]
struct Attempt {
    /// Failing methods that it has tried.
    passed: u32,
    /// The slowest pace that any of its failures calls for.
    pace: Pace,
}

/// What callers were told of failures.
#[derive(Debug, Default)]
struct Told {
    /// The last failure, until an attempt succeeds.
    error: Option<Box<Error>>,
    /// How many there were.
    count: u64,
}

/// A pause before the next attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    pub(super) until: Duration,
    since: Duration,
    why: Why,
}

/// Why there is a pause: whether it may be cut short, and what callers hear meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The service was not heard, or said that it has failed: a caller's impatience may cut the pause.
    Outage,
    /// The service answered, and asking again at once would bring the same answer.
    Answered,
    /// A generation was refused right after its issue: its renewal is delayed.
    Damped,
    /// Only the login is left to try, and it was shown too often lately.
    LoginRests,
}

impl Lease {
    // ---- What is wanted

    /// Whether somebody has asked since the last attempt ended.
    pub(super) fn is_waited_for(&self) -> bool {
        self.demand == Demand::Waiting
    }

    /// Somebody asks.
    pub(super) fn ask(&mut self) {
        self.demand = Demand::Waiting;
    }

    /// Whoever asked has been answered.
    pub(super) fn stop_waiting(&mut self) {
        if self.is_waited_for() {
            self.demand = Demand::Background;
        }
    }

    /// A renewal is commanded.
    pub(super) fn request_renewal(&mut self) {
        if self.trigger == Trigger::None {
            self.trigger = Trigger::Requested;
        }
    }

    pub(super) fn is_rejected(&self) -> bool {
        self.held.service == Serving::Rejected
    }

    pub(super) fn is_login_first(&self) -> bool {
        self.trigger == Trigger::NewLogin
    }

    /// A login came: it is tried before anything else.
    pub(super) fn try_login(&mut self) {
        self.trigger = Trigger::NewLogin;
        if self.demand == Demand::None {
            self.demand = Demand::Background;
        }
    }

    /// The new login is one of the ways from now on.
    pub(super) fn give_way(&mut self) {
        if self.is_login_first() {
            self.trigger = Trigger::Requested;
        }
    }

    /// The new login is no good: only a rejection still asks for a renewal.
    pub(super) fn abandon_login(&mut self) {
        self.trigger = if self.is_rejected() { Trigger::Requested } else { Trigger::None };
    }

    /// A rejection that was given up on is taken up again.
    fn take_rejection_up(&mut self) {
        if self.is_rejected() {
            self.request_renewal();
        }
    }

    // ---- Attempts

    /// When an attempt may begin at the earliest.
    pub(super) fn start_at(&self) -> Duration {
        let gap = self.attempted_at.map_or(Duration::ZERO, |at| at.saturating_add(MIN_RETRY_INTERVAL));
        match &self.progress {
            Progress::NextMethod => Duration::ZERO,
            Progress::BackingOff(pause) => pause.until.max(gap),
            Progress::Ready | Progress::Exhausted(_) => gap,
        }
    }

    /// When renewal is due, by the monotonic clock as it goes now.
    pub(super) fn renewal_at(&self, validity: &Validity, now: Now) -> Option<Duration> {
        if validity.is_uncertain() {
            return Some(now.monotonic);
        }
        let ahead = validity.margin().saturating_add(self.held.jitter);
        let left = validity.deadline()?.remaining(now).saturating_sub(ahead);
        Some(now.monotonic.saturating_add(left))
    }

    pub(super) fn begin(&mut self, now: Now) {
        if !self.is_moving_on() {
            self.attempt = Attempt::default();
        }
        self.progress = Progress::Ready;
        self.attempted_at = Some(now.monotonic);
    }

    /// The attempt goes on with its next method.
    pub(super) fn move_on(&mut self) {
        self.progress = Progress::NextMethod;
    }

    /// Whether the last attempt is going on with its next method.
    pub(super) fn is_moving_on(&self) -> bool {
        matches!(self.progress, Progress::NextMethod)
    }

    /// The attempt ends, or goes back to a cheaper method: neither at once. Whether it was going on.
    pub(super) fn stop_moving_on(&mut self) -> bool {
        let was = self.is_moving_on();
        if was {
            self.progress = Progress::Ready;
        }
        was
    }

    /// No attempt before the gap has passed, as after one.
    pub(super) fn delay(&mut self, now: Now) {
        self.stop_moving_on();
        self.attempted_at = Some(now.monotonic);
    }

    pub(super) fn falls_back_to_lost(&self, position: usize) -> bool {
        self.is_moving_on() && self.methods.standing(position) == Standing::AnswerLost
    }

    /// Whether an attempt that is `moving_on` goes past this method: it has tried it. One that failed in attempts before
    /// may work again.
    pub(super) fn has_passed(&self, position: usize, moving_on: bool) -> bool {
        moving_on && self.attempt.passed & (1 << position) != 0
    }

    /// Nobody knows what became of an attempt: from the second in a row each attempt goes on to the next method at once.
    pub(super) fn falter(&mut self, position: usize) {
        self.methods.falter(position);
        if self.methods.is_failing(position) {
            self.attempt.passed |= 1 << position;
        }
    }

    /// A method failed: the pause after the attempt is as long as any of its failures wants it.
    pub(super) fn slow_down(&mut self, pace: Pace) {
        self.attempt.pace = self.attempt.pace.max(pace);
    }

    // ---- What may work again

    /// A new one-use token came, without anything else that is new.
    pub(super) fn renew_token(&mut self, position: usize) {
        if self.methods.open(position) {
            self.resume();
            self.waits_for_no_login();
        }
    }

    /// What was refused with an old access token may work with a new one.
    pub(super) fn reopen(&mut self, position: usize) {
        let was_refused = self.methods.standing(position) == Standing::Refused && self.methods.open(position);
        if was_refused || self.exhausted().is_some() {
            // Back to a cheaper method: not within the gap.
            self.stop_moving_on();
            self.resume();
            self.take_rejection_up();
        }
    }

    /// New credentials: a new generation, a clean slate. Where they are past their end already, the pace stays.
    pub(super) fn renewed(&mut self, validity: &Validity, random: &mut Random, now: Now, issued_now: bool) {
        let is_over = validity.is_expired(now);
        let pause = self.pause().filter(|pause| is_over && pause.why == Why::Outage);
        let waits = self.is_waited_for() && (is_over || validity.is_uncertain());
        // A generation that lived its minute has shown that credentials are accepted.
        let has_shown = self.has_lived(now) && !self.is_rejected();
        *self = Self {
            held: Held {
                generation: self.held.generation.next(),
                service: if validity.is_uncertain() { Serving::Unproven } else { Serving::Proven },
                renewed_at: issued_now.then_some(now.monotonic),
                rejections: if has_shown { 0 } else { self.held.rejections },
                jitter: random.share_of(validity.margin() / 10),
                expiry: Expiry::Ahead,
            },
            demand: if waits { Demand::Waiting } else { Demand::Background },
            progress: pause.map_or(Progress::Ready, Progress::BackingOff),
            told: Told { error: self.told.error.take().filter(|_| pause.is_some()), count: self.told.count },
            failures: if is_over { self.failures } else { 0 },
            attempted_at: self.attempted_at,
            ..Self::default()
        };
    }

    /// Whether the present generation is past the time in which a refusal says that the service itself is wrong.
    fn has_lived(&self, now: Now) -> bool {
        self.held.renewed_at.is_some_and(|at| now.monotonic.saturating_sub(at) >= REJECTION_GRACE)
    }

    /// Forgets all but what callers count by.
    pub(super) fn reset(&mut self) {
        *self = Self {
            held: Held { generation: self.held.generation, ..Held::default() },
            told: Told { error: None, count: self.told.count },
            ..Self::default()
        };
    }

    /// A new login: what was refused to the old one, by the methods that show it, may be granted now. Whoever waits goes
    /// on waiting. A token that was lost or refused stays so.
    pub(super) fn new_login(&mut self, shows_login: u32) {
        self.take_rejection_up();
        self.progress = Progress::Ready;
        self.methods.new_login(shows_login);
        self.told.error = None;
        self.failures = 0;
        self.attempted_at = None;
    }

    /// The same login once more: the pause after an attempt stands.
    pub(super) fn same_login(&mut self) {
        self.take_rejection_up();
        self.stop_moving_on();
        self.resume();
    }

    // ---- Failures

    /// What the last attempt failed with, until one succeeds.
    pub(super) fn error(&self) -> Option<&Error> {
        self.told.error.as_deref()
    }

    /// The same, which is forgotten.
    pub(super) fn take_error(&mut self) -> Option<Error> {
        self.told.error.take().map(|error| *error)
    }

    /// A failure that those who wait are not told yet, or were told in other words.
    pub(super) fn note_error(&mut self, error: Error) {
        self.told.error = Some(Box::new(error));
    }

    /// How many failures callers were told.
    pub(super) fn failures_told(&self) -> u64 {
        self.told.count
    }

    /// Ends an attempt: everybody who waits is told.
    pub(super) fn report(&mut self, error: Error) {
        self.note_error(error);
        self.told.count = self.told.count.wrapping_add(1);
        self.stop_waiting();
    }

    /// What may be over was looked into: it is served from now on, or never.
    pub(super) fn settle(&mut self, service: Serving) {
        if self.held.service == Serving::Unproven {
            self.held.service = service;
        }
    }

    /// Nothing is left to try.
    pub(super) fn exhaust(&mut self, error: Error) {
        self.progress = Progress::Exhausted(Box::new(error));
        self.trigger = Trigger::None;
    }

    pub(super) fn exhausted(&self) -> Option<&Error> {
        match &self.progress {
            Progress::Exhausted(error) => Some(error),
            Progress::Ready | Progress::NextMethod | Progress::BackingOff(_) => None,
        }
    }

    fn resume(&mut self) {
        if self.exhausted().is_some() {
            self.progress = Progress::Ready;
        }
    }

    // ---- Pauses

    pub(super) fn pause(&self) -> Option<Pause> {
        match self.progress {
            Progress::BackingOff(pause) => Some(pause),
            Progress::Ready | Progress::NextMethod | Progress::Exhausted(_) => None,
        }
    }

    fn pause_mut(&mut self, why: Why) -> Option<&mut Pause> {
        match &mut self.progress {
            Progress::BackingOff(pause) if pause.why == why => Some(pause),
            _ => None,
        }
    }

    /// Where nothing is left to try, there is nothing to pause for.
    fn pause_for(&mut self, pause: Pause) {
        if self.exhausted().is_none() {
            self.progress = Progress::BackingOff(pause);
        }
    }

    /// An attempt failed and may succeed later: sets the pause, and tells.
    pub(super) fn back_off(&mut self, error: Error, pace: Pace, holds_valid: bool, random: &mut Random, now: Now) {
        self.failures = self.failures.saturating_add(1);
        let (longest, why) = match pace.max(self.attempt.pace) {
            Pace::Outage if self.is_waited_for() && !holds_valid => (MAX_BACKOFF_FOREGROUND, Why::Outage),
            Pace::Outage => (MAX_BACKOFF, Why::Outage),
            Pace::Answered => (MAX_BACKOFF, Why::Answered),
            Pace::ProgramAnswered => (MAX_BACKOFF_PROGRAM, Why::Answered),
        };
        let until = now.monotonic.saturating_add(random.backoff(self.failures, longest));
        // A rejection while the attempt was running has set a pause of its own: a failure does not cut that short.
        let damped = self.pause().filter(|pause| pause.why == Why::Damped && pause.until > until);
        self.pause_for(damped.unwrap_or(Pause { until, since: now.monotonic, why }));
        // What a new login or a rejection asks for is asked for until it is done.
        if self.trigger == Trigger::Requested && !self.is_rejected() {
            self.trigger = Trigger::None;
        }
        self.report(error);
    }

    /// A pause ends when the valid credentials do: then other ways may be right.
    pub(super) fn wake_by(&mut self, end: Duration) {
        if let Progress::BackingOff(pause) = &mut self.progress {
            pause.until = pause.until.min(end.max(pause.since.saturating_add(MIN_RETRY_INTERVAL)));
        }
    }

    /// Only the login is left to try, and it must not be shown before this.
    pub(super) fn rest_login(&mut self, until: Duration, now: Now) {
        self.pause_for(Pause { until, since: now.monotonic, why: Why::LoginRests });
    }

    /// A login that rests is no longer what there is to wait for.
    pub(super) fn waits_for_no_login(&mut self) {
        if self.pause_mut(Why::LoginRests).is_some() {
            self.progress = Progress::Ready;
        }
    }

    /// Whether a person could end the pause by signing in, and nothing else can.
    pub(super) fn awaits_person(&self, now: Now) -> bool {
        self.pause().is_some_and(|pause| pause.why == Why::LoginRests && pause.until > now.monotonic)
    }

    /// Whether the pause follows from a rejection by the API.
    pub(super) fn is_damped(&self) -> bool {
        self.pause().is_some_and(|pause| pause.why == Why::Damped)
    }

    /// Somebody asks, and nothing valid is held: our own pause in an outage need not be long.
    pub(super) fn shorten_backoff(&mut self) {
        if let Some(pause) = self.pause_mut(Why::Outage) {
            pause.until = pause.until.min(pause.since.saturating_add(MAX_BACKOFF_FOREGROUND));
        }
    }

    /// The API rejected the present generation: nobody gets it any more. Where a generation is rejected right after its
    /// issue, the renewal is delayed: it is not the credentials that are at fault.
    pub(super) fn reject(&mut self, random: &mut Random, now: Now) {
        let fresh = self.held.renewed_at.filter(|at| now.monotonic.saturating_sub(*at) < REJECTION_GRACE);
        self.held.rejections = if fresh.is_some() { self.held.rejections.saturating_add(1) } else { 0 };
        if let Some(until) = fresh.map(|at| at.saturating_add(random.backoff(self.held.rejections, MAX_BACKOFF))) {
            let is_longer = self.pause().is_none_or(|pause| pause.until < until);
            if is_longer && !self.is_moving_on() {
                self.pause_for(Pause { until, since: now.monotonic, why: Why::Damped });
            }
            let rejected = || Box::new(SessionError::CredentialsRejected { retry_at: None }.into());
            self.told.error.get_or_insert_with(rejected);
        }
        self.held.service = Serving::Rejected;
        self.request_renewal();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Timestamp;

    fn now(seconds: u64) -> Now {
        Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(seconds))
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn error() -> Error {
        SessionError::SignedOut.into()
    }

    fn exhausted() -> Lease {
        Lease { progress: Progress::Exhausted(error().into()), ..Lease::default() }
    }

    fn moving_on() -> Lease {
        Lease { progress: Progress::NextMethod, ..Lease::default() }
    }

    /// Its generation was issued at that second.
    fn issued(seconds: u64, rejections: u32) -> Lease {
        let held = Held { renewed_at: Some(at(seconds)), rejections, ..Held::default() };
        Lease { held, ..Lease::default() }
    }

    fn reject(lease: &mut Lease, seconds: u64) {
        lease.reject(&mut Random::new(7), now(seconds));
    }

    #[test]
    fn only_an_attempt_that_goes_on_falls_back_to_a_method_whose_answer_was_lost() {
        let mut lease = Lease::default();
        lease.methods.lose_answer(1);
        assert!(!lease.falls_back_to_lost(1));
        lease.move_on();
        assert!(lease.falls_back_to_lost(1) && !lease.falls_back_to_lost(2));
    }

    #[test]
    fn a_new_one_use_token_clears_its_own_method_and_what_had_stopped_for_it() {
        for (lost, position, goes_on) in [(true, 1, true), (false, 1, true), (true, 3, false)] {
            let mut lease = exhausted();
            if lost {
                lease.methods.lose_answer(1);
            } else {
                lease.methods.refuse(1);
            }
            lease.methods.lose_answer(2);
            lease.methods.refuse(0);
            lease.renew_token(position);
            assert_eq!(lease.exhausted().is_none(), goes_on);
            assert_eq!(lease.methods.standing(1) == Standing::Open, goes_on);
            assert_eq!(lease.methods.standing(2), Standing::AnswerLost, "others stay");
            assert_eq!(lease.methods.standing(0), Standing::Refused, "others stay");
        }
        let mut lease = exhausted();
        lease.methods.lose_answer(1);
        lease.methods.refuse(1);
        lease.renew_token(1);
        assert!(lease.exhausted().is_none(), "lost, then refused");
    }

    #[test]
    fn a_new_access_token_allows_what_it_may_help() {
        let rejected = |mut lease: Lease| {
            lease.held.service = Serving::Rejected;
            lease
        };
        let mut lease = rejected(moving_on());
        lease.methods.refuse(1);
        lease.methods.refuse(2);
        lease.reopen(1);
        assert_eq!((lease.methods.standing(1), lease.methods.standing(2)), (Standing::Open, Standing::Refused));
        assert!(!lease.is_moving_on() && lease.trigger == Trigger::Requested, "a rejection is taken up again");

        let mut stopped = exhausted();
        stopped.reopen(1);
        assert!(stopped.trigger == Trigger::None && stopped.exhausted().is_none());

        let mut going = rejected(moving_on());
        going.methods.refuse(2);
        going.reopen(1);
        assert!(going.is_moving_on() && going.trigger == Trigger::None, "it was not in the way");
    }

    #[test]
    fn an_attempt_and_a_hold_both_start_the_gap() {
        let mut lease = moving_on();
        assert_eq!(lease.start_at(), Duration::ZERO);
        lease.begin(now(10));
        assert!(!lease.is_moving_on());
        assert_eq!(lease.start_at(), at(11));
        lease.move_on();
        assert_eq!(lease.start_at(), Duration::ZERO, "the next method at once");
        lease.delay(now(20));
        assert_eq!(lease.start_at(), at(21));
    }

    #[test]
    fn a_pause_in_an_outage_is_short_for_who_waits_and_one_after_an_answer_is_not() {
        let answered = Pace::Answered;
        let failed = |waits, pace, holds_valid| {
            let mut lease = Lease { failures: 20, ..Lease::default() };
            if waits {
                lease.ask();
            }
            lease.back_off(error(), pace, holds_valid, &mut Random::new(7), now(100));
            assert!(!lease.is_waited_for() && lease.failures_told() == 1 && lease.error().is_some());
            assert_eq!(lease.failures, 21);
            lease
        };
        let hurried = |mut lease: Lease| {
            lease.shorten_backoff();
            lease.start_at()
        };
        let soon = failed(true, Pace::Outage, false).start_at();
        assert!((at(103)..=at(105)).contains(&soon), "{soon:?}");
        for (waits, pace, holds_valid) in
            [(true, Pace::Outage, true), (false, Pace::Outage, false), (true, answered, false), (false, answered, true)]
        {
            assert!(failed(waits, pace, holds_valid).start_at() > at(300));
        }
        assert_eq!(hurried(failed(false, Pace::Outage, false)), at(105));
        assert!(hurried(failed(false, answered, false)) > at(300), "whoever asks");
        let program = Pace::ProgramAnswered;
        assert!(failed(true, program, false).start_at() > at(2700));
    }

    #[test]
    fn a_failure_does_not_cut_the_pause_after_a_fresh_rejection_short() {
        let mut lease = issued(0, 4);
        lease.begin(now(1));
        // The API rejects the generation that is held while its renewal is under way.
        reject(&mut lease, 1);
        let paused_until = lease.start_at();
        assert!(paused_until > at(5), "{paused_until:?}");
        lease.back_off(error(), Pace::Outage, false, &mut Random::new(7), now(2));
        assert_eq!(lease.start_at(), paused_until);
    }

    #[test]
    fn a_failure_ends_a_wish_for_new_ones_but_not_a_login_or_a_rejection() {
        let after = |trigger, service| {
            let mut lease = Lease { trigger, ..Lease::default() };
            lease.held.service = service;
            lease.back_off(error(), Pace::Outage, true, &mut Random::new(7), now(100));
            lease.trigger
        };
        assert_eq!(after(Trigger::Requested, Serving::Proven), Trigger::None);
        assert_eq!(after(Trigger::NewLogin, Serving::Proven), Trigger::NewLogin);
        assert_eq!(after(Trigger::Requested, Serving::Rejected), Trigger::Requested);
    }

    #[test]
    fn an_attempt_passes_by_what_it_has_tried_and_what_keeps_failing() {
        let mut lease = Lease::default();
        lease.falter(1);
        lease.falter(1);
        lease.falter(2);
        assert!(!lease.has_passed(1, false), "only one that goes on passes by it");
        assert!(lease.has_passed(1, true) && !lease.has_passed(2, true));
        lease.renew_token(1);
        assert!(lease.methods.is_failing(1), "a token alone is no success");
        lease.begin(now(1));
        assert!(!lease.has_passed(1, true), "another attempt tries it again");
    }

    #[test]
    fn what_is_rejected_right_after_its_issue_is_withdrawn_and_renewed_at_backoff_pace() {
        let mut lease = issued(100, 0);
        reject(&mut lease, 159);
        assert!(lease.is_rejected() && lease.trigger == Trigger::Requested && lease.error().is_some());
        assert_eq!((lease.held.rejections, lease.start_at()), (1, at(101)));
        reject(&mut lease, 159);
        assert!(lease.is_rejected(), "nobody gets it again");
        assert_eq!(lease.held.rejections, 2);
        assert!(lease.is_damped());
        // A longer pause stands.
        let pause = |until| Progress::BackingOff(Pause { until: at(until), since: at(90), why: Why::Outage });
        let mut paused = Lease { progress: pause(500), ..issued(100, 0) };
        reject(&mut paused, 110);
        assert_eq!(paused.start_at(), at(500));
        assert!(!paused.is_damped(), "it is not of the rejection");
        let mut level = Lease { progress: pause(101), ..issued(100, 0) };
        reject(&mut level, 110);
        assert_eq!(level.pause().map(|pause| pause.since), Some(at(90)), "one that ends at that moment stands");

        let mut old = issued(100, 5);
        reject(&mut old, 160);
        assert!(old.is_rejected() && old.pause().is_none());
        assert_eq!(old.held.rejections, 0);
    }

    #[test]
    fn what_is_given_up_on_stays_so_when_it_is_rejected_and_is_taken_up_again_with_a_login() {
        let mut lease = Lease { progress: Progress::Exhausted(error().into()), ..issued(100, 0) };
        reject(&mut lease, 110);
        assert!(lease.exhausted().is_some() && lease.is_rejected());
        lease.back_off(error(), Pace::Outage, false, &mut Random::new(7), now(110));
        assert!(lease.exhausted().is_some(), "there is nothing to pause for");
        lease.exhaust(error());
        assert_eq!(lease.trigger, Trigger::None);
        lease.same_login();
        assert!(lease.exhausted().is_none() && lease.trigger == Trigger::Requested);
    }

    #[test]
    fn a_delay_after_rejections_is_not_cut_by_who_asks_and_a_generation_that_nobody_rejected_ends_the_count() {
        let mut lease = issued(100, 6);
        reject(&mut lease, 100);
        let until = lease.start_at();
        lease.shorten_backoff();
        assert!(until > at(140) && lease.start_at() == until, "{until:?}");
        let validity = Validity::with_lifetime(now(200), at(3600));
        lease.renewed(&validity, &mut Random::new(7), now(200), true);
        assert_eq!(lease.held.rejections, 7);
        lease.renewed(&validity, &mut Random::new(7), now(300), true);
        assert_eq!(lease.held.rejections, 0);
    }

    #[test]
    fn a_login_that_rests_is_no_matter_of_haste() {
        let mut lease = moving_on();
        lease.rest_login(at(3700), now(100));
        lease.shorten_backoff();
        assert_eq!(lease.start_at(), at(3700));
        assert!(lease.awaits_person(now(3699)) && !lease.awaits_person(now(3700)));
        lease.waits_for_no_login();
        assert_eq!(lease.start_at(), Duration::ZERO);
    }

    #[test]
    fn a_login_that_gives_way_is_still_asked_for_and_one_that_is_abandoned_is_not() {
        let mut lease = Lease::default();
        lease.try_login();
        assert_eq!((lease.trigger, lease.demand), (Trigger::NewLogin, Demand::Background));
        lease.request_renewal();
        assert!(lease.is_login_first(), "the login stays the only way");
        lease.give_way();
        assert_eq!(lease.trigger, Trigger::Requested);
        lease.try_login();
        lease.abandon_login();
        assert_eq!(lease.trigger, Trigger::None);
        lease.held.service = Serving::Rejected;
        lease.abandon_login();
        assert_eq!(lease.trigger, Trigger::Requested);
    }

    #[test]
    fn renewal_is_due_ahead_of_the_deadline_by_margin_and_jitter() {
        let validity = Validity::with_lifetime(now(100), at(1000)).with_margin(at(200));
        let lease = Lease { held: Held { jitter: at(7), ..Held::default() }, ..Lease::default() };
        assert_eq!(lease.renewal_at(&validity, now(100)), Some(at(100 + 1000 - 207)));
        assert_eq!(lease.renewal_at(&validity, now(1050)), Some(at(1050)), "not before now");
        assert_eq!(lease.renewal_at(&Validity::unknown(now(100)), now(100)), None);
        assert_eq!(lease.renewal_at(&validity.uncertain(), now(300)), Some(at(300)));
    }

    #[test]
    fn a_renewal_is_a_clean_slate_unless_it_is_over_when_it_comes() {
        let before = || {
            let mut lease = Lease { failures: 3, attempted_at: Some(at(9)), ..Lease::default() };
            (lease.held.rejections, lease.told.count) = (1, 5);
            lease.held.service = Serving::Rejected;
            lease.ask();
            lease.request_renewal();
            lease
        };
        let mut renewed = before();
        renewed.renewed(&Validity::with_lifetime(now(10), at(60)), &mut Random::new(7), now(10), true);
        assert_eq!((renewed.demand, renewed.trigger), (Demand::Background, Trigger::None));
        assert_eq!((renewed.failures, renewed.held.rejections, renewed.failures_told()), (0, 1, 5));
        assert_eq!((renewed.held.renewed_at, renewed.held.generation.get()), (Some(at(10)), 1));
        let mut spread = Lease { held: renewed.held, ..before() };
        spread.renewed(
            &Validity::with_lifetime(now(10), at(400)).with_margin(at(100)),
            &mut Random::new(7),
            now(10),
            true,
        );
        let jitter = spread.held.jitter;
        assert!(jitter > Duration::ZERO && jitter < at(10), "a tenth of the margin at most");
        assert_eq!((spread.attempted_at, spread.held.generation.get()), (Some(at(9)), 2));
        spread.reset();
        assert_eq!((spread.attempted_at, spread.held.generation.get(), spread.failures_told()), (None, 2, 5));
        let mut over = before();
        over.renewed(&Validity::with_lifetime(now(10), Duration::ZERO), &mut Random::new(7), now(10), false);
        assert_eq!((over.is_waited_for(), over.failures, over.held.renewed_at), (true, 3, None));
    }
}
