//! What the model knows of each renewal method: how it was answered, and what follows from that.

use std::time::Duration;

use super::account::DAY;
use super::state::{Answers, Fall, Holding, Lease, Missing};
use super::{MIN_RETRY_INTERVAL, Model, is_reusable};
use crate::rule::Rule;
use crate::said::Said;
use crate::toy::ToyMethod;
use perennial_core::LeaseId;

/// A missing endpoint is left out for so long the first time, and twice as long each time.
const LEFT_OUT: Duration = Duration::from_secs(300);

impl Missing {
    fn lasts(self) -> Duration {
        LEFT_OUT.saturating_mul(1 << self.times.saturating_sub(1).min(16)).min(DAY)
    }
}

/// The pause after so many noes in a row, at least: doubling, a quarter of it jitter.
fn pace(noes: u32) -> Duration {
    let full = MIN_RETRY_INTERVAL.saturating_mul(1 << noes.saturating_sub(1).min(16)).min(Duration::from_secs(300));
    (full * 3 / 4).max(MIN_RETRY_INTERVAL)
}

impl Lease {
    /// Whether the service has answered, since this was renewed last, with something that is no grant.
    pub(super) fn was_told_no(&self) -> bool {
        self.arguable || self.answers.iter().any(|answers| answers.noes > 0)
    }

    fn note_answer(&mut self, method: ToyMethod, said: &Said, now: Duration, held: Holding) {
        self.arguable |= *said == Said::TooLarge;
        let answers = &mut self.answers[method as usize];
        if matches!(said, Said::Odd | Said::Unusable { .. } | Said::Missing | Said::TooMany { .. }) {
            (answers.noes, answers.last_no, answers.held) = (answers.noes + 1, now, held);
        }
        let unknown = matches!(said, Said::Odd | Said::Unusable { .. } | Said::Failed | Said::Unheard | Said::TooLarge);
        answers.unknown = if unknown { answers.unknown + 1 } else { 0 };
    }
}

impl Model {
    // ---- What is left

    /// Whether a method may work now, for all that is known.
    pub(super) fn is_usable(&self, lease_id: LeaseId, method: ToyMethod) -> bool {
        let offered = match method {
            ToyMethod::SignIn => self.can_sign_in() && !self.account.may_login_rest(),
            ToyMethod::Refresh => lease_id == LeaseId::Access && self.refresh.is_some() && !self.refresh_refused,
            ToyMethod::AwsRefresh => lease_id == LeaseId::Aws && self.is_taken(LeaseId::Access),
        };
        let ruled_out = lease_id == LeaseId::Aws && self.aws_ruled_out.contains(&method);
        offered && !ruled_out && self.left_out(method).is_none()
    }

    /// Live, and the API takes it.
    fn is_taken(&self, lease_id: LeaseId) -> bool {
        self.is_live(lease_id) && !self.leases[lease_id.index()].named
    }

    /// How long a missing endpoint is left out yet; `None`: it is not.
    fn left_out(&self, method: ToyMethod) -> Option<Duration> {
        let missing = self.missing[method as usize].filter(|missing| !missing.goes_on)?;
        let until = missing.since.saturating_add(missing.lasts());
        (self.now.monotonic < until).then(|| until - self.now.monotonic)
    }

    /// How long any of them may be left out yet.
    pub(super) fn left_out_at_most(&self) -> Duration {
        ToyMethod::ALL.into_iter().filter_map(|method| self.left_out(method)).max().unwrap_or_default()
    }

    fn others(lease_id: LeaseId, method: ToyMethod) -> impl Iterator<Item = ToyMethod> {
        let cheap = if lease_id == LeaseId::Access { ToyMethod::Refresh } else { ToyMethod::AwsRefresh };
        [cheap, ToyMethod::SignIn].into_iter().filter(move |other| *other != method)
    }

    fn is_last_left(&self, lease_id: LeaseId, method: ToyMethod) -> bool {
        !Self::others(lease_id, method).any(|other| self.is_usable(lease_id, other))
    }

    // ---- Answers

    /// A method was answered, and it was no grant.
    pub(super) fn note_answer(&mut self, lease_id: LeaseId, method: ToyMethod, steps: u32, said: &Said) {
        let now = self.now;
        if *said == Said::Missing {
            let last = self.is_last_left(lease_id, method) || self.signs_in_over_a_sign_out();
            let before = self.missing[method as usize].map_or(0, |missing| missing.times);
            let goes_on = last || self.worked[method as usize];
            // The last way left is not left out, and that does not count.
            let times = before + u32::from(!goes_on);
            self.missing[method as usize] = Some(Missing { since: now.monotonic, times, goes_on });
        } else {
            self.missing[method as usize] = None;
        }
        let refused = matches!(said, Said::Refused | Said::Missing);
        self.lease(lease_id).falls = Some(if refused { Fall::Refused } else { Fall::Unknown(method) });
        if self.missing[method as usize].is_none_or(|missing| missing.goes_on) {
            let held = if self.is_taken(lease_id) { Holding::Valid } else { Holding::Nothing };
            self.lease(lease_id).note_answer(method, said, now.monotonic, held);
        } else if method == ToyMethod::SignIn {
            self.login_first = false;
        }
        match said {
            Said::TooMany { quiet } | Said::Down { quiet } => {
                let is_told = !self.is_another_account_there();
                self.account.asked_for_quiet(now, *quiet, is_told);
            }
            _ => {}
        }
        if method == ToyMethod::SignIn {
            self.note_shown(steps, said);
        }
        self.note_fall(lease_id, method);
    }

    fn note_shown(&mut self, steps: u32, said: &Said) {
        match said {
            Said::Odd | Said::Missing | Said::TooMany { .. } | Said::Down { .. } | Said::Failed => {
                if let Some(wrong) = self.account.password_was_shown() {
                    self.breaks(Rule::PasswordIsNotRepeated, wrong);
                }
            }
            Said::TooLarge => self.account.password_may_have_been_shown(),
            // The password went with the first request, and that was answered.
            Said::Unheard | Said::NotSent if steps > 1 => self.account.password_may_have_been_shown(),
            _ => {}
        }
    }

    /// What failed twice in a row without anybody knowing how is fallen through at once.
    fn note_fall(&mut self, lease_id: LeaseId, method: ToyMethod) {
        let twice = self.leases[lease_id.index()].answers[method as usize].unknown >= 2;
        let next = Self::others(lease_id, method).find(|_| method != ToyMethod::SignIn);
        self.owed = next.filter(|next| {
            let gap = self.leases.iter().filter_map(|lease| lease.attempted_at[*next as usize]).max();
            let in_gap = gap.is_some_and(|last| self.now.monotonic < last.saturating_add(MIN_RETRY_INTERVAL));
            // Without an access token that comes first.
            let blocked = lease_id == LeaseId::Aws && !self.is_taken(LeaseId::Access);
            twice && !in_gap && !blocked && self.is_usable(lease_id, *next) && !self.is_taken(lease_id)
        });
        self.owed_to = lease_id;
    }

    /// A method of this name was granted what it asked for.
    pub(super) fn note_success(&mut self, method: ToyMethod) {
        self.missing[method as usize] = None;
        self.worked[method as usize] = true;
        if method == ToyMethod::SignIn {
            self.account.password_was_taken();
        }
    }

    // ---- Attempts

    pub(super) fn check_method(&mut self, lease_id: LeaseId, method: ToyMethod) {
        let now = self.now.monotonic;
        let Answers { noes, last_no, held, .. } = self.leases[lease_id.index()].answers[method as usize];
        // Since what was held has ended, another method may be the next in the same attempt.
        let ended = held == Holding::Valid && !self.is_taken(lease_id);
        // The first may not have ended an attempt: another method was tried at once.
        if noes > 1 && !ended && now < last_no.saturating_add(pace(noes - 1)) {
            let what = format!("{lease_id}: {method:?} was answered no {noes} times in a row, {:?} ago", now - last_no);
            self.breaks(Rule::AnsweredNoIsNoOutage, what);
        }
        if let Some(left) = self.left_out(method).filter(|_| !self.is_last_left(lease_id, method)) {
            self.breaks(
                Rule::UnsupportedPasses,
                format!("{lease_id}: {method:?} is not there, and left out for {left:?}"),
            );
        }
        match self.lease(lease_id).falls.take() {
            Some(from) => self.check_fall(lease_id, from, method),
            None if method == ToyMethod::SignIn && !self.login_first => self.check_cheap_first(lease_id),
            None => {}
        }
        if self.owed_to != lease_id || self.owed == Some(method) {
            // Another lease may have its turn before.
            self.owed = None;
        }
    }

    /// From a method that failed to the next one.
    fn check_fall(&mut self, lease_id: LeaseId, from: Fall, method: ToyMethod) {
        let lost = from == Fall::Unknown(ToyMethod::Refresh) && !is_reusable(&self.policy);
        let cheaper = from != Fall::Refused && !lost;
        if method == ToyMethod::SignIn && cheaper && self.is_taken(lease_id) && !self.login_first {
            let what = format!("{lease_id}: shows the password for a cheaper method that failed, and holds valid ones");
            self.breaks(Rule::SomeWayWorks, what);
        }
    }

    /// A new attempt begins with the cheapest method, unless that is left out.
    fn check_cheap_first(&mut self, lease_id: LeaseId) {
        let method = ToyMethod::AwsRefresh;
        if lease_id != LeaseId::Aws || !self.is_usable(lease_id, method) {
            return;
        }
        let rule = match self.missing[method as usize] {
            Some(_) => Rule::UnsupportedPasses,
            None => Rule::SomeWayWorks,
        };
        self.breaks(rule, format!("{lease_id}: signs in without trying {method:?} again"));
    }

    pub(super) fn check_owed(&mut self) {
        if let Some(method) = self.owed.take() {
            let lease_id = self.owed_to;
            self.breaks(
                Rule::SomeWayWorks,
                format!("{lease_id}: a method failed twice in a row, and {method:?} is not tried"),
            );
        }
    }
}
