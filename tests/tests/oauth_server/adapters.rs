//! What these tests need of an adapter.

use std::sync::{Arc, LazyLock};

use perennial_adapter::SessionBuilder;
use perennial_core::PollingExchange;
use perennial_core::providers::oauth2::OAuth2;
use perennial_core::{Credentials, Error, Exchange, Grant, LeaseId, SignOut};
use tokio::runtime::Runtime;

/// One of the two.
pub trait Adapter: 'static {
    type Session: Clone + Send + 'static;

    fn run<X: Exchange>(exchange: X) -> Result<X::Output, Error>;
    fn poll<X: PollingExchange>(exchange: X) -> Result<X::Output, Error>;
    fn build(setup: SessionBuilder<OAuth2>) -> Self::Session;
    fn credentials(session: &Self::Session) -> Result<Arc<Credentials>, Error>;
    fn renew(session: &Self::Session) -> Result<Arc<Credentials>, Error>;
    fn accept(session: &Self::Session, grant: Grant);
    fn sign_out(session: &Self::Session);
}

pub struct Hyper;
pub struct Blocking;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime can be had"));

impl Adapter for Hyper {
    type Session = perennial_hyper::Session<OAuth2>;

    fn run<X: Exchange>(exchange: X) -> Result<X::Output, Error> {
        RUNTIME.block_on(perennial_hyper::Connector::new().run(exchange))
    }

    fn poll<X: PollingExchange>(exchange: X) -> Result<X::Output, Error> {
        RUNTIME.block_on(perennial_hyper::Connector::new().poll(exchange))
    }

    fn build(setup: SessionBuilder<OAuth2>) -> Self::Session {
        let _inside = RUNTIME.enter();
        perennial_hyper::Connector::new().build(setup).unwrap()
    }

    fn credentials(session: &Self::Session) -> Result<Arc<Credentials>, Error> {
        RUNTIME.block_on(session.credentials()).map(|current| current.to_arc())
    }

    fn renew(session: &Self::Session) -> Result<Arc<Credentials>, Error> {
        RUNTIME.block_on(session.renew(LeaseId::Access)).map(|current| current.to_arc())
    }

    fn accept(session: &Self::Session, grant: Grant) {
        let _inside = RUNTIME.enter();
        session.install_grant(grant).unwrap();
    }

    fn sign_out(session: &Self::Session) {
        RUNTIME.block_on(session.sign_out(SignOut::KeepLogin)).unwrap();
    }
}

impl Adapter for Blocking {
    type Session = perennial_blocking::Session<OAuth2>;

    fn run<X: Exchange>(exchange: X) -> Result<X::Output, Error> {
        perennial_blocking::Connector::new().run(exchange)
    }

    fn poll<X: PollingExchange>(exchange: X) -> Result<X::Output, Error> {
        perennial_blocking::Connector::new().poll(exchange)
    }

    fn build(setup: SessionBuilder<OAuth2>) -> Self::Session {
        perennial_blocking::Connector::new().build(setup).unwrap()
    }

    fn credentials(session: &Self::Session) -> Result<Arc<Credentials>, Error> {
        session.credentials().map(|current| current.to_arc())
    }

    fn renew(session: &Self::Session) -> Result<Arc<Credentials>, Error> {
        session.renew(LeaseId::Access).map(|current| current.to_arc())
    }

    fn accept(session: &Self::Session, grant: Grant) {
        session.install_grant(grant).unwrap();
    }

    fn sign_out(session: &Self::Session) {
        session.sign_out(SignOut::KeepLogin).unwrap();
    }
}
