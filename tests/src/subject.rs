//! What is tested: a handle, whichever adapter it is of, seen from a thread.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use perennial_adapter::{CredentialsRef, SessionBuilder};
use perennial_core::providers::navien::{Login, Navien};
use perennial_core::{Credentials, Error, LeaseId, Request, SavedSession, SignOut, State, Unfinished};

/// What carries requests: the adapter's own HTTP, and what the test wants to happen before each request.
#[derive(Clone)]
pub struct Link {
    /// The root certificate to trust, DER; empty for the built-in ones.
    pub root: Vec<u8>,
    /// Called as each request is about to be sent, where the transport's own code runs. It may change the request, and
    /// panic.
    pub before: Arc<dyn Fn(&mut Request) + Send + Sync>,
}

/// A handle to a session. Every call that waits blocks the thread. See the adapters for what the calls do.
#[expect(missing_docs, reason = "the adapters' handles document them, under the same names")]
pub trait Subject: Clone + Send + Sync + 'static {
    const NAME: &'static str;
    type Changes: Issues;

    fn build(link: Link, setup: SessionBuilder<Navien>) -> Result<Self, Error>;
    fn connect(link: Link, setup: SessionBuilder<Navien>) -> Result<Self, Error>;

    fn credentials(&self, lease_id: LeaseId) -> Result<Arc<Credentials>, Error>;
    fn credentials_with(&self, lease_id: LeaseId, min_remaining: Duration) -> Result<Arc<Credentials>, Error>;
    fn renew(&self, lease_id: LeaseId) -> Result<Arc<Credentials>, Error>;
    fn authorize(&self, headers: &mut HeaderMap) -> Result<Arc<Credentials>, Error>;
    fn sign_in(&self, login: Login) -> Result<Arc<Credentials>, Error>;
    fn sign_in_again(&self) -> Result<Arc<Credentials>, Error>;
    fn sign_out(&self, login: SignOut) -> Result<(), Error>;

    fn current(&self, lease_id: LeaseId) -> Option<CredentialsRef>;
    /// The waiting call, which must not wait: `None` where it would.
    fn at_once(&self, lease_id: LeaseId) -> Option<Result<CredentialsRef, Error>>;
    /// The same for headers.
    fn authorize_at_once(&self, headers: &mut HeaderMap) -> Option<Result<CredentialsRef, Error>>;
    fn rejected(&self, lease_id: LeaseId, credentials: &Credentials);
    fn forget_login(&self);
    fn changes(&self, lease_id: LeaseId) -> Self::Changes;
    fn state(&self) -> State;
    fn has_login(&self) -> bool;
    fn is_authenticated(&self) -> bool;
    fn account_id(&self) -> Option<String>;
    fn export(&self) -> Option<SavedSession>;
    fn close(&self);
    fn finish(&self, within: Duration) -> Result<(), Unfinished>;
    /// See `settle` of the adapters' handles. Panics where that takes too long.
    fn settle(&self);
    fn debug(&self) -> String;

    /// The issues after the one that is held.
    fn renewals(&self, lease_id: LeaseId) -> Self::Changes {
        let mut changes = self.changes(lease_id);
        changes.next().expect("what is held comes first");
        changes
    }
}

/// The issues of a lease.
pub trait Issues: Send + 'static {
    /// The next one.
    fn next(&mut self) -> Result<Arc<Credentials>, Error>;
}
