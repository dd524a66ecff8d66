//! What the harness drives: a session, or something that claims to be one.

use std::sync::Arc;

use super::toy::{Toy, ToyLogin};
use perennial_core::session::Stats;
use perennial_core::{
    Credentials, Error, Generation, Grant, ImportError, Input, LeaseId, Now, Output, SavedSession, Session, SignOut,
    State, Wake,
};

/// The methods of a session that the harness calls. Implement it for a session with a mistake in it, to see whether the
/// model finds that.
pub trait Subject: std::fmt::Debug {
    /// See [`Session::demand`].
    fn demand(&mut self, lease_id: LeaseId, now: Now);
    /// See [`Session::rejected`].
    fn reject(&mut self, lease_id: LeaseId, generation: Generation, now: Now);
    /// See [`Session::renew`].
    fn renew(&mut self, lease_id: LeaseId, now: Now);
    /// See [`Session::sign_in`].
    fn sign_in(&mut self, login: ToyLogin, now: Now);
    /// See [`Session::sign_in_again`].
    fn sign_in_again(&mut self, now: Now) -> Result<(), Error>;
    /// See [`Session::install_grant`].
    fn accept(&mut self, grant: Grant, now: Now) -> Result<(), Error>;
    /// See [`Session::import`].
    fn restore(&mut self, saved: SavedSession, now: Now) -> Result<(), ImportError>;
    /// See [`Session::sign_out`].
    fn sign_out(&mut self, login: SignOut, now: Now);
    /// See [`Session::forget_login`].
    fn forget_login(&mut self, now: Now);
    /// See [`Session::close`].
    fn close(&mut self, now: Now);
    /// See [`Session::handle_input`].
    fn handle_input(&mut self, input: Input, now: Now);
    /// See [`Session::poll_output`].
    fn poll_output(&mut self) -> Output;
    /// See [`Session::with_store`].
    #[must_use]
    fn with_store(self) -> Self;
    /// See [`Session::credentials`].
    fn credentials(&self, lease_id: LeaseId, now: Now) -> Option<Arc<Credentials>>;
    /// See [`Session::held`].
    fn held(&self) -> Option<Arc<Credentials>>;
    /// See [`Session::obstacle`].
    fn obstacle(&self, lease_id: LeaseId) -> Option<Error>;
    /// See [`Session::renews_first`].
    fn renews_first(&self, lease_id: LeaseId) -> bool;
    /// See [`Session::is_finished`].
    fn is_finished(&self) -> bool;
    /// How many failures were told. See [`Session::failures`].
    fn told(&self, lease_id: LeaseId) -> u64;
    /// See [`Session::state`].
    fn state(&self) -> State;
    /// See [`Session::next_wake`].
    fn next_wake(&self) -> Option<Wake>;
    /// See [`Session::has_login`].
    fn has_login(&self) -> bool;
    /// See [`Session::export`].
    fn export(&self) -> Option<SavedSession>;
    /// See [`Session::stats`].
    fn stats(&self) -> Stats;
}

impl Subject for Session<Toy> {
    fn demand(&mut self, lease_id: LeaseId, now: Now) {
        self.demand(lease_id, now);
        run_work(self, now);
    }

    fn reject(&mut self, lease_id: LeaseId, generation: Generation, now: Now) {
        self.rejected(lease_id, generation, now);
        run_work(self, now);
    }

    fn renew(&mut self, lease_id: LeaseId, now: Now) {
        self.renew(lease_id, now);
        run_work(self, now);
    }

    fn sign_in(&mut self, login: ToyLogin, now: Now) {
        self.sign_in(login, now);
        run_work(self, now);
    }

    fn sign_in_again(&mut self, now: Now) -> Result<(), Error> {
        let begun = self.sign_in_again(now);
        run_work(self, now);
        begun
    }

    fn accept(&mut self, grant: Grant, now: Now) -> Result<(), Error> {
        let accepted = self.install_grant(grant, now);
        run_work(self, now);
        accepted
    }

    fn restore(&mut self, saved: SavedSession, now: Now) -> Result<(), ImportError> {
        let restored = self.import(saved, now);
        run_work(self, now);
        restored
    }

    fn sign_out(&mut self, login: SignOut, now: Now) {
        self.sign_out(login, now);
        run_work(self, now);
    }

    fn forget_login(&mut self, now: Now) {
        self.forget_login(now);
    }

    fn close(&mut self, now: Now) {
        self.close(now);
    }

    fn handle_input(&mut self, input: Input, now: Now) {
        self.handle_input(input, now);
        run_work(self, now);
    }

    fn poll_output(&mut self) -> Output {
        self.poll_output()
    }

    fn with_store(self) -> Self {
        self.with_store()
    }

    fn credentials(&self, lease_id: LeaseId, now: Now) -> Option<Arc<Credentials>> {
        self.credentials(lease_id, now).cloned()
    }

    fn held(&self) -> Option<Arc<Credentials>> {
        self.held().cloned()
    }

    fn obstacle(&self, lease_id: LeaseId) -> Option<Error> {
        self.obstacle(lease_id)
    }

    fn renews_first(&self, lease_id: LeaseId) -> bool {
        self.renews_first(lease_id)
    }

    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    fn told(&self, lease_id: LeaseId) -> u64 {
        self.failures(lease_id).0
    }

    fn state(&self) -> State {
        self.state()
    }

    fn next_wake(&self) -> Option<Wake> {
        self.next_wake()
    }

    fn has_login(&self) -> bool {
        self.has_login()
    }

    fn export(&self) -> Option<SavedSession> {
        self.export()
    }

    fn stats(&self) -> Stats {
        self.stats()
    }
}

/// Where a session hands its work out, somebody else runs it, at once.
fn run_work(session: &mut Session<Toy>, now: Now) {
    while let Some(work) = session.take_work(now) {
        session.work_done(work.run(), now);
    }
}
