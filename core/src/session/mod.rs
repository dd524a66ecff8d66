//! When to sign in, renew and retry: [`Session`], the state machine that keeps one login alive.

mod ending;
mod flight;
mod io;
mod lease;
mod login;
mod machine;
mod methods;
mod one_shot;
mod outcome;
mod pending;
mod phase;
mod policy;
mod provider_code;
mod revoking;
mod schedule;
mod service;
mod sharing;
mod work;

use std::sync::Arc;
use std::time::Duration;

pub use self::ending::Unfinished;
use self::flight::{Exchanges, InFlight, Mode, Source};
use self::io::Outbox;
pub use self::io::{Event, Input, Output, State, Stats, Timer, Wake};
use self::lease::{Demand, Lease};
use self::login::{HeldLogin, LoginState};
use self::pending::{Pending, Unreported};
use self::phase::Phase;
pub use self::policy::{Policy, RefreshMode, SignOut};
use self::schedule::Random;
pub use self::schedule::{
    MAX_BACKOFF, MAX_BACKOFF_FOREGROUND, MAX_BACKOFF_PROGRAM, MIN_QUIET, MIN_RETRY_INTERVAL, REJECTION_GRACE,
};
use self::service::Service;
pub use self::sharing::SAVE_GRACE;
use self::sharing::StoreSync;
pub use self::work::{Done, WORK_TIMEOUT, Work};
use crate::credentials::{Credentials, Generation, LeaseId, Now, Validity, same_account};
use crate::error::ImportError;
use crate::error::{Error, ServiceError, ServiceErrorKind, SessionError};
use crate::exchange::{Consumes, Provider};
use crate::grant::Grant;
use crate::store::SavedSession;
use crate::store::StoreError;

/// Keeps one login alive: decides when to sign in, when to renew the access token, and when to try again after a
/// failure. It does no I/O and never waits.
///
/// Drive it by hand: tell it what happens ([`handle_input`](Self::handle_input) and the commands), and do what it
/// asks for ([`poll_output`](Self::poll_output)) until it asks for sleep.
///
/// | | |
/// | --- | --- |
/// | make | [`new`](Self::new), [`import`](Self::import) |
/// | commands | [`demand`](Self::demand), [`rejected`](Self::rejected), [`renew`](Self::renew), [`sign_in`](Self::sign_in), [`sign_in_again`](Self::sign_in_again), [`install_grant`](Self::install_grant), [`sign_out`](Self::sign_out), [`forget_login`](Self::forget_login), [`close`](Self::close) |
/// | input | [`handle_input`](Self::handle_input) |
/// | output | [`poll_output`](Self::poll_output) |
/// | provider code elsewhere | [`with_work_handed_out`](Self::with_work_handed_out), [`take_work`](Self::take_work), [`work_done`](Self::work_done) |
/// | getters | [`credentials`](Self::credentials), [`obstacle`](Self::obstacle), [`state`](Self::state), [`next_wake`](Self::next_wake), … |
///
/// Inputs and commands are safe in any order and at any time: outputs queue up, nobody has to drain them between
/// two inputs, and a wake-up too early does nothing. Time is a value in each of them; should the monotonic clock
/// go back between two calls, the later reading stands.
///
/// # States
///
/// Seen from the access token ([`State`]). The AWS credentials have methods, a deadline and a pause of their own.
///
/// ```text
///              demand / sign_in                 granted
///   ┌──────┐ ───────────────────► ┌───────────┐ ─────────► ┌──────┐ margin, rejected,  ┌──────────┐
///   │ Idle │                      │ SigningIn │            │ Live │ renew            │ Renewing │
///   └──────┘                 ┌──► └───────────┘ ◄────────┐ └──────┘ ───────────────► └──────────┘
///                            │      │       │   expired  │   ▲  ▲   granted, failed        │ │
///                   retry_at │      │       │ all methods  │   │  └──────────────────────────┘ │
///                            │      │failed │ refused    └───┼───────────────────────────────┘
///                       ┌─────────┐ │       ▼                │ granted
///                       │ Waiting │◄┘  ┌────────────────┐    │
///                       └─────────┘    │ SignInRequired │ ───┘ sign_in, sign_in_again, install_grant, import
///                                      └────────────────┘
///   from everywhere: sign_out ─► SignedOut, which only sign_in, sign_in_again, install_grant and import leave
/// ```
///
/// With a store, a sign-out signs out every session on that store. A sign-in after it signs them in again, with the
/// credentials that it brought. A session notices both when it reads the store. A saved session that is
/// [imported](Self::import) does not undo a sign-out that is recorded in the store.
pub struct Session<P: Provider> {
    provider: P,
    policy: Policy,
    login: HeldLogin<P::Login>,
    mode: Mode,
    phase: Phase,
    credentials: Option<Arc<Credentials>>,
    leases: [Lease; 2],
    service: Service<P::Method>,
    exchanges: Exchanges<P>,
    /// What an exchange ended in, while it is being saved.
    unreported: Option<Unreported>,
    store: Option<Box<StoreSync>>,
    outbox: Outbox,
    now: Now,
    random: Random,
}

impl<P: Provider> Session<P> {
    /// A session without credentials. It does nothing until a command such as [`demand`](Self::demand) is called. With
    /// `None` as the login, credentials have to come from [`sign_in`](Self::sign_in), [`import`](Self::import),
    /// [`install_grant`](Self::install_grant) or the store. The seed varies the times of renewals and retries, so that
    /// many sessions do not act at the same moment: use a different number for each.
    pub fn new(provider: P, login: impl Into<Option<P::Login>>, policy: Policy, seed: u64) -> Self {
        Self {
            provider,
            policy,
            login: HeldLogin::new(login.into()),
            mode: Mode::SignedIn,
            phase: Phase::Running,
            credentials: None,
            leases: Default::default(),
            service: Service::default(),
            exchanges: Exchanges::default(),
            unreported: None,
            store: None,
            outbox: Outbox::default(),
            now: Now::default(),
            random: Random::new(seed),
        }
    }

    /// Saves the session in a store, and shares it with every other session on that store. The session then emits
    /// [`Output::Store`] before it renews and when it saves; the results go back in as [`Input::Store`]. See
    /// [`store`](crate::store).
    #[must_use]
    pub fn with_store(mut self) -> Self {
        self.store = Some(Box::default());
        self
    }

    // ---- Commands

    /// Asks for credentials. Call it whenever a caller needs them, then run the loop over
    /// [`poll_output`](Self::poll_output), and read them with [`credentials`](Self::credentials). If valid ones are
    /// held this does nothing, except that an on-demand or one-shot session renews ones that are inside the renewal
    /// margin. Otherwise an attempt begins as soon as pauses allow; [`obstacle`](Self::obstacle) gives the error for a
    /// caller who should not wait for that. In a one-shot session it begins now or not at all: see
    /// [`renews_first`](Self::renews_first).
    pub fn demand(&mut self, lease_id: LeaseId, now: Now) {
        self.tick(now);
        if self.mode == Mode::SignedOut {
            if !self.has_unsaved() {
                // Somebody may have signed in elsewhere.
                self.poll_again();
            }
            return self.advance();
        }
        let near = self.validity(lease_id).is_some_and(|validity| validity.renewal_due(self.now));
        let valid = self.is_valid(lease_id);
        let wanted = !valid || (self.policy.refresh_mode != RefreshMode::Proactive && near);
        if !valid {
            self.poll_again();
        }
        // What others have saved may end the pause.
        if wanted && (self.may_be_waited_for(lease_id) || !valid && self.polls_soon()) {
            self.request(lease_id);
        }
        self.advance();
    }

    /// Like [`demand`](Self::demand), for a caller who keeps waiting through failures and may ask again at any time:
    /// does nothing if somebody waits for this lease already, or its renewal is due and begins by itself when a pause
    /// is over.
    pub fn demand_unless_awaited(&mut self, lease_id: LeaseId, now: Now) {
        self.tick(now);
        if !self.is_awaited(lease_id) {
            self.demand(lease_id, now);
        }
    }

    /// Reports that the service's API rejected credentials, usually with a 401: call it with the
    /// [`generation`](Credentials::generation) of the credentials that the API call was made with. They are not handed
    /// out any more, and a renewal begins. It is delayed by a backoff if the service issued them to this session less
    /// than [`REJECTION_GRACE`] ago.
    ///
    /// Further reports about the same generation do nothing, nor do reports about any generation but the present one.
    pub fn rejected(&mut self, lease_id: LeaseId, generation: Generation, now: Now) {
        self.tick(now);
        let held = self.validity(lease_id).is_some() && self.mode == Mode::SignedIn;
        let lease = &mut self.leases[lease_id.index()];
        if !held || lease.held.generation != generation || lease.is_rejected() {
            return;
        }
        lease.reject(&mut self.random, self.now);
        self.outbox.outputs.push_back(Output::Event(Event::Rejected { lease_id, generation }));
        self.advance();
    }

    /// Renews a lease now, although it is not due: for example after the account's permissions have changed. During a
    /// pause the renewal begins when the pause ends; in a one-shot session nothing happens then. Does nothing while
    /// signed out. If no renewal method is left, the lease stays as it is.
    pub fn renew(&mut self, lease_id: LeaseId, now: Now) {
        self.tick(now);
        if self.mode == Mode::SignedIn && self.may_be_waited_for(lease_id) {
            let lease = &mut self.leases[lease_id.index()];
            lease.request_renewal();
            self.request(lease_id);
            self.advance();
        }
    }

    /// Signs in with this login, even if valid credentials are held. The answer to a renewal in flight is dropped.
    /// Credentials that are known to be of the same account ([`Provider::account_id`]) stay in use until the new ones
    /// come; all others are dropped at once.
    pub fn sign_in(&mut self, login: P::Login, now: Now) {
        self.tick(now);
        let displaced = self.make_room_for(&login, false);
        self.login.given = Some(login);
        // A person who signs in wants it tried, whatever became of the login or the endpoint before.
        (self.login.state, self.service.quiet) = (LoginState::Given, None);
        let provider = &self.provider;
        self.service.endpoints.forget(|method| provider.consumes(method) == Consumes::LoginAttempt);
        self.leases_have_new_login();
        self.try_login(displaced);
    }

    /// Signs in with the login that the session has already, as [`sign_in`](Self::sign_in) does with a new one: for
    /// example after a sign-out that kept it ([`SignOut::KeepLogin`]). If such a sign-in is under way, this call joins
    /// it.
    ///
    /// An error where there is no login ([`NoLogin`](SessionError::NoLogin)), and where the service has refused it: that
    /// refusal.
    pub fn sign_in_again(&mut self, now: Now) -> Result<(), Error> {
        self.tick(now);
        let Some(login) = self.login.given.clone() else { return Err(SessionError::NoLogin.into()) };
        if let Some(refusal) = self.login.state.refusal() {
            return Err(refusal.clone());
        }
        if self.leases[LeaseId::Access.index()].is_login_first() || self.is_showing_login() {
            self.confirm_sign_in();
            if self.may_be_waited_for(LeaseId::Access) {
                self.request(LeaseId::Access);
            }
            self.advance();
        } else {
            let displaced = self.make_room_for(&login, true);
            self.leases.iter_mut().for_each(Lease::same_login);
            self.try_login(displaced);
        }
        Ok(())
    }

    /// Somebody signs in: answers that are still on their way are of no use, nor is what is held of another account.
    /// `again`: what is held came by this login, unless the two say that they are of different accounts.
    fn make_room_for(&mut self, login: &P::Login, again: bool) -> Option<Arc<Credentials>> {
        self.drop_flight();
        let same = match (self.provider.account_id(login), &self.credentials) {
            (Some(user), Some(held)) => {
                let theirs = &held.account().id;
                same_account(user, theirs) || again && theirs.is_empty()
            }
            (None, Some(_)) | (_, None) => again,
        };
        let displaced = self.credentials.clone().filter(|_| !same);
        if !same {
            self.unreported = None;
            self.forget_credentials();
        } else if let Some(Unreported { what: Pending::Granted(granted), .. }) = self.unreported.take() {
            // The token before it is spent: should the new login be no good, this is what goes on.
            self.announce(*granted);
        }
        displaced
    }

    /// Signs in with the login, before anything else is tried.
    fn try_login(&mut self, displaced: Option<Arc<Credentials>>) {
        let was = std::mem::replace(&mut self.mode, Mode::SignedIn);
        self.take_over_store(displaced, was);
        // A sign-in brings every lease; the access token asks for it.
        let waits = self.may_be_waited_for(LeaseId::Access);
        let access = &mut self.leases[LeaseId::Access.index()];
        access.try_login();
        if waits {
            access.ask();
            access.shorten_backoff();
        }
        self.advance();
    }

    /// Takes over the grant of an interactive sign-in (in a browser, or by the device flow). It replaces all
    /// credentials that are held, and a login that is of another account is forgotten (after a sign-out: one that may
    /// be). Fails if the grant has no access token: with its [`flaw`](Grant::flaw), or else with
    /// [`NotGranted`](ServiceErrorKind::NotGranted).
    pub fn install_grant(&mut self, grant: Grant, now: Now) -> Result<(), Error> {
        self.tick(now);
        let flaw = grant.flaw.clone();
        let Some(credentials) = Credentials::from_grant(grant, None) else {
            return Err(flaw.unwrap_or(ServiceError::new(ServiceErrorKind::NotGranted)).into());
        };
        self.install(credentials, Source::Issued);
        Ok(())
    }

    /// Restores a saved session, such as [`export`](Self::export) makes, in place of all credentials that are held. Use
    /// it at the start of a program that keeps its session somewhere else than in a [`store`](crate::store).
    ///
    /// Fails with [`OtherProvider`](ImportError::OtherProvider) if the session is of another provider or namespace, and
    /// with [`OtherAccount`](ImportError::OtherAccount) if it is of another account than the login. If this session has
    /// a store, the imported credentials are used until the store has been read: a session or a sign-out that is found
    /// there takes their place.
    pub fn import(&mut self, saved: SavedSession, now: Now) -> Result<(), ImportError> {
        self.tick(now);
        let user_id = self.login.given.as_ref().and_then(|login| self.provider.account_id(login));
        saved.check(self.provider.name(), &self.provider.namespace(), user_id)?;
        self.install(saved.into_credentials(), Source::SavedSession);
        Ok(())
    }

    /// Signs out: the credentials are dropped at once, and the service is asked to revoke them, if its provider can do
    /// that. An exchange in flight finishes; what it brings is revoked and never handed out. With a store, this signs
    /// out every session on it. Until [`import`](Self::import) (only without a store), [`sign_in`](Self::sign_in),
    /// [`sign_in_again`](Self::sign_in_again) or [`install_grant`](Self::install_grant) is called, here or in another
    /// session on the store, callers get [`SignedOut`](SessionError::SignedOut).
    ///
    /// Once [`is_signing_out`](Self::is_signing_out) is `false`, [`unrevoked`](Self::unrevoked) tells whether the
    /// revocation failed, and [`unsaved`](Self::unsaved) whether clearing the store did.
    pub fn sign_out(&mut self, login: SignOut, now: Now) {
        self.tick(now);
        let held = self.credentials.clone();
        let user = self.login.given.as_ref().and_then(|login| self.provider.account_id(login)).map(str::to_owned);
        let user = user.or_else(|| Some(held.as_ref()?.account().id.clone()));
        if login == SignOut::ForgetLogin {
            self.drop_login();
        }
        self.exchanges.revocations.forget_error();
        let was = std::mem::replace(&mut self.mode, Mode::SignedOut);
        if was == Mode::SignedIn {
            self.exchanges.revocations.begin();
            self.orphan_flight();
            self.exchanges.revocations.extend(held);
            self.outbox.outputs.push_back(Output::Event(Event::SignedOut));
        }
        self.clear_store(login, user);
        self.forget_credentials();
        self.advance();
    }

    /// Forgets the login. Credentials stay, and are renewed as far as they can be without it.
    pub fn forget_login(&mut self, now: Now) {
        self.tick(now);
        self.drop_login();
        self.advance();
    }

    fn drop_login(&mut self) {
        self.login.given = None;
        self.login.state = LoginState::Open;
        self.leases.iter_mut().for_each(Lease::waits_for_no_login);
        self.forget_stored_login();
    }

    // ---- Input and output

    /// Tells the session what happened.
    pub fn handle_input(&mut self, input: Input, now: Now) {
        self.tick(now);
        match input {
            Input::Response(id, response) => self.answered(id, response),
            Input::Failed(id, error) => self.undelivered(id, error.into()),
            Input::Store(id, result) => self.stored(id, result),
            Input::StoreChanged => self.store_changed(),
            Input::StoreGone => self.store_gone(),
            Input::Wake => {}
        }
        self.advance();
    }

    /// The next thing to do. After each input and command, call it in a loop until it returns [`Output::Sleep`]: then
    /// there is nothing to do until the next input or command.
    pub fn poll_output(&mut self) -> Output {
        self.outbox.outputs.pop_front().unwrap_or_else(|| {
            // Nothing may come for an hour: the room of what came is more than a session takes without it.
            self.outbox.outputs = Default::default();
            Output::Sleep(self.next_wake())
        })
    }

    // ---- Getters

    /// The credentials, if this lease of them is valid at `now`; `None` if it has expired, was rejected by the API, or
    /// is not there. Credentials whose age [cannot be proven](Validity::is_uncertain) are renewed first: they count as
    /// valid only once a renewal has failed without being refused.
    pub fn credentials(&self, lease_id: LeaseId, now: Now) -> Option<&Arc<Credentials>> {
        self.credentials.as_ref().filter(|held| {
            let (validity, lease) = (held.validity(lease_id), &self.leases[lease_id.index()]);
            lease.held.service.may_be_served() && validity.is_some_and(|validity| !validity.is_expired(now))
        })
    }

    /// What is held, valid or not.
    pub fn held(&self) -> Option<&Arc<Credentials>> {
        self.credentials.as_ref()
    }

    /// The error to give a caller who asks now, where waiting is of no use: a pause after a failure (it ends at
    /// [`Error::retry_at`]), a refusal by the service, a sign-out, a closed session. `None` while valid credentials are
    /// held or on their way.
    pub fn obstacle(&self, lease_id: LeaseId) -> Option<Error> {
        if self.mode == Mode::SignedOut {
            return Some(SessionError::SignedOut.into());
        }
        if self.is_valid(lease_id) {
            return None;
        }
        if self.is_ending() && !self.is_renewing(lease_id) {
            return Some(SessionError::Closed.into());
        }
        self.hindrance(lease_id)
    }

    /// Why no attempt begins now at this lease, or at the access token that it waits for.
    fn hindrance(&self, lease_id: LeaseId) -> Option<Error> {
        let ours = self.pause(lease_id).filter(|_| !self.is_worth_waiting(lease_id));
        let waits = (self.is_blocked(lease_id) || self.waits_for_login(lease_id)) && !self.is_renewing(lease_id);
        let access = waits.then(|| self.hindrance(LeaseId::Access)).flatten();
        match (ours, access) {
            // What comes first does not help while the other one still stands in the way.
            (Some(ours), Some(access)) if ours.retry_at().is_some() && ours.retry_at() < access.retry_at() => {
                Some(access)
            }
            (ours, access) => ours.or(access),
        }
    }

    /// Whether callers wait for the end of a pause: it follows from a refusal by the API and is short.
    fn is_worth_waiting(&self, lease_id: LeaseId) -> bool {
        let soon = self.now.monotonic.saturating_add(MAX_BACKOFF_FOREGROUND);
        let lease = &self.leases[lease_id.index()];
        lease.exhausted().is_none() && lease.is_damped() && !self.is_quiet() && self.start_at(lease_id) <= soon
    }

    /// Why no attempt at renewing this lease begins now, whether or not it is still valid: the pause after a
    /// failure, or that nothing is left to try.
    pub fn pause(&self, lease_id: LeaseId) -> Option<Error> {
        let lease = &self.leases[lease_id.index()];
        if self.is_renewing(lease_id) {
            return None;
        }
        if let Some(error) = lease.exhausted() {
            return Some(error.clone());
        }
        let ours = lease.pause().zip(lease.error()).map(|(pause, error)| (pause.until, error));
        let quiet = self.service.quiet.as_ref().map(|quiet| (quiet.until, &*quiet.error));
        let (until, error) = [ours, quiet].into_iter().flatten().max_by_key(|(until, _)| *until)?;
        (until > self.now.monotonic).then(|| error.clone().with_retry_at(Some(self.wall_at(until))))
    }

    /// Why the revocation at the last sign-out failed, if it did. It is not tried again: the session has dropped the
    /// credentials, but the service may accept them until they expire.
    pub fn unrevoked(&self) -> Option<&Error> {
        self.exchanges.revocations.error()
    }

    /// Whether the service has still to be told of a sign-out, or the store to be cleared. A store that has failed is
    /// not waited for: it is cleared as soon as it can be.
    pub fn is_signing_out(&self) -> bool {
        self.is_clearing()
            || !self.exchanges.revocations.is_empty()
            || matches!(self.exchanges.in_flight, InFlight::Orphaned(_) | InFlight::Revoking(_))
    }

    /// Whether somebody has asked for this lease since its last attempt ended.
    pub fn is_asked_for(&self, lease_id: LeaseId) -> bool {
        self.leases[lease_id.index()].is_waited_for()
    }

    /// How many failures callers who waited for this lease were told of so far, and the last failure. When the count
    /// changes, a driver hands that error to the callers who wait.
    pub fn failures(&self, lease_id: LeaseId) -> (u64, Option<&Error>) {
        let lease = &self.leases[lease_id.index()];
        (lease.failures_told(), lease.error())
    }

    /// What the session is doing.
    pub fn state(&self) -> State {
        let access = &self.leases[LeaseId::Access.index()];
        let busy = matches!(self.exchanges.in_flight, InFlight::Renewing(_)) || self.unreported.is_some();
        match () {
            () if self.mode == Mode::SignedOut => State::SignedOut,
            () if self.is_valid(LeaseId::Access) && busy => State::Renewing,
            () if self.is_valid(LeaseId::Access) => State::Live,
            () if access.exhausted().is_some() || access.awaits_person(self.now) => State::SignInRequired,
            () if busy => State::SigningIn,
            () if access.pause().is_some() || self.is_quiet() => State::Waiting,
            () if access.demand != Demand::None => State::SigningIn,
            () => State::Idle,
        }
    }

    /// When the session next wants to be woken, and why.
    pub fn next_wake(&self) -> Option<Wake> {
        self.timers().into_iter().flatten().min_by_key(|wake| wake.at)
    }

    /// Whether there is a login that was not refused: [`sign_in_again`](Self::sign_in_again) can use it.
    pub fn has_login(&self) -> bool {
        self.login.given.is_some() && self.login.state.refusal().is_none()
    }

    /// Whether there is a login that may be sent now: the service has not rejected it, it is not in a pause after
    /// answers that were neither a grant nor a rejection, and there is a sign-in method whose endpoint is not known to
    /// be missing.
    pub fn may_show_login(&self) -> bool {
        let is_there = |method: &P::Method| {
            self.consumes(*method) == Consumes::LoginAttempt
                && !self.service.endpoints.is_left_out(*method, self.now.monotonic)
        };
        let rests = self.login.state.rests_until(self.now).is_some();
        self.has_login() && !rests && self.provider.methods(LeaseId::Access).iter().any(is_there)
    }

    /// Whether stopping now could lose a refresh token of a session with a store: a one-use token was sent and its
    /// answer has not come, or the result of an exchange is not saved yet. Always `false` without a store;
    /// [`unfinished`](Self::unfinished) covers that case too.
    pub fn is_spending(&self) -> bool {
        self.store.is_some() && (self.unreported.is_some() || self.is_token_out())
    }

    /// The error of the last attempt to write to the store, while there is something that is not saved. Valid
    /// credentials are handed out all the same, and saving is tried again.
    pub fn unsaved(&self) -> Option<&StoreError> {
        self.save_error()
    }

    /// Whether every output has been taken, and no exchange is under way.
    pub fn is_at_rest(&self) -> bool {
        self.outbox.outputs.is_empty() && matches!(self.exchanges.in_flight, InFlight::Free)
    }

    /// The session as something to save: the credentials that are held, with the provider and namespace that they
    /// belong to. `None` if no credentials are held. [`import`](Self::import) restores it.
    pub fn export(&self) -> Option<SavedSession> {
        let held = self.credentials.as_ref()?;
        Some(SavedSession::new(self.provider.name(), self.provider.namespace(), Credentials::clone(held)))
    }

    /// The provider.
    pub fn provider(&self) -> &P {
        &self.provider
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.outbox.stats
    }

    /// Whether renewals and sign-ins are paused because the service asked for it, by a 429 or a `Retry-After`.
    pub fn is_quiet(&self) -> bool {
        self.service.quiet.as_ref().is_some_and(|quiet| quiet.until > self.now.monotonic)
    }

    fn validity(&self, lease_id: LeaseId) -> Option<&Validity> {
        self.credentials.as_ref()?.validity(lease_id)
    }

    fn is_valid(&self, lease_id: LeaseId) -> bool {
        self.credentials(lease_id, self.now).is_some()
    }

    fn wall_at(&self, monotonic: Duration) -> crate::Timestamp {
        self.now.wall.saturating_add(monotonic.saturating_sub(self.now.monotonic))
    }
}

/// No secrets: what it holds and what it does.
impl<P: Provider> std::fmt::Debug for Session<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("provider", &self.provider.name())
            .field("state", &self.state())
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}
