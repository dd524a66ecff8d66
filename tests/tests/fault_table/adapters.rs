//! Both adapters behind one face, for sessions at any service.

use std::sync::{Arc, OnceLock};

use perennial_adapter::SessionBuilder;
use perennial_core::{Credentials, Error, Exchange, Grant, LeaseId, PollingExchange, Provider};
use perennial_tests::{Blocking, Hyper, Link};
use tokio::runtime::{Builder, Runtime};

pub(crate) trait Side<P: Provider>: Clone + Send + 'static {
    fn run<X: Exchange>(link: Link, exchange: X) -> Result<X::Output, Error>;
    #[allow(dead_code, reason = "not every program that includes this file polls")]
    fn poll<X: PollingExchange>(link: Link, exchange: X) -> Result<X::Output, Error>;
    fn build(link: Link, setup: SessionBuilder<P>) -> Result<Self, Error>;
    fn credentials(&self, lease_id: LeaseId) -> Result<Arc<Credentials>, Error>;
    fn renew(&self, lease_id: LeaseId) -> Result<Arc<Credentials>, Error>;
    fn sign_in(&self, login: P::Login) -> Result<Arc<Credentials>, Error>;
    fn accept(&self, grant: Grant) -> Result<(), Error>;
    fn debug(&self) -> String;
}

#[derive(Clone)]
pub(crate) struct OverHyper<P: Provider>(perennial_hyper::Session<P>);

#[derive(Clone)]
pub(crate) struct OverBlocking<P: Provider>(perennial_blocking::Session<P>);

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap())
}

impl<P: Provider> Side<P> for OverHyper<P> {
    fn run<X: Exchange>(link: Link, exchange: X) -> Result<X::Output, Error> {
        runtime().block_on(Hyper::client(link).run(exchange))
    }

    fn poll<X: PollingExchange>(link: Link, exchange: X) -> Result<X::Output, Error> {
        runtime().block_on(Hyper::client(link).poll(exchange))
    }

    fn build(link: Link, setup: SessionBuilder<P>) -> Result<Self, Error> {
        let _inside = runtime().enter();
        Hyper::client(link).build(setup).map(Self)
    }

    fn credentials(&self, lease_id: LeaseId) -> Result<Arc<Credentials>, Error> {
        runtime().block_on(self.0.credentials_for(lease_id)).map(|current| current.to_arc())
    }

    fn renew(&self, lease_id: LeaseId) -> Result<Arc<Credentials>, Error> {
        runtime().block_on(self.0.renew(lease_id)).map(|current| current.to_arc())
    }

    fn sign_in(&self, login: P::Login) -> Result<Arc<Credentials>, Error> {
        runtime().block_on(self.0.sign_in(login)).map(|current| current.to_arc())
    }

    fn accept(&self, grant: Grant) -> Result<(), Error> {
        let _inside = runtime().enter();
        self.0.install_grant(grant)
    }

    fn debug(&self) -> String {
        format!("{:?} {:#?}", self.0, self.0)
    }
}

impl<P: Provider> Side<P> for OverBlocking<P> {
    fn run<X: Exchange>(link: Link, exchange: X) -> Result<X::Output, Error> {
        Blocking::client(link).run(exchange)
    }

    fn poll<X: PollingExchange>(link: Link, exchange: X) -> Result<X::Output, Error> {
        Blocking::client(link).poll(exchange)
    }

    fn build(link: Link, setup: SessionBuilder<P>) -> Result<Self, Error> {
        Blocking::client(link).build(setup).map(Self)
    }

    fn credentials(&self, lease_id: LeaseId) -> Result<Arc<Credentials>, Error> {
        self.0.credentials_for(lease_id).map(|current| current.to_arc())
    }

    fn renew(&self, lease_id: LeaseId) -> Result<Arc<Credentials>, Error> {
        self.0.renew(lease_id).map(|current| current.to_arc())
    }

    fn sign_in(&self, login: P::Login) -> Result<Arc<Credentials>, Error> {
        self.0.sign_in(login).map(|current| current.to_arc())
    }

    fn accept(&self, grant: Grant) -> Result<(), Error> {
        self.0.install_grant(grant)
    }

    fn debug(&self) -> String {
        format!("{:?} {:#?}", self.0, self.0)
    }
}
