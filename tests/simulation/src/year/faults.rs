//! What a fault does, and what people do about it.

use std::time::Duration;

use super::diary::Marked;
use super::scenario::{DAY, Fault, HOUR, MINUTE, Sabotage, Trouble};
use super::state::Event;
use super::world::World;
use crate::fleet::service::{USER, serial_of};
use perennial_core::{Account, Grant, LeaseId};

/// How long the traces of a fault may last: what it spoiled runs out, and pauses end.
const AFTERMATH: Duration = HOUR.saturating_mul(3);

impl World<'_> {
    pub(super) fn befall(&mut self, fault: Fault) {
        self.mark(Marked::Fault);
        self.mix(u64::from(fault.number));
        self.disturb(fault.trouble.lasts());
        match fault.trouble {
            Trouble::Outage { lasts, down } => {
                (self.down, self.down_until) = (down, self.down_until.max(self.now + lasts));
                self.after(lasts, Event::Turn);
            }
            Trouble::AnswersLost { many } => self.lost_left = many,
            Trouble::AnswersSlow { many, takes } => (self.slow_left, self.slow) = (many, takes),
            Trouble::Skew { ahead } => self.skew = ahead,
            Trouble::ClockSet { ahead } => {
                self.clock.wall_ahead = ahead;
                self.look_within_a_minute();
            }
            Trouble::Suspend { lasts } => self.suspend(lasts),
            Trouble::Rejection(LeaseId::Access) => {
                let held = self.session.as_ref().and_then(|session| session.held());
                if let Some(held) = held {
                    self.service.end_access(serial_of(held.access().expose()));
                }
            }
            Trouble::Rejection(LeaseId::Aws) => self.aws_refused = true,
            Trouble::SessionsEnded => self.service.end_sessions(),
            Trouble::NewPassword => {
                self.service.change_password();
                self.service.end_sessions();
            }
            Trouble::Restart { after } => {
                if self.session.is_some() {
                    self.end_process();
                    self.after(after, Event::Start);
                }
            }
            Trouble::StoreDown { lasts } => {
                self.store_down_until = self.store_down_until.max(self.now + lasts);
                self.after(lasts, Event::Turn);
            }
        }
    }

    /// Nobody is to blame for what follows, for a while.
    pub(super) fn disturb(&mut self, lasts: Duration) {
        self.unrest_until = self.unrest_until.max(self.now + lasts + AFTERMATH);
    }

    fn suspend(&mut self, lasts: Duration) {
        let until = self.now + lasts;
        let more = until.saturating_sub(self.frozen_until.max(self.now));
        self.clock.stopped += more;
        self.frozen_until = self.frozen_until.max(until);
        self.wake_at = self.wake_at.map(|at| at + more);
        if let Some(flight) = &mut self.flight
            && lasts > MINUTE
        {
            // No connection outlasts that.
            flight.is_broken = true;
        }
        // Nobody is to blame for that time.
        for wait in &mut self.waits {
            wait.since += more;
        }
        self.after(lasts, Event::Thaw);
    }

    // ---- People

    /// The session says that only a person can help.
    pub(super) fn needs_person(&mut self) {
        self.sight.repeat_login |= self.year.is(Sabotage::RepeatsLogin);
        if self.sight.repeat_login {
            self.look_within_a_minute();
        }
        if self.person_comes {
            return;
        }
        self.person_comes = true;
        // Most are told by a message, and come when they have time.
        let most = self.random.pick(10 * MINUTE, &[2 * HOUR, 2 * HOUR, DAY]);
        let delay = self.random.between(MINUTE, most);
        self.disturb(delay);
        self.after(delay, Event::Person);
    }

    pub(super) fn person(&mut self) {
        if self.session.is_none() {
            self.disturb(HOUR);
            return self.after(HOUR, Event::Person);
        }
        self.person_comes = false;
        self.report.persons += 1;
        self.mark(Marked::Person);
        self.disturb(Duration::ZERO);
        self.observe_person();
        if self.year.account.has_login {
            let mistyped = self.random.one_in(8);
            let login = if mistyped { self.service.wrong_login() } else { self.service.login() };
            self.note(|| format!("a person signs in{}", if mistyped { ", with a wrong password" } else { "" }));
            (self.login, self.login_refused) = (Some(login.clone()), false);
            self.configured = self.login.clone();
            self.command(|session, now| session.sign_in(login, now));
        } else {
            self.note(|| "a person signs in at the service".into());
            let answer = self.service.grant_to_person(self.now);
            let now = self.told_now();
            let Ok(grant) = answer.grant(now) else { return };
            let account = Some(Account::new(USER));
            self.observe_issue(self.service.newest(), self.real_now());
            self.command(|session, now| drop(session.install_grant(Grant { account, ..grant }, now)));
        }
    }
}
