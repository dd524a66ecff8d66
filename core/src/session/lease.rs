//! What a session knows of one lease.

use std::time::Duration;

use super::schedule::{
    MAX_BACKOFF, MAX_BACKOFF_FOREGROUND, MAX_BACKOFF_PROGRAM, MIN_RETRY_INTERVAL, Pace, REJECTION_GRACE, Random,
};
use crate::credentials::{Generation, Now, Validity};
use crate::error::{Error, SessionError};

/// One lease: wishes (what callers asked for), which of its methods may be tried, and when it may be tried again.
#[derive(Debug, Default)]
pub(super) struct Lease {
    pub(super) generation: Generation,

    /// Somebody has asked since the last attempt ended.
    pub(super) awaited: bool,
    /// Somebody has asked at all: renewal goes on by itself.
    pub(super) auto_renew: bool,
    /// A renewal was commanded.
    pub(super) renew_requested: bool,
    /// The service's API refused the present generation: nobody gets it, and further refusals of it are the same news.
    pub(super) rejected: bool,
    /// A new login came: only it may renew.
    pub(super) login_first: bool,
    pub(super) age: Age,

    /// Methods, by their position, that were refused since the last success.
    refused: u32,
    /// Methods that sent a one-use token and got no answer.
    lost: u32,
    /// Methods whose last attempt had an unknown outcome.
    failed_once: u32,
    /// Methods whose last two attempts, or more, had an unknown outcome.
    failed_twice: u32,
    attempt: Attempt,
    /// The last attempt is going on with its next method.
    pub(super) next_method: bool,
    /// Nothing is left to try, and what callers are told.
    pub(super) exhausted: Option<Box<Error>>,

    /// What the last attempt failed with, until one succeeds.
    pub(super) error: Option<Box<Error>>,
    /// How many failures callers were told.
    pub(super) failures_reported: u64,
    failures: u32,
    rejections: u32,
    pub(super) retry: Option<Retry>,
    attempted_at: Option<Duration>,
    renewed_at: Option<Duration>,
    jitter: Duration,
    pub(super) expiry_told: bool,
}

/// What the running attempt has met on its way from method to method.
#[derive(Debug, Default)]
struct Attempt {
    /// Failing methods that it has tried.
    passed: u32,
    /// The slowest pace that any of its failures calls for.
    pace: Pace,
}

/// What is known of how old the present generation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Age {
    /// Its deadline is to be relied on.
    #[default]
    Known,
    /// It was saved by a clock that cannot be right, and may be over. Renewed before anybody gets it.
    Unproven,
    /// The same, and renewing it was tried: nobody said no, so it is served.
    Accepted,
    /// The same, and there is no way left to renew it: nobody gets it.
    Refused,
}

impl Age {
    pub(super) fn may_be_served(self) -> bool {
        matches!(self, Self::Known | Self::Accepted)
    }
}

/// A pause before the next attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    pub(super) at: Duration,
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
    /// When an attempt may begin at the earliest.
    pub(super) fn start_at(&self) -> Duration {
        if self.next_method {
            return Duration::ZERO;
        }
        let gap = self.attempted_at.map_or(Duration::ZERO, |at| at.saturating_add(MIN_RETRY_INTERVAL));
        self.retry.map_or(gap, |retry| retry.at.max(gap))
    }

    /// When renewal is due, by the monotonic clock as it goes now.
    pub(super) fn renewal_at(&self, validity: &Validity, now: Now) -> Option<Duration> {
        if validity.is_uncertain() {
            return Some(now.monotonic);
        }
        let ahead = validity.margin().saturating_add(self.jitter);
        let left = validity.deadline()?.remaining(now).saturating_sub(ahead);
        Some(now.monotonic.saturating_add(left))
    }

    pub(super) fn begin(&mut self, now: Now) {
        if !self.next_method {
            self.attempt = Attempt::default();
        }
        self.next_method = false;
        self.retry = None;
        self.attempted_at = Some(now.monotonic);
    }

    /// No attempt before the gap has passed, as after one.
    pub(super) fn delay(&mut self, now: Now) {
        self.next_method = false;
        self.attempted_at = Some(now.monotonic);
    }

    pub(super) fn falls_back_to_lost(&self, position: usize) -> bool {
        self.next_method && self.is_lost(position)
    }

    pub(super) fn is_refused(&self, position: usize) -> bool {
        self.refused & (1 << position) != 0
    }

    pub(super) fn is_lost(&self, position: usize) -> bool {
        self.lost & (1 << position) != 0
    }

    /// Whether this attempt goes past this method: this attempt has tried it. One that failed in attempts before may work again.
    pub(super) fn has_passed(&self, position: usize) -> bool {
        self.next_method && self.attempt.passed & (1 << position) != 0
    }

    pub(super) fn mark_refused(&mut self, position: usize) {
        self.refused |= 1 << position;
    }

    /// Nobody knows what became of an attempt. One such failure may be chance; with the second in a row the method
    /// counts as failing, and each attempt goes on to the next one at once.
    pub(super) fn falter(&mut self, position: usize) {
        let bit = 1 << position;
        self.failed_twice |= self.failed_once & bit;
        self.failed_once |= bit;
        self.attempt.passed |= self.failed_twice & bit;
    }

    /// A method failed: the pause after the attempt is as long as any of its failures wants it.
    pub(super) fn slow_down(&mut self, pace: Pace) {
        self.attempt.pace = self.attempt.pace.max(pace);
    }

    pub(super) fn is_failing(&self, position: usize) -> bool {
        self.failed_twice & (1 << position) != 0
    }

    fn forgive(&mut self, bit: u32) {
        self.failed_once &= !bit;
        self.failed_twice &= !bit;
    }

    pub(super) fn mark_lost(&mut self, position: usize) {
        self.lost |= 1 << position;
    }

    /// A new one-use token came, without anything else that is new.
    pub(super) fn renew_token(&mut self, position: usize) {
        let bit = 1 << position;
        if (self.lost | self.refused) & bit != 0 {
            self.exhausted = None;
            self.waits_for_no_login();
        }
        self.lost &= !bit;
        self.refused &= !bit;
    }

    /// What was refused with an old access token may work with a new one.
    pub(super) fn reopen(&mut self, position: usize) {
        if self.is_refused(position) || self.exhausted.is_some() {
            // Back to a cheaper method: not within the gap. A refusal that was given up on is taken up again.
            self.next_method = false;
            self.renew_requested |= self.rejected;
        }
        self.refused &= !(1 << position);
        self.exhausted = None;
    }

    /// New credentials: a new generation, a clean slate. Where they are past their end already, the pace stays.
    pub(super) fn renewed(&mut self, validity: &Validity, random: &mut Random, now: Now, issued_now: bool) {
        let retry = self.retry.filter(|retry| validity.is_expired(now) && retry.why == Why::Outage);
        *self = Self {
            error: self.error.take().filter(|_| retry.is_some()),
            retry,
            generation: self.generation.next(),
            failures_reported: self.failures_reported,
            // A generation that lived its minute has shown that credentials are accepted.
            rejections: if self.has_lived(now) && !self.rejected { 0 } else { self.rejections },
            attempted_at: self.attempted_at,
            auto_renew: true,
            age: if validity.is_uncertain() { Age::Unproven } else { Age::Known },
            // Over when it comes, or perhaps so: the pace stays, and callers still wait.
            failures: if validity.is_expired(now) { self.failures } else { 0 },
            awaited: self.awaited && (validity.is_expired(now) || validity.is_uncertain()),
            renewed_at: issued_now.then_some(now.monotonic),
            jitter: random.share_of(validity.margin() / 10),
            ..Self::default()
        };
    }

    /// Whether the present generation is past the time in which a refusal says that the service itself is wrong.
    fn has_lived(&self, now: Now) -> bool {
        self.renewed_at.is_some_and(|at| now.monotonic.saturating_sub(at) >= REJECTION_GRACE)
    }

    /// Forgets all but what callers count by.
    pub(super) fn reset(&mut self) {
        *self = Self { generation: self.generation, failures_reported: self.failures_reported, ..Self::default() };
    }

    /// A new login: what was refused to the old one, by the methods that show it, may be granted now. Whoever waits goes
    /// on waiting. A token that was lost or refused stays so.
    pub(super) fn new_login(&mut self, shows_login: u32) {
        self.same_login();
        self.refused &= !shows_login;
        self.forgive(u32::MAX);
        self.error = None;
        self.failures = 0;
        self.retry = None;
        self.attempted_at = None;
    }

    /// The same login once more: the pause after an attempt stands.
    pub(super) fn same_login(&mut self) {
        // A refusal that was given up on is taken up again.
        self.renew_requested |= self.rejected;
        self.next_method = false;
        self.exhausted = None;
    }

    /// Ends an attempt: everybody who waits is told.
    pub(super) fn report(&mut self, error: Error) {
        self.error = Some(Box::new(error));
        self.failures_reported = self.failures_reported.wrapping_add(1);
        self.awaited = false;
    }

    /// What may be over was looked into: it is served from now on, or never.
    pub(super) fn settle_age(&mut self, age: Age) {
        if self.age == Age::Unproven {
            self.age = age;
        }
    }

    /// An attempt failed and may succeed later: sets the pause, and tells.
    pub(super) fn back_off(&mut self, error: Error, pace: Pace, holds_valid: bool, random: &mut Random, now: Now) {
        self.failures = self.failures.saturating_add(1);
        let (longest, why) = match pace.max(self.attempt.pace) {
            Pace::Outage if self.awaited && !holds_valid => (MAX_BACKOFF_FOREGROUND, Why::Outage),
            Pace::Outage => (MAX_BACKOFF, Why::Outage),
            Pace::Answered => (MAX_BACKOFF, Why::Answered),
            Pace::ProgramAnswered => (MAX_BACKOFF_PROGRAM, Why::Answered),
        };
        let pause = random.backoff(self.failures, longest);
        let at = now.monotonic.saturating_add(pause);
        // A rejection while the attempt was running has set a pause of its own: a failure does not cut that short.
        let damped = self.retry.filter(|retry| retry.why == Why::Damped && retry.at > at);
        self.retry = damped.or(Some(Retry { at, since: now.monotonic, why }));
        // What a new login or a refusal asks for is asked for until it is done.
        self.renew_requested &= self.login_first || self.rejected;
        self.report(error);
    }

    /// A pause ends when the valid credentials do: then other ways may be right.
    pub(super) fn wake_by(&mut self, end: Duration) {
        if let Some(retry) = &mut self.retry {
            retry.at = retry.at.min(end.max(retry.since.saturating_add(MIN_RETRY_INTERVAL)));
        }
    }

    /// Only the login is left to try, and it must not be shown before this.
    pub(super) fn rest_login(&mut self, until: Duration, now: Now) {
        self.next_method = false;
        self.retry = Some(Retry { at: until, since: now.monotonic, why: Why::LoginRests });
    }

    /// A login that rests is no longer what there is to wait for.
    pub(super) fn waits_for_no_login(&mut self) {
        self.retry.take_if(|retry| retry.why == Why::LoginRests);
    }

    /// Whether a person could end the pause by signing in, and nothing else can.
    pub(super) fn awaits_person(&self, now: Now) -> bool {
        self.retry.is_some_and(|retry| retry.why == Why::LoginRests && retry.at > now.monotonic)
    }

    /// Whether the pause follows from a refusal by the API.
    pub(super) fn is_damped(&self) -> bool {
        self.retry.is_some_and(|retry| retry.why == Why::Damped)
    }

    /// Somebody asks, and nothing valid is held: our own pause in an outage need not be long.
    pub(super) fn shorten_backoff(&mut self) {
        if let Some(retry) = self.retry.as_mut().filter(|retry| retry.why == Why::Outage) {
            retry.at = retry.at.min(retry.since.saturating_add(MAX_BACKOFF_FOREGROUND));
        }
    }

    /// The API refused the present generation: nobody gets it any more. Where a generation is refused right after its
    /// issue, the renewal is delayed: it is not the credentials that are at fault.
    pub(super) fn reject(&mut self, random: &mut Random, now: Now) {
        let fresh = self.renewed_at.filter(|at| now.monotonic.saturating_sub(*at) < REJECTION_GRACE);
        self.rejections = if fresh.is_some() { self.rejections.saturating_add(1) } else { 0 };
        if let Some(at) = fresh.map(|at| at.saturating_add(random.backoff(self.rejections, MAX_BACKOFF))) {
            if self.retry.is_none_or(|retry| retry.at < at) {
                self.retry = Some(Retry { at, since: now.monotonic, why: Why::Damped });
            }
            self.error.get_or_insert_with(|| Box::new(SessionError::CredentialsRejected { retry_at: None }.into()));
        }
        self.rejected = true;
        self.renew_requested = true;
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

    #[test]
    fn each_method_is_lost_and_refused_by_itself() {
        let mut lease = Lease::default();
        lease.mark_lost(1);
        lease.mark_refused(2);
        let methods = |lease: &Lease| [0, 1, 2, 3].map(|method| (lease.is_lost(method), lease.is_refused(method)));
        assert_eq!(methods(&lease), [(false, false), (true, false), (false, true), (false, false)]);
        lease.mark_lost(1);
        lease.mark_refused(2);
        assert_eq!(methods(&lease), [(false, false), (true, false), (false, true), (false, false)]);
        assert!(!lease.falls_back_to_lost(1), "only a fall is held");
        lease.next_method = true;
        assert!(lease.falls_back_to_lost(1) && !lease.falls_back_to_lost(2));
    }

    #[test]
    fn a_new_one_use_token_clears_its_own_method_and_what_had_stopped_for_it() {
        for (lost, position, goes_on) in [(true, 1, true), (false, 1, true), (true, 3, false)] {
            let mut lease = Lease { exhausted: Some(error().into()), ..Lease::default() };
            if lost {
                lease.mark_lost(1);
            } else {
                lease.mark_refused(1);
            }
            lease.mark_lost(2);
            lease.mark_refused(0);
            lease.renew_token(position);
            assert_eq!(lease.exhausted.is_none(), goes_on);
            assert_eq!((lease.is_lost(1), lease.is_refused(1)), (!goes_on && lost, !goes_on && !lost));
            assert!(lease.is_lost(2) && lease.is_refused(0), "others stay");
        }
        let mut lease = Lease { exhausted: Some(error().into()), ..Lease::default() };
        lease.mark_lost(1);
        lease.mark_refused(1);
        lease.renew_token(1);
        assert!(lease.exhausted.is_none(), "lost, then refused");
    }

    #[test]
    fn a_new_access_token_allows_what_it_may_help() {
        let mut lease = Lease { next_method: true, rejected: true, ..Lease::default() };
        lease.mark_refused(1);
        lease.mark_refused(2);
        lease.reopen(1);
        assert!(!lease.is_refused(1) && lease.is_refused(2));
        assert!(!lease.next_method && lease.renew_requested, "a refusal is taken up again");

        let mut stopped = Lease { next_method: true, exhausted: Some(error().into()), ..Lease::default() };
        stopped.reopen(1);
        assert!(!stopped.next_method && !stopped.renew_requested && stopped.exhausted.is_none());

        let mut going = Lease { next_method: true, rejected: true, ..Lease::default() };
        going.mark_refused(2);
        going.reopen(1);
        assert!(going.next_method && !going.renew_requested, "it was not in the way");
    }

    #[test]
    fn an_attempt_and_a_hold_both_start_the_gap() {
        let mut lease = Lease { next_method: true, ..Lease::default() };
        assert_eq!(lease.start_at(), Duration::ZERO);
        lease.begin(now(10));
        assert!(!lease.next_method);
        assert_eq!(lease.start_at(), at(11));
        lease.next_method = true;
        assert_eq!(lease.start_at(), Duration::ZERO, "the next method at once");
        lease.delay(now(20));
        assert_eq!(lease.start_at(), at(21));
    }

    #[test]
    fn a_pause_in_an_outage_is_short_for_who_waits_and_one_after_an_answer_is_not() {
        let answered = Pace::Answered;
        let failed = |asked, pace, holds_valid| {
            let mut lease = Lease { awaited: asked, failures: 20, ..Lease::default() };
            lease.back_off(error(), pace, holds_valid, &mut Random::new(7), now(100));
            assert!(!lease.awaited && lease.failures_reported == 1 && lease.error.is_some() && lease.failures == 21);
            lease
        };
        let hurried = |mut lease: Lease| {
            lease.shorten_backoff();
            lease.start_at()
        };
        let soon = failed(true, Pace::Outage, false).start_at();
        assert!((at(103)..=at(105)).contains(&soon), "{soon:?}");
        for (asked, pace, holds_valid) in
            [(true, Pace::Outage, true), (false, Pace::Outage, false), (true, answered, false), (false, answered, true)]
        {
            assert!(failed(asked, pace, holds_valid).start_at() > at(300));
        }
        assert_eq!(hurried(failed(false, Pace::Outage, false)), at(105));
        assert!(hurried(failed(false, answered, false)) > at(300), "whoever asks");
        let program = Pace::ProgramAnswered;
        assert!(failed(true, program, false).start_at() > at(2700));
    }

    #[test]
    fn a_failure_does_not_cut_the_pause_after_a_fresh_rejection_short() {
        let (mut lease, mut random) = (Lease::default(), Random::new(7));
        lease.renewed(&Validity::with_lifetime(now(0), Duration::from_secs(3600)), &mut random, now(0), true);
        lease.rejected = false;
        lease.rejections = 4;
        lease.begin(now(1));
        // The API rejects the generation that is held while its renewal is under way.
        lease.reject(&mut random, now(1));
        let paused_until = lease.start_at();
        assert!(paused_until > at(5), "{paused_until:?}");
        lease.back_off(error(), Pace::Outage, false, &mut random, now(2));
        assert_eq!(lease.start_at(), paused_until);
    }

    #[test]
    fn a_failure_ends_a_wish_for_new_ones_but_not_a_login_or_a_refusal() {
        let forced = |login_first, rejected| {
            let mut lease = Lease { renew_requested: true, login_first, rejected, ..Lease::default() };
            lease.back_off(error(), Pace::Outage, true, &mut Random::new(7), now(100));
            lease.renew_requested
        };
        assert_eq!([forced(false, false), forced(true, false), forced(false, true)], [false, true, true]);
    }

    #[test]
    fn a_method_counts_as_failing_from_the_second_unknown_outcome_in_a_row() {
        let mut lease = Lease::default();
        lease.falter(1);
        assert!(!lease.is_failing(1));
        lease.falter(1);
        lease.falter(2);
        assert!(lease.is_failing(1) && !lease.is_failing(2) && !lease.has_passed(1), "only a fall passes by it");
        lease.next_method = true;
        assert!(lease.has_passed(1) && !lease.has_passed(2));
        lease.renew_token(1);
        assert!(lease.is_failing(1), "a token alone is no success");
        lease.new_login(0);
        assert!(!lease.is_failing(1));
        lease.falter(1);
        assert!(!lease.is_failing(1), "counted anew");
    }

    #[test]
    fn what_is_refused_right_after_its_issue_is_withdrawn_and_renewed_at_backoff_pace() {
        let mut lease = Lease { renewed_at: Some(at(100)), ..Lease::default() };
        lease.reject(&mut Random::new(7), now(159));
        assert!(lease.rejected && lease.renew_requested && lease.error.is_some());
        assert_eq!((lease.rejections, lease.start_at()), (1, at(101)));
        lease.reject(&mut Random::new(7), now(159));
        assert!(lease.rejected, "nobody gets it again");
        assert_eq!(lease.rejections, 2);
        assert!(lease.is_damped());
        // A longer pause stands.
        let pause = Retry { at: at(500), since: at(90), why: Why::Outage };
        let mut paused = Lease { renewed_at: Some(at(100)), retry: Some(pause), ..Lease::default() };
        paused.reject(&mut Random::new(7), now(110));
        assert_eq!(paused.start_at(), at(500));
        assert!(!paused.is_damped(), "it is not of the refusal");
        let mut level = Lease { retry: Some(Retry { at: at(101), ..pause }), ..paused };
        level.rejections = 0;
        level.reject(&mut Random::new(7), now(110));
        assert_eq!(level.retry.unwrap().since, at(90), "one that ends at that moment stands");

        let mut old = Lease { renewed_at: Some(at(100)), rejections: 5, ..Lease::default() };
        old.reject(&mut Random::new(7), now(160));
        assert!(old.rejected && old.retry.is_none());
        assert_eq!(old.rejections, 0);
    }

    #[test]
    fn a_delay_after_refusals_is_not_cut_by_who_asks_and_a_generation_that_nobody_refused_ends_the_count() {
        let mut lease = Lease { renewed_at: Some(at(100)), rejections: 6, ..Lease::default() };
        lease.reject(&mut Random::new(7), now(100));
        let until = lease.start_at();
        lease.shorten_backoff();
        assert!(until > at(140) && lease.start_at() == until, "{until:?}");
        let validity = Validity::with_lifetime(now(200), at(3600));
        lease.renewed(&validity, &mut Random::new(7), now(200), true);
        assert_eq!(lease.rejections, 7);
        lease.renewed(&validity, &mut Random::new(7), now(300), true);
        assert_eq!(lease.rejections, 0);
    }

    #[test]
    fn a_login_that_rests_is_no_matter_of_haste() {
        let mut lease = Lease { next_method: true, ..Lease::default() };
        lease.rest_login(at(3700), now(100));
        lease.shorten_backoff();
        assert_eq!(lease.start_at(), at(3700));
        assert!(lease.awaits_person(now(3699)) && !lease.awaits_person(now(3700)));
    }

    #[test]
    fn renewal_is_due_ahead_of_the_deadline_by_margin_and_jitter() {
        let validity = Validity::with_lifetime(now(100), at(1000)).with_margin(at(200));
        let lease = Lease { jitter: at(7), ..Lease::default() };
        assert_eq!(lease.renewal_at(&validity, now(100)), Some(at(100 + 1000 - 207)));
        assert_eq!(lease.renewal_at(&validity, now(1050)), Some(at(1050)), "not before now");
        assert_eq!(lease.renewal_at(&Validity::unknown(now(100)), now(100)), None);
        assert_eq!(lease.renewal_at(&validity.uncertain(), now(300)), Some(at(300)));
    }

    #[test]
    fn a_renewal_is_a_clean_slate_unless_it_is_over_when_it_comes() {
        let before = || {
            let lease = Lease { awaited: true, failures: 3, rejections: 1, failures_reported: 5, ..Lease::default() };
            Lease { renew_requested: true, rejected: true, ..lease }
        };
        let mut renewed = before();
        renewed.renewed(&Validity::with_lifetime(now(10), at(60)), &mut Random::new(7), now(10), true);
        assert_eq!(
            (renewed.awaited, renewed.failures, renewed.rejections, renewed.failures_reported),
            (false, 0, 1, 5)
        );
        assert_eq!((renewed.renewed_at, renewed.generation.get()), (Some(at(10)), 1));
        assert!(renewed.auto_renew && !renewed.renew_requested);
        let mut spread = Lease { attempted_at: Some(at(9)), generation: renewed.generation, ..before() };
        spread.renewed(
            &Validity::with_lifetime(now(10), at(400)).with_margin(at(100)),
            &mut Random::new(7),
            now(10),
            true,
        );
        assert!(spread.jitter > Duration::ZERO && spread.jitter < at(10), "a tenth of the margin at most");
        assert_eq!((spread.attempted_at, spread.generation.get()), (Some(at(9)), 2));
        spread.reset();
        assert_eq!((spread.attempted_at, spread.generation.get(), spread.failures_reported), (None, 2, 5));
        let mut over = before();
        over.renewed(&Validity::with_lifetime(now(10), Duration::ZERO), &mut Random::new(7), now(10), false);
        assert_eq!((over.awaited, over.failures, over.renewed_at), (true, 3, None));
    }
}
