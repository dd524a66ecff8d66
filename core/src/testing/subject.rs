//! What the harness drives: a session, or something that claims to be one.

use std::sync::Arc;

use super::toy::{Toy, ToyLogin};
use crate::session::Stats;
use crate::{
    Credentials, Error, Generation, Grant, Input, Need, Now, Output, Saved, SavedError, Session, SignOut, State, Wake,
};

/// The surface of a session, as the harness uses it. Wrap a session to see whether the model catches a fault.
pub trait Subject: std::fmt::Debug {
    /// See [`Session::demand`].
    fn demand(&mut self, need: Need, now: Now);
    /// See [`Session::reject`].
    fn reject(&mut self, need: Need, generation: Generation, now: Now);
    /// See [`Session::renew`].
    fn renew(&mut self, need: Need, now: Now);
    /// See [`Session::sign_in`].
    fn sign_in(&mut self, login: ToyLogin, now: Now);
    /// See [`Session::sign_in_again`].
    fn sign_in_again(&mut self, now: Now) -> Result<(), Error>;
    /// See [`Session::accept`].
    fn accept(&mut self, grant: Grant, now: Now) -> Result<(), Error>;
    /// See [`Session::restore`].
    fn restore(&mut self, saved: Saved, now: Now) -> Result<(), SavedError>;
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
    fn credentials(&self, need: Need, now: Now) -> Option<Arc<Credentials>>;
    /// See [`Session::held`].
    fn held(&self) -> Option<Arc<Credentials>>;
    /// See [`Session::obstacle`].
    fn obstacle(&self, need: Need) -> Option<Error>;
    /// See [`Session::renews_first`].
    fn renews_first(&self, need: Need) -> bool;
    /// See [`Session::is_finished`].
    fn is_finished(&self) -> bool;
    /// How many failures were told. See [`Session::failures`].
    fn told(&self, need: Need) -> u64;
    /// See [`Session::state`].
    fn state(&self) -> State;
    /// See [`Session::next_wake`].
    fn next_wake(&self) -> Option<Wake>;
    /// See [`Session::has_login`].
    fn has_login(&self) -> bool;
    /// See [`Session::export`].
    fn export(&self) -> Option<Saved>;
    /// See [`Session::stats`].
    fn stats(&self) -> Stats;
}

impl Subject for Session<Toy> {
    fn demand(&mut self, need: Need, now: Now) {
        self.demand(need, now);
        run_work(self, now);
    }

    fn reject(&mut self, need: Need, generation: Generation, now: Now) {
        self.reject(need, generation, now);
        run_work(self, now);
    }

    fn renew(&mut self, need: Need, now: Now) {
        self.renew(need, now);
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
        let accepted = self.accept(grant, now);
        run_work(self, now);
        accepted
    }

    fn restore(&mut self, saved: Saved, now: Now) -> Result<(), SavedError> {
        let restored = self.restore(saved, now);
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

    fn credentials(&self, need: Need, now: Now) -> Option<Arc<Credentials>> {
        self.credentials(need, now).cloned()
    }

    fn held(&self) -> Option<Arc<Credentials>> {
        self.held().cloned()
    }

    fn obstacle(&self, need: Need) -> Option<Error> {
        self.obstacle(need)
    }

    fn renews_first(&self, need: Need) -> bool {
        self.renews_first(need)
    }

    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    fn told(&self, need: Need) -> u64 {
        self.failures(need).0
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

    fn export(&self) -> Option<Saved> {
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
