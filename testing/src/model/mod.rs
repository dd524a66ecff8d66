//! The reference model: a small second opinion. It sees what goes in, what comes out and what the getters say,
//! never the inside of a session, and says which rule is broken.
//!
//! After each step: [`Model::told`] once, [`Model::saw`] for each output, [`Model::check`] once.

mod account;
mod check;
mod doubt;
mod ending;
mod leaving;
mod methods;
mod outputs;
mod state;
mod store;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use self::account::Account;
use self::state::{Attempt, Doubt, Failure, Fall, Flight, Held, Lease, Leaving, Missing, StoreSide};
use super::rule::Rule;
use super::said::{Facts, Said};
use super::toy::{ToyLogin, ToyMethod};
use perennial_core::credentials::{MAX_LIFETIME, same_account};
use perennial_core::exchange::MAX_STEPS;
use perennial_core::session::{MAX_BACKOFF, MIN_RETRY_INTERVAL};
use perennial_core::{
    Credentials, Deadline, Error, Generation, LeaseId, Now, Policy, RequestId, SignOut, State, Validity, Wake,
};

/// Credentials that are refused within this of their issue are renewed at a growing pace.
const REJECTION_GRACE: Duration = Duration::from_secs(60);

/// What a session was told.
#[derive(Clone, Debug)]
pub enum Told {
    /// Time has passed, or nothing has happened.
    Nothing,
    /// Somebody wants credentials.
    Demand(LeaseId),
    /// The service's API refused this generation.
    Reject(LeaseId, Generation),
    /// A renewal is commanded.
    Renew(LeaseId),
    /// A login was given.
    SignIn(ToyLogin),
    /// A grant was given.
    Accepted(Facts),
    /// A save was taken up: these credentials.
    Restored(Arc<Credentials>),
    /// To sign in with the login that is there.
    SignInAgain {
        /// Whether it was begun.
        begun: bool,
    },
    /// Sign out.
    SignOut(SignOut),
    /// The login was forgotten.
    ForgetLogin,
    /// The program is about to end.
    Close,
    /// An answer, or a failure, under this request's id.
    Answer(RequestId, Said),
}

/// What the getters of a session say at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// The moment.
    pub now: Now,
    /// What is held, valid or not.
    pub held: Option<Arc<Credentials>>,
    /// What is served for each need.
    pub served: [Option<Arc<Credentials>>; 2],
    /// Why one who asks gets an error at once.
    pub obstacles: [Option<Error>; 2],
    /// Whether one who asks had better wait, although valid credentials are held.
    pub renews_first: [bool; 2],
    /// Whether a program that closed it may end.
    pub is_finished: bool,
    /// How many failures were told.
    pub told: [u64; 2],
    /// What the session is doing.
    pub state: State,
    /// When it wants to be woken.
    pub wake: Option<Wake>,
    /// Answers that it ignored.
    pub ignored: u64,
    /// Whether it has a login that was not refused.
    pub has_login: bool,
}

/// The reference model of a session at the toy provider.
#[derive(Debug)]
pub struct Model {
    policy: Policy,
    now: Now,
    broken: Vec<Broken>,

    signed_out: bool,
    /// The program is about to end.
    closed: bool,
    leaving: Leaving,
    user: Option<String>,
    login: Option<ToyLogin>,
    login_refused: bool,
    /// A login came and was not yet tried: older ways stand back.
    login_first: bool,
    account: Account,
    /// By method: the service says that there is none; it has granted what was asked for.
    missing: [Option<Missing>; 3],
    worked: [bool; 3],
    leases: [Lease; 2],
    /// The refresh token that is held, by its number; and what became of it.
    refresh: Option<u64>,
    refresh_refused: bool,
    /// The refresh token came beside an access token that could not be used.
    came_beside_a_flaw: bool,
    refresh_lost_at: Option<Duration>,
    /// Ways to AWS credentials that did not bring any.
    aws_ruled_out: Vec<ToyMethod>,

    store: Option<StoreSide>,
    attempt: Option<Attempt>,
    flight: Option<Flight>,
    continuing: Option<Flight>,
    last_request: RequestId,
    /// Access tokens to revoke, by number, in order.
    revocations: VecDeque<u64>,

    // ---- This step
    failure: Option<Failure>,
    /// The method that has to follow on one that failed, and the lease for which.
    owed: Option<ToyMethod>,
    owed_to: LeaseId,
    /// A person's login came, and waits to be tried.
    person: bool,
    stray: bool,
    /// A command came that may change what is held.
    commanded: bool,
    may_give_up: bool,
    idle_reject: bool,
    outputs: u32,
    sends: u32,
    failed_events: [bool; 2],
    /// A new login failed, and callers learn it when its lease has its turn.
    login_failed: bool,
    // ---- The last step
    told: [u64; 2],
    ignored: u64,
}

/// A rule that was broken in this step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) rule: Rule,
    pub(super) what: String,
}

impl Model {
    /// Of a session that holds nothing yet.
    pub fn new(policy: Policy, login: Option<ToyLogin>) -> Self {
        Self {
            policy,
            now: Now::default(),
            broken: Vec::new(),
            signed_out: false,
            closed: false,
            leaving: Leaving::default(),
            user: login.as_ref().map(|login| login.user().to_owned()),
            login,
            login_refused: false,
            login_first: false,
            account: Account::default(),
            missing: [None; 3],
            worked: [false; 3],
            leases: Default::default(),
            refresh: None,
            refresh_refused: false,
            came_beside_a_flaw: false,
            refresh_lost_at: None,
            aws_ruled_out: Vec::new(),
            store: None,
            attempt: None,
            flight: None,
            continuing: None,
            last_request: RequestId::default(),
            revocations: VecDeque::new(),
            failure: None,
            owed: None,
            owed_to: LeaseId::Access,
            person: false,
            stray: false,
            commanded: false,
            may_give_up: false,
            idle_reject: false,
            outputs: 0,
            sends: 0,
            failed_events: [false; 2],
            login_failed: false,
            told: [0; 2],
            ignored: 0,
        }
    }

    /// Of the process that goes on with the same store: what that keeps is known there.
    #[must_use]
    pub fn next_process(&self, policy: Policy, login: Option<ToyLogin>, now: Now) -> Self {
        let mut account = self.account.found_by_next_process(now);
        if self.is_another_account_there() {
            account.quiet_is_not_known();
        }
        let same = |refused: &ToyLogin| login.as_ref().is_some_and(|login| is_same(login, refused));
        let login_refused = [&account.refused, &account.maybe_refused].into_iter().flatten().any(same);
        Self { account, login_refused, ..Self::new(policy, login) }
    }

    /// Whether a session in this place can come back by itself: it has a login that nobody refused.
    pub fn can_sign_in(&self) -> bool {
        !self.signed_out && self.login.is_some() && !self.login_refused
    }

    /// A session whose service is well again is live within this, if it can sign in: whatever it was told to wait for
    /// is over then, the longest pause between two attempts as well, and a bit.
    pub fn recovers_within(&self) -> Duration {
        let resting = if self.account.may_login_rest() { account::DAY } else { Duration::ZERO };
        let quiet = self.account.quiet_left_at_most(self.now);
        let waits = resting.max(quiet).max(self.left_out_at_most());
        waits.saturating_add(MAX_BACKOFF).saturating_add(Duration::from_secs(60))
    }

    /// Takes what the session was told. Say it before the session is.
    pub fn told(&mut self, told: &Told, now: Now) {
        self.now = now;
        self.account.tick(now);
        self.failure = None;
        self.owed = None;
        self.person = false;
        self.stray = false;
        self.commanded = false;
        self.may_give_up = matches!(told, Told::SignInAgain { begun: true } | Told::ForgetLogin);
        self.idle_reject = false;
        self.outputs = 0;
        self.sends = 0;
        self.failed_events = [false; 2];
        match told {
            Told::Nothing => {}
            Told::Demand(lease_id) => {
                let valid = self.is_servable(*lease_id) && !self.lease(*lease_id).named;
                self.lease(*lease_id).asked |= !self.signed_out && !valid;
                self.lease(*lease_id).wanted |= !self.signed_out;
            }
            Told::Reject(lease_id, generation) => self.rejected(*lease_id, *generation),
            Told::Renew(lease_id) => self.lease(*lease_id).forced |= !self.signed_out,
            Told::SignIn(login) => {
                self.login_refused = false;
                self.account.signed_in_by_person();
                // A new login may find what the old one did not.
                self.missing[ToyMethod::SignIn as usize] = None;
                self.sign_in(login);
                for lease in &mut self.leases {
                    lease.attempted_at = [None; 3];
                    (lease.answers, lease.falls) = Default::default();
                    // What was refused right after its issue may be renewed at once with a new login.
                    lease.renewed_at.take_if(|_| lease.named);
                }
                self.person = true;
            }
            Told::SignInAgain { begun } => self.signed_in_again(*begun),
            Told::Accepted(facts) => {
                self.taken_up(facts.user.as_deref());
                self.account.grant_was_brought();
                self.decided(true);
                self.expect(facts, now, &LeaseId::ALL);
                self.refresh = facts.refresh.then_some(facts.serial);
            }
            Told::Restored(credentials) => self.restored(credentials),
            Told::SignOut(login) => self.signed_out(*login),
            Told::ForgetLogin => self.forget_login(),
            Told::Close => self.close(),
            Told::Answer(id, said) => match self.flight.take_if(|flight| flight.id == *id) {
                Some(flight) => self.outcome(flight, said),
                None => self.stray = true,
            },
        }
        self.note_who_waits(told);
    }

    fn lease(&mut self, lease_id: LeaseId) -> &mut Lease {
        &mut self.leases[lease_id.index()]
    }

    /// Whether a lease is before its deadline by both clocks.
    fn is_live(&self, lease_id: LeaseId) -> bool {
        let held = self.leases[lease_id.index()].held.as_ref();
        held.is_some_and(|held| held.deadline.is_none_or(|deadline| !deadline.is_past(self.now)))
    }

    fn breaks(&mut self, rule: Rule, what: impl Into<String>) {
        self.broken.push(Broken { rule, what: what.into() });
    }

    pub(super) fn take_broken(&mut self) -> Vec<Broken> {
        std::mem::take(&mut self.broken)
    }

    // ---- Commands

    fn rejected(&mut self, lease_id: LeaseId, generation: Generation) {
        let now = self.now.monotonic;
        let signed_out = self.signed_out;
        let lease = self.lease(lease_id);
        let current = lease.held.as_ref().is_some_and(|held| held.generation == Some(generation));
        if signed_out || !current || lease.named {
            self.idle_reject = true;
            return;
        }
        let fresh = lease.renewed_at.is_some_and(|at| now.saturating_sub(at) < REJECTION_GRACE);
        lease.fresh_rejects = if fresh { lease.fresh_rejects.saturating_add(1) } else { 0 };
        lease.named = true;
        lease.forced = true;
    }

    fn sign_in(&mut self, login: &ToyLogin) {
        self.drop_flight();
        self.commanded = true;
        let same = self.user.as_deref().is_some_and(|user| same_account(user, login.user()));
        if !same || self.signed_out {
            self.forget();
        }
        self.signed_out = false;
        self.user = Some(login.user().to_owned());
        self.login = Some(login.clone());
        self.login_first = true;
        self.decided(false);
        self.aws_ruled_out.retain(|method| *method != ToyMethod::SignIn);
        for lease in &mut self.leases {
            lease.stopped = false;
        }
        self.lease(LeaseId::Access).forced = true;
    }

    fn taken_up(&mut self, user: Option<&str>) {
        self.drop_flight();
        self.commanded = true;
        self.forget();
        let another = match (&self.login, user) {
            (Some(login), Some(user)) => !same_account(login.user(), user),
            (login, None) => login.is_some() && self.signed_out,
            (None, Some(_)) => false,
        };
        // A login of another account must not be used on these credentials; nor, after a sign-out, one that may be.
        if another {
            self.forget_login();
        }
        self.signed_out = false;
        if self.user.as_deref().zip(user).is_some_and(|(one, other)| !same_account(one, other)) {
            self.account.is_another();
        }
        self.user = user.map(str::to_owned);
        self.missing = [None; 3];
    }

    fn restored(&mut self, credentials: &Credentials) {
        let user = &credentials.account().id;
        self.taken_up((!user.is_empty()).then_some(user));
        self.hold(credentials);
    }

    /// These are held now.
    fn hold(&mut self, credentials: &Credentials) {
        for lease_id in LeaseId::ALL {
            let held = credentials.validity(lease_id).map(|validity| Held {
                serial: serial(token(credentials, lease_id)),
                deadline: validity.deadline(),
                lifetime: validity.lifetime(),
                doubt: Doubt::of(validity),
                generation: None,
            });
            self.lease(lease_id).held = held;
            let usable = self.is_servable(lease_id);
            self.lease(lease_id).asked &= !usable;
        }
        self.refresh = credentials.refresh_token().map(|token| serial(token.expose()));
    }

    /// Everything held is gone.
    fn forget(&mut self) {
        for lease in &mut self.leases {
            *lease = Lease { asked: lease.asked, wanted: lease.asked, waited: lease.waited, ..Lease::default() };
        }
        self.refresh = None;
        self.refresh_refused = false;
        self.refresh_lost_at = None;
        self.aws_ruled_out.clear();
        self.login_first = false;
    }

    /// A command ends what is in flight: nobody will know what became of it.
    fn drop_flight(&mut self) {
        let Some(flight) = &mut self.flight else { return };
        if flight.attempt.is_none() || flight.orphan {
            return;
        }
        flight.dropped = true;
        if flight.attempt.is_some_and(|attempt| attempt.method == ToyMethod::Refresh) {
            self.refresh_lost_at = Some(self.now.monotonic);
        }
    }

    // ---- Answers

    fn outcome(&mut self, flight: Flight, said: &Said) {
        // One request after another without an end is as odd an answer as any.
        let endless = *said == Said::Continues && flight.steps >= MAX_STEPS;
        let said = if endless { &Said::Odd } else { said };
        if *said == Said::Continues && flight.attempt.is_some() {
            self.continuing = Some(flight);
            return;
        }
        let Some(Attempt { lease_id, method }) = flight.attempt else {
            return;
        };
        if flight.dropped {
            return;
        }
        if flight.orphan {
            if let Said::Granted(facts) = said
                && facts.access
            {
                self.revocations.push_back(facts.serial);
            }
            // A refresh token alone is revoked with the access token of before.
            if let (Said::Unusable { .. }, Some(before)) = (said, self.revocations.back().copied()) {
                self.revocations.push_back(before);
            }
            return;
        }
        match said {
            Said::Granted(facts) => {
                self.note_grant();
                self.note_success(method);
                return self.granted(lease_id, method, &flight, facts);
            }
            Said::Continues | Said::SignedOut => {}
            Said::Unusable { serial } => {
                self.note_grant();
                (self.refresh, self.came_beside_a_flaw) = (Some(*serial), true);
                (self.refresh_refused, self.refresh_lost_at) = (false, None);
                self.worked[method as usize] = true;
            }
            Said::Refused => match method {
                ToyMethod::SignIn => {
                    (self.login_refused, self.login_first) = (true, false);
                    if !self.is_another_account_there() {
                        self.account.refused.clone_from(&self.login);
                    }
                }
                ToyMethod::Refresh => self.refresh_refused = true,
                ToyMethod::AwsRefresh => self.aws_ruled_out.push(method),
            },
            // The request before this one was carried out.
            Said::TooMany { .. } | Said::Down { .. } | Said::NotSent | Said::Missing => {
                self.lost(method, flight.steps > 1);
            }
            Said::Odd | Said::Failed | Said::Unheard | Said::TooLarge => self.lost(method, true),
        }
        self.note_answer(lease_id, method, flight.steps, said);
        // It was forgotten meanwhile.
        self.login_first &= method != ToyMethod::SignIn || self.login.is_some();
        self.lease(lease_id).failed = true;
        let asked = self.lease(lease_id).asked;
        let of_account = method == ToyMethod::SignIn || matches!(said, Said::TooMany { .. } | Said::Down { .. });
        self.failure = Some(Failure { lease_id, asked, of_account });
    }

    fn lost(&mut self, method: ToyMethod, sent: bool) {
        if method == ToyMethod::Refresh && sent {
            self.refresh_lost_at = Some(self.now.monotonic);
        }
    }

    fn granted(&mut self, lease_id: LeaseId, method: ToyMethod, flight: &Flight, facts: &Facts) {
        let covered = |lease_id| if lease_id == LeaseId::Access { facts.access } else { facts.aws };
        if let Some(user) = &facts.user {
            self.user = Some(user.clone());
        }
        if facts.refresh {
            (self.refresh, self.came_beside_a_flaw) = (Some(facts.serial), false);
            self.refresh_refused = false;
            self.refresh_lost_at = None;
        }
        // One that is over when it comes does not displace what is valid.
        let kept: Vec<LeaseId> = LeaseId::ALL
            .into_iter()
            .filter(|lease_id| self.is_live(*lease_id) && is_over(facts, *lease_id, flight.sent, self.now))
            .collect();
        let taken: Vec<LeaseId> = LeaseId::ALL.into_iter().filter(|lease_id| !kept.contains(lease_id)).collect();
        if facts.access && !kept.contains(&LeaseId::Access) {
            self.login_first = false;
            self.aws_ruled_out.retain(|method| *method != ToyMethod::AwsRefresh);
            self.lease(LeaseId::Aws).stopped = false;
        }
        self.expect(facts, flight.sent, &taken);
        if lease_id == LeaseId::Aws && !covered(lease_id) {
            self.aws_ruled_out.push(method);
        }
        if !covered(lease_id) || kept.contains(&lease_id) || !self.is_live(lease_id) {
            (self.lease(lease_id).failed, self.lease(lease_id).arguable) = (true, true);
            // What has ended when it comes is a failure of its method, like one of which nobody knows.
            self.lease(lease_id).falls = Some(if covered(lease_id) { Fall::Unknown(method) } else { Fall::Refused });
            let asked = self.lease(lease_id).asked;
            self.failure = Some(Failure { lease_id, asked, of_account: false });
        }
    }

    /// These leases are new now.
    fn expect(&mut self, facts: &Facts, sent: Now, needs: &[LeaseId]) {
        for lease_id in needs {
            let (covered, millis) = match lease_id {
                LeaseId::Access => (facts.access, facts.access_ms),
                LeaseId::Aws => (facts.aws, facts.aws_ms),
            };
            if !covered {
                continue;
            }
            let lifetime = millis.map(|millis| Duration::from_millis(millis).min(MAX_LIFETIME));
            let now = self.now;
            let lease = self.lease(*lease_id);
            let deadline = lifetime.map(|lifetime| Deadline::after(sent, lifetime));
            // Callers of one that is over already still wait.
            let asked = lease.asked && deadline.is_some_and(|deadline| deadline.is_past(now));
            // One that was good for its minute says that the service is right again.
            let lived = lease.renewed_at.is_some_and(|at| now.monotonic.saturating_sub(at) >= REJECTION_GRACE);
            *lease = Lease {
                held: Some(Held { serial: facts.serial, deadline, lifetime, doubt: Doubt::None, generation: None }),
                asked,
                wanted: lease.wanted,
                waited: lease.waited,
                attempted_at: lease.attempted_at,
                fresh_rejects: if lived && !lease.named { 0 } else { lease.fresh_rejects },
                renewed_at: Some(now.monotonic),
                ..Lease::default()
            };
        }
    }
}

fn is_over(facts: &Facts, lease_id: LeaseId, sent: Now, now: Now) -> bool {
    let millis = match lease_id {
        LeaseId::Access => facts.access_ms.filter(|_| facts.access),
        LeaseId::Aws => facts.aws_ms.filter(|_| facts.aws),
    };
    millis.is_some_and(|millis| {
        let lifetime = Duration::from_millis(millis).min(MAX_LIFETIME);
        Deadline::after(sent, lifetime).is_past(now)
    })
}

/// The token that tells which grant a lease is of.
fn token(credentials: &Credentials, lease_id: LeaseId) -> &str {
    match lease_id {
        LeaseId::Access => credentials.access().expose(),
        LeaseId::Aws => credentials.aws().map_or("", |aws| aws.access_key_id().expose()),
    }
}

/// The number at the end of each of the toy's tokens.
pub(super) fn serial(token: &str) -> u64 {
    let (_, number) = token.rsplit_once('-').unwrap_or_default();
    number.parse().unwrap_or(u64::MAX)
}

fn margin(policy: &Policy, lifetime: Duration) -> Duration {
    policy.margin.unwrap_or(Duration::from_secs(300)).min(lifetime / 4)
}

/// The pause that a generation refused so often gets at least: doubling, a quarter of it jitter.
fn pace(rejects: u32) -> Duration {
    (most_pace(rejects) * 3 / 4).max(MIN_RETRY_INTERVAL)
}

/// The same without jitter; nothing at all where it was refused later than right after its issue.
fn most_pace(rejects: u32) -> Duration {
    match rejects {
        0 => Duration::ZERO,
        _ => MIN_RETRY_INTERVAL.saturating_mul(1 << (rejects - 1).min(16)).min(MAX_BACKOFF),
    }
}

fn is_same(one: &ToyLogin, other: &ToyLogin) -> bool {
    same_account(one.user(), other.user()) && one.password().expose() == other.password().expose()
}

fn is_reusable(policy: &Policy) -> bool {
    policy.reusable_refresh_tokens
}

fn lifetime_of(validity: &Validity) -> Option<Duration> {
    validity.lifetime()
}
