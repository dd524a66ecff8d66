//! Both adapters, behind one face.

use std::sync::{Arc, OnceLock};

use http::{HeaderMap, Method, Uri};
use perennial_adapter::SessionBuilder;
use perennial_core::providers::auth0::{Auth0, Login};
use perennial_core::{Credentials, Error, Exchange, Grant, LeaseId, SavedSession, SignOut, State};
use perennial_tests::{Blocking, Hyper, LONG, Link, within};
use tokio::runtime::Runtime;

pub(crate) trait Side: Clone + Send + 'static {
    fn run<X: Exchange>(link: Link, exchange: X) -> Result<X::Output, Error>;
    fn build(link: Link, setup: SessionBuilder<Auth0>) -> Result<Self, Error>;
    fn credentials(&self) -> Result<Arc<Credentials>, Error>;
    fn authorize(&self, headers: &mut HeaderMap) -> Result<Arc<Credentials>, Error>;
    fn sign_in(&self, login: Login) -> Result<Arc<Credentials>, Error>;
    fn sign_in_again(&self) -> Result<Arc<Credentials>, Error>;
    fn sign_out(&self, login: SignOut) -> Result<(), Error>;
    fn next_issue_after(&self, action: impl FnOnce()) -> Arc<Credentials>;
    fn rejected(&self, credentials: &Credentials);
    fn accept(&self, grant: Grant) -> Result<(), Error>;
    fn is_authenticated(&self) -> bool;
    fn has_login(&self) -> bool;
    fn state(&self) -> State;
    fn export(&self) -> Option<SavedSession>;
    fn settle(&self);
}

#[derive(Clone)]
pub(crate) struct OverHyper(perennial_hyper::Session<Auth0>);

#[derive(Clone)]
pub(crate) struct OverBlocking(perennial_blocking::Session<Auth0>);

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

/// The calls that only get through.
macro_rules! passed_on {
    () => {
        fn accept(&self, grant: Grant) -> Result<(), Error> {
            let _inside = runtime().enter();
            self.0.install_grant(grant)
        }
        fn rejected(&self, credentials: &Credentials) {
            let _inside = runtime().enter();
            self.0.rejected(LeaseId::Access, credentials);
        }
        fn is_authenticated(&self) -> bool {
            self.0.is_authenticated()
        }
        fn has_login(&self) -> bool {
            self.0.has_login()
        }
        fn state(&self) -> State {
            self.0.state()
        }
        fn export(&self) -> Option<SavedSession> {
            self.0.export()
        }
    };
}

impl Side for OverHyper {
    fn run<X: Exchange>(link: Link, exchange: X) -> Result<X::Output, Error> {
        runtime().block_on(Hyper::client(link).run(exchange))
    }
    fn build(link: Link, setup: SessionBuilder<Auth0>) -> Result<Self, Error> {
        let _inside = runtime().enter();
        Hyper::client(link).build(setup).map(Self)
    }
    fn credentials(&self) -> Result<Arc<Credentials>, Error> {
        runtime().block_on(self.0.credentials()).map(|current| current.to_arc())
    }
    fn authorize(&self, headers: &mut HeaderMap) -> Result<Arc<Credentials>, Error> {
        runtime().block_on(self.0.authorize(&Method::GET, &Uri::default(), headers)).map(|current| current.to_arc())
    }
    fn sign_in(&self, login: Login) -> Result<Arc<Credentials>, Error> {
        runtime().block_on(self.0.sign_in(login)).map(|current| current.to_arc())
    }
    fn sign_in_again(&self) -> Result<Arc<Credentials>, Error> {
        runtime().block_on(self.0.sign_in_again()).map(|current| current.to_arc())
    }
    fn sign_out(&self, login: SignOut) -> Result<(), Error> {
        runtime().block_on(self.0.sign_out(login))
    }
    fn next_issue_after(&self, action: impl FnOnce()) -> Arc<Credentials> {
        let mut changes = self.0.updates(LeaseId::Access);
        runtime().block_on(changes.next()).unwrap();
        action();
        runtime().block_on(changes.next()).unwrap().to_arc()
    }
    fn settle(&self) {
        let session = self.0.clone();
        within(LONG, move || runtime().block_on(session.settle())).expect("the session comes to rest");
    }
    passed_on!();
}

impl Side for OverBlocking {
    fn run<X: Exchange>(link: Link, exchange: X) -> Result<X::Output, Error> {
        Blocking::client(link).run(exchange)
    }
    fn build(link: Link, setup: SessionBuilder<Auth0>) -> Result<Self, Error> {
        Blocking::client(link).build(setup).map(Self)
    }
    fn credentials(&self) -> Result<Arc<Credentials>, Error> {
        self.0.credentials().map(|current| current.to_arc())
    }
    fn authorize(&self, headers: &mut HeaderMap) -> Result<Arc<Credentials>, Error> {
        self.0.authorize(&Method::GET, &Uri::default(), headers).map(|current| current.to_arc())
    }
    fn sign_in(&self, login: Login) -> Result<Arc<Credentials>, Error> {
        self.0.sign_in(login).map(|current| current.to_arc())
    }
    fn sign_in_again(&self) -> Result<Arc<Credentials>, Error> {
        self.0.sign_in_again().map(|current| current.to_arc())
    }
    fn sign_out(&self, login: SignOut) -> Result<(), Error> {
        self.0.sign_out(login)
    }
    fn next_issue_after(&self, action: impl FnOnce()) -> Arc<Credentials> {
        let mut changes = self.0.updates(LeaseId::Access);
        changes.next().unwrap();
        action();
        changes.next().unwrap().to_arc()
    }
    fn settle(&self) {
        let session = self.0.clone();
        within(LONG, move || session.settle()).expect("the session comes to rest");
    }
    passed_on!();
}

macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod hyper {
            $(#[test]
            fn $name() {
                super::$name::<$crate::sides::OverHyper>();
            })*
        }
        mod blocking {
            $(#[test]
            fn $name() {
                super::$name::<$crate::sides::OverBlocking>();
            })*
        }
    };
}

pub(crate) use both;
