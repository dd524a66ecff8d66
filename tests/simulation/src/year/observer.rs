//! The rules: what one sees who knows the service and the store as they are.

use std::time::Duration;

use super::diary::Marked;
use super::rule::YearRule;
use super::state::{End, Issue, Kind, LIFETIME, MARK, Sight, Use};
use super::world::World;
use crate::fleet::service::{Serial, serial_of};
use crate::fleet::store::WrittenRecord;
use perennial_core::session::{MAX_BACKOFF, MIN_RETRY_INTERVAL};
use perennial_core::{Credentials, LeaseId, Now};
use perennial_testing::Asked;

/// Where nothing stands in the way, valid credentials are there within the longest pause, and a bit: the driver's look
/// at the clocks after a suspend, and a conversation.
const RECOVERY: Duration = MAX_BACKOFF.saturating_add(Duration::from_secs(120));

/// The most requests in ten minutes.
const MOST_IN_MINUTES: u64 = 300;

/// The most requests in a day without any trouble: two leases, each renewed at three quarters of its life at the
/// earliest, some of them in two requests, and a half more.
const MOST_IN_QUIET_DAY: u64 = 24 * 2 * 4 / 3 * 3 / 2;

/// Clocks are read before and after what they measure.
const ROUNDING: Duration = Duration::from_millis(2);

impl World<'_> {
    pub(super) fn observe_start(&mut self) {
        let (started_at, started) = (self.now, self.real_now());
        let Sight { issues, minutes, day, quiet_since, .. } = std::mem::take(&mut self.sight);
        self.sight = Sight { issues, minutes, day, quiet_since, started_at, started, ..Sight::default() };
        let facts = self.cell.record().map(|record| WrittenRecord::new(record.clone()).facts).unwrap_or_default();
        self.stored_token = facts.refresh;
        if facts.marked {
            // Whoever finds a mark cannot know what came after it.
            let issue = self.issue(facts.refresh);
            issue.token = if issue.token == Use::Never { Use::Unknown } else { issue.token };
        }
    }

    pub(super) fn observe_person(&mut self) {
        self.sight.refused.clear();
        (self.sight.person, self.sight.commanded) = (self.year.account.has_login, true);
    }

    pub(super) fn observe_issue(&mut self, serial: Serial, sent: Now) {
        let incarnation = self.incarnation;
        *self.issue(serial) = Issue { sent, incarnation, ..Issue::default() };
    }

    fn issue(&mut self, serial: Serial) -> &mut Issue {
        let index = usize::try_from(serial).unwrap_or(0);
        if self.sight.issues.len() <= index {
            self.sight.issues.resize(index + 1, Issue::default());
        }
        &mut self.sight.issues[index]
    }

    // ---- Requests

    pub(super) fn observe_send(&mut self, asked: &Asked) {
        self.count_request();
        let goes_on = matches!(asked, Asked::Ticket { .. });
        if self.flight.is_some() && !goes_on {
            self.breaks(YearRule::OneAtATime, "a request while another one is in flight");
        }
        if let Asked::Refresh { token } = asked {
            self.check_token(serial_of(token));
        }
        if let Asked::SignIn { password, .. } = asked {
            if self.sight.refused.contains(password) {
                self.breaks(YearRule::RefusedStops, "a login that was refused is tried again");
            }
            self.check_sign_in();
            self.sight.person = false;
        }
    }

    fn count_request(&mut self) {
        self.report.requests += 1;
        let now = self.now;
        let minutes = self.sight.minutes.count(now, 600);
        let day = self.sight.day.count(now, 86_400);
        self.report.busiest_day = self.report.busiest_day.max(day);
        if minutes > MOST_IN_MINUTES {
            self.breaks(YearRule::BoundedWork, format!("{minutes} requests in ten minutes"));
        }
        if now < self.unrest_until {
            self.sight.quiet_since = now;
        }
        let quiet = now.as_secs() / 86_400 > self.sight.quiet_since.max(self.sight.started_at).as_secs() / 86_400;
        if quiet && day > MOST_IN_QUIET_DAY {
            self.breaks(YearRule::BoundedWork, format!("{day} requests on a day without any trouble"));
        }
    }

    fn check_token(&mut self, token: Serial) {
        let now = self.now;
        let has_login = self.session.as_ref().is_some_and(perennial_core::Session::may_show_login);
        let before = *self.issue(token);
        if before.token != Use::Never {
            self.report.repeats += 1;
            if has_login {
                self.breaks(YearRule::NoReuse, format!("sends token {token} again, and has a login"));
            } else if now < before.token_sent_at + MIN_RETRY_INTERVAL {
                self.breaks(YearRule::NoReuse, format!("sends token {token} again at once"));
            }
        }
        let issue = self.issue(token);
        (issue.token, issue.token_sent_at) = (Use::Unknown, now);
        if self.year.account.has_store {
            let text = self.cell.record().map(|record| String::from_utf8_lossy(record.as_ref()));
            let marked = text.is_some_and(|text| text.contains(MARK) && text.contains(&format!("-refresh-{token}\"")));
            if !marked {
                self.breaks(YearRule::MarkThenSend, format!("sends token {token}, which is not marked in the store"));
            }
        }
    }

    /// A login is spent where nothing cheaper is left, or a person wants it.
    fn check_sign_in(&mut self) {
        let held = self.session.as_ref().and_then(|session| session.held());
        let token = match held {
            Some(held) => held.refresh_token().map_or(0, |token| serial_of(token.expose())),
            None => self.stored_token,
        };
        let good = token > 0 && self.issue(token).token == Use::Never;
        // A cheaper method that failed twice in a row gives way where nothing valid is held.
        let now = self.told_now();
        let gives_way = self.session.as_ref().is_some_and(|session| {
            let lacks =
                |lease_id: &LeaseId| session.credentials(*lease_id, now).is_none() && session.failures(*lease_id).0 > 0;
            LeaseId::ALL.iter().any(lacks)
        });
        if good && !self.sight.person && !self.sight.aws_refused && !gives_way {
            self.breaks(YearRule::SignInsJustified, format!("signs in, and has the token {token}"));
        }
    }

    /// The session learns how its request ended.
    pub(super) fn observe_end(&mut self, end: End) {
        let Some(flight) = self.flight.take() else { return };
        if let Kind::Refresh(token) = flight.kind {
            self.issue(token).token = flight.token_after(end);
        }
        match (flight.kind, end) {
            (Kind::SignIn(password), End::Refused) => {
                self.login_refused = true;
                self.sight.refused.push(password);
            }
            (Kind::SignIn(_), End::Granted) => {
                self.report.sign_ins_granted += 1;
                self.mark(Marked::SignIn);
                self.sight.aws_refused = false;
            }
            (Kind::AwsRefresh, End::Refused) => self.sight.aws_refused = true,
            (Kind::Refresh(_), End::Granted) => self.sight.aws_refused = false,
            _ => {}
        }
    }

    // ---- What is served

    /// Looks at a session after it was told something.
    pub(super) fn look_at(&mut self) {
        let (told, real) = (self.told_now(), self.real_now());
        for lease_id in LeaseId::ALL {
            let served = self.served(lease_id, told).cloned();
            let before = self.sight.served[lease_id.index()].take();
            if let (Some(before), None) = (&before, &served)
                && !self.sight.commanded
                && self.is_within_life(lease_id, before, real)
                && self
                    .session
                    .as_ref()
                    .and_then(|session| session.held())
                    .is_some_and(|held| same(held, before, lease_id))
            {
                self.breaks(YearRule::ValidNeverWait, format!("valid {lease_id} are not served any more"));
            }
            self.sight.served[lease_id.index()] = served;
        }
        self.sight.commanded = false;
        self.look_at_waits();
    }

    /// What was served when the session was last looked at, and has not run out, is there for whoever asks.
    pub(super) fn check_before_asking(&mut self, lease_id: LeaseId) {
        let Some(last) = self.sight.served[lease_id.index()].clone() else { return };
        let (told, real) = (self.told_now(), self.real_now());
        if !self.is_within_life(lease_id, &last, real) {
            return;
        }
        let obstacle = self.session.as_ref().and_then(|session| session.obstacle(lease_id));
        if self.served(lease_id, told).is_none() {
            self.breaks(YearRule::ValidNeverWait, format!("valid {lease_id} are not served"));
        } else if obstacle.is_some() {
            self.breaks(YearRule::ValidNeverWait, format!("valid {lease_id}, and {obstacle:?}"));
        }
    }

    pub(super) fn check_deadline(&mut self, lease_id: LeaseId) {
        let real = self.real_now();
        let Some(held) = self.served(lease_id, self.told_now()).cloned() else { return };
        let lived = self.age(lease_id, &held, real);
        if lived > LIFETIME + ROUNDING {
            self.breaks(
                YearRule::EarlierDeadline,
                format!("{lease_id} are served {lived:?} after they were asked for"),
            );
        }
    }

    fn is_within_life(&mut self, lease_id: LeaseId, held: &Credentials, real: Now) -> bool {
        self.age(lease_id, held, real) + ROUNDING < LIFETIME
    }

    /// How old they are, by the clock that says the most.
    fn age(&mut self, lease_id: LeaseId, held: &Credentials, real: Now) -> Duration {
        let issue = *self.issue(serial_for(held, lease_id));
        let wall = Duration::try_from(real.wall.since(issue.sent.wall)).unwrap_or_default();
        let here = issue.incarnation == self.incarnation;
        let since = if here { issue.sent.monotonic } else { self.sight.started.monotonic };
        wall.max(real.monotonic.saturating_sub(since))
    }

    // ---- Recovery and quiet

    pub(super) fn check_recovery(&mut self, ours: Duration) {
        if ours > RECOVERY {
            let state = self.session.as_ref().map(perennial_core::Session::state);
            self.breaks(YearRule::HealthyAgain, format!("nothing stands in the way for {ours:?}, and it is {state:?}"));
        }
    }

    pub(super) fn check_quiet(&mut self, lease_id: LeaseId, waited: Duration) {
        let settled = self.sight.started_at + LIFETIME;
        // A login that rests does so for hours after the trouble: callers hear that a person can sign in.
        let rests = self.session.as_ref().is_some_and(|session| session.has_login() && !session.may_show_login());
        if self.now > self.unrest_until.max(settled) && !self.year.account.is_on_demand() && !rests {
            self.breaks(YearRule::QuietIsQuiet, format!("{lease_id}: a caller waits for {waited:?}, or in vain"));
        }
    }
}

fn serial_for(held: &Credentials, lease_id: LeaseId) -> Serial {
    match lease_id {
        LeaseId::Access => serial_of(held.access().expose()),
        LeaseId::Aws => held.aws().map_or(0, |aws| serial_of(aws.session_token().expose())),
    }
}

fn same(one: &Credentials, other: &Credentials, lease_id: LeaseId) -> bool {
    serial_for(one, lease_id) == serial_for(other, lease_id)
}
