//! What is tested: a handle, whichever adapter it is of, seen from a thread.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use perennial_core::adapter::{Current, Setup};
use perennial_core::providers::navien::{Login, Navien};
use perennial_core::{Credentials, Error, Need, Request, Saved, SignOut, State, Unfinished};

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
    type Reader: Reads;

    fn build(link: Link, setup: Setup<Navien>) -> Result<Self, Error>;
    fn connect(link: Link, setup: Setup<Navien>) -> Result<Self, Error>;

    fn credentials(&self, need: Need) -> Result<Arc<Credentials>, Error>;
    fn credentials_with(&self, need: Need, min_remaining: Duration) -> Result<Arc<Credentials>, Error>;
    fn renew(&self, need: Need) -> Result<Arc<Credentials>, Error>;
    fn authorize(&self, headers: &mut HeaderMap) -> Result<Arc<Credentials>, Error>;
    fn sign_in(&self, login: Login) -> Result<Arc<Credentials>, Error>;
    fn sign_in_again(&self) -> Result<Arc<Credentials>, Error>;
    fn sign_out(&self, login: SignOut) -> Result<(), Error>;

    fn current(&self, need: Need) -> Option<Current>;
    /// The waiting call, which must not wait: `None` where it would.
    fn at_once(&self, need: Need) -> Option<Result<Current, Error>>;
    /// The same for headers.
    fn authorize_at_once(&self, headers: &mut HeaderMap) -> Option<Result<Current, Error>>;
    fn reader(&self) -> Self::Reader;
    fn rejected(&self, need: Need, credentials: &Credentials);
    fn forget_login(&self);
    fn changes(&self, need: Need) -> Self::Changes;
    fn state(&self) -> State;
    fn has_login(&self) -> bool;
    fn is_authenticated(&self) -> bool;
    fn user_id(&self) -> Option<String>;
    fn export(&self) -> Option<Saved>;
    fn close(&self);
    fn finish(&self, within: Duration) -> Result<(), Unfinished>;
    /// See `settle` of the adapters' handles. Panics where that takes too long.
    fn settle(&self);
    fn debug(&self) -> String;

    /// The issues after the one that is held.
    fn renewals(&self, need: Need) -> Self::Changes {
        let mut changes = self.changes(need);
        changes.next().expect("what is held comes first");
        changes
    }
}

/// What one caller keeps, to read over and over. See the adapters' readers.
#[expect(missing_docs, reason = "the adapters' readers document them, under the same names")]
pub trait Reads: Clone + Send + 'static {
    fn current(&mut self, need: Need) -> Option<&Credentials>;
    fn credentials(&mut self, need: Need) -> Result<&Credentials, Error>;
    /// The waiting call, which must not wait: `None` where it would.
    fn at_once(&mut self, need: Need) -> Option<Result<&Credentials, Error>>;
    /// The same for headers.
    fn authorize_at_once(&mut self, headers: &mut HeaderMap) -> Option<Result<&Credentials, Error>>;
    fn rejected(&self, need: Need);
    fn debug(&self) -> String;
}

/// The issues of a lease.
pub trait Issues: Send + 'static {
    /// The next one.
    fn next(&mut self) -> Result<Arc<Credentials>, Error>;
}
