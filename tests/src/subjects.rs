//! Both adapters as subjects.

use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use perennial_adapter::{CredentialsRef, SessionBuilder};
use perennial_core::providers::navien::{Login, Navien};
use perennial_core::{
    Credentials, Error, LeaseId, Request, Response, SavedSession, SignOut, State, TransportError, Unfinished,
};
use tokio::runtime::{Builder, Runtime};

use crate::subject::{Issues, Link, Subject};
use crate::watch::{LONG, within};

/// `perennial-hyper`, on a runtime that all tests of a program share.
#[derive(Clone)]
pub struct Hyper(perennial_hyper::Session<Navien>);

/// `perennial-blocking`.
#[derive(Clone)]
pub struct Blocking(
    /// The session itself, for what only this adapter has.
    pub perennial_blocking::Session<Navien>,
);

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(4).enable_all();
        builder.build().expect("a runtime can be had")
    })
}

fn kept(current: Result<CredentialsRef, Error>) -> Result<Arc<Credentials>, Error> {
    current.map(|current| current.to_arc())
}

fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

impl Hyper {
    /// The handle itself, for what only tasks can do.
    pub fn handle(&self) -> &perennial_hyper::Session<Navien> {
        &self.0
    }

    /// What carries requests for this adapter.
    pub fn client(link: Link) -> perennial_hyper::Connector {
        let mut transport = perennial_hyper::HttpTransport::builder();
        if !link.root.is_empty() {
            transport = transport.root_certificate_der(link.root);
        }
        perennial_hyper::Connector::over(HyperLink {
            before: link.before,
            transport: transport.build().expect("the emulator's root is a certificate"),
        })
    }
}

struct HyperLink {
    before: Arc<dyn Fn(&mut Request) + Send + Sync>,
    transport: perennial_hyper::HttpTransport,
}

impl perennial_hyper::Transport for HyperLink {
    fn send(&self, mut request: Request) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send>> {
        (self.before)(&mut request);
        self.transport.send(request)
    }
}

impl Subject for Hyper {
    const NAME: &'static str = "hyper";
    type Changes = perennial_hyper::Updates<Navien>;

    fn build(link: Link, setup: SessionBuilder<Navien>) -> Result<Self, Error> {
        let _inside = runtime().enter();
        Self::client(link).build(setup).map(Self)
    }

    fn connect(link: Link, setup: SessionBuilder<Navien>) -> Result<Self, Error> {
        runtime().block_on(Self::client(link).connect(setup)).map(Self)
    }

    fn credentials(&self, lease_id: LeaseId) -> Result<Arc<Credentials>, Error> {
        kept(runtime().block_on(self.0.credentials_for(lease_id)))
    }

    fn credentials_with(&self, lease_id: LeaseId, min_remaining: Duration) -> Result<Arc<Credentials>, Error> {
        kept(runtime().block_on(self.0.credentials_with(lease_id, min_remaining)))
    }

    fn renew(&self, lease_id: LeaseId) -> Result<Arc<Credentials>, Error> {
        kept(runtime().block_on(self.0.renew(lease_id)))
    }

    fn authorize(&self, headers: &mut HeaderMap) -> Result<Arc<Credentials>, Error> {
        kept(runtime().block_on(self.0.authorize(&Method::GET, &Uri::default(), headers)))
    }

    fn sign_in(&self, login: Login) -> Result<Arc<Credentials>, Error> {
        kept(runtime().block_on(self.0.sign_in(login)))
    }

    fn sign_in_again(&self) -> Result<Arc<Credentials>, Error> {
        kept(runtime().block_on(self.0.sign_in_again()))
    }

    fn sign_out(&self, login: SignOut) -> Result<(), Error> {
        runtime().block_on(self.0.sign_out(login))
    }

    fn current(&self, lease_id: LeaseId) -> Option<CredentialsRef> {
        let _inside = runtime().enter();
        self.0.current(lease_id)
    }

    fn at_once(&self, lease_id: LeaseId) -> Option<Result<CredentialsRef, Error>> {
        at_once(self.0.credentials_for(lease_id))
    }

    fn authorize_at_once(&self, headers: &mut HeaderMap) -> Option<Result<CredentialsRef, Error>> {
        at_once(self.0.authorize(&Method::GET, &Uri::default(), headers))
    }

    fn rejected(&self, lease_id: LeaseId, credentials: &Credentials) {
        let _inside = runtime().enter();
        self.0.rejected(lease_id, credentials);
    }

    fn forget_login(&self) {
        self.0.forget_login();
    }

    fn changes(&self, lease_id: LeaseId) -> Self::Changes {
        self.0.updates(lease_id)
    }

    fn state(&self) -> State {
        self.0.state()
    }

    fn has_login(&self) -> bool {
        self.0.has_login()
    }

    fn is_authenticated(&self) -> bool {
        self.0.is_authenticated()
    }

    fn account_id(&self) -> Option<String> {
        self.0.account().map(|account| account.id)
    }

    fn export(&self) -> Option<SavedSession> {
        self.0.export()
    }

    fn close(&self) {
        runtime().block_on(self.0.close());
    }

    fn finish(&self, within: Duration) -> Result<(), Unfinished> {
        runtime().block_on(self.0.finish(within))
    }

    fn settle(&self) {
        let handle = self.0.clone();
        within(LONG, move || runtime().block_on(handle.settle())).expect("the session comes to rest");
    }

    fn debug(&self) -> String {
        format!("{:?} {:#?}", self.0, self.0)
    }
}

impl Issues for perennial_hyper::Updates<Navien> {
    fn next(&mut self) -> Result<Arc<Credentials>, Error> {
        kept(runtime().block_on(self.next()))
    }
}

struct BlockingLink {
    before: Arc<dyn Fn(&mut Request) + Send + Sync>,
    transport: perennial_blocking::HttpTransport,
}

impl perennial_blocking::Transport for BlockingLink {
    fn send(&self, mut request: Request) -> Result<Response, TransportError> {
        (self.before)(&mut request);
        self.transport.send(request)
    }
}

impl Blocking {
    /// What carries requests for this adapter.
    pub fn client(link: Link) -> perennial_blocking::Connector {
        let mut transport = perennial_blocking::HttpTransport::builder();
        if !link.root.is_empty() {
            transport = transport.root_certificate_der(link.root);
        }
        perennial_blocking::Connector::over(BlockingLink {
            before: link.before,
            transport: transport.build().expect("the emulator's root is a certificate"),
        })
    }
}

impl Subject for Blocking {
    const NAME: &'static str = "blocking";
    type Changes = perennial_blocking::Updates<Navien>;

    fn build(link: Link, setup: SessionBuilder<Navien>) -> Result<Self, Error> {
        Self::client(link).build(setup).map(Self)
    }

    fn connect(link: Link, setup: SessionBuilder<Navien>) -> Result<Self, Error> {
        Self::client(link).connect(setup).map(Self)
    }

    fn credentials(&self, lease_id: LeaseId) -> Result<Arc<Credentials>, Error> {
        kept(self.0.credentials_for(lease_id))
    }

    fn credentials_with(&self, lease_id: LeaseId, min_remaining: Duration) -> Result<Arc<Credentials>, Error> {
        kept(self.0.credentials_with(lease_id, min_remaining))
    }

    fn renew(&self, lease_id: LeaseId) -> Result<Arc<Credentials>, Error> {
        kept(self.0.renew(lease_id))
    }

    fn authorize(&self, headers: &mut HeaderMap) -> Result<Arc<Credentials>, Error> {
        kept(self.0.authorize(&Method::GET, &Uri::default(), headers))
    }

    fn sign_in(&self, login: Login) -> Result<Arc<Credentials>, Error> {
        kept(self.0.sign_in(login))
    }

    fn sign_in_again(&self) -> Result<Arc<Credentials>, Error> {
        kept(self.0.sign_in_again())
    }

    fn sign_out(&self, login: SignOut) -> Result<(), Error> {
        self.0.sign_out(login)
    }

    fn current(&self, lease_id: LeaseId) -> Option<CredentialsRef> {
        self.0.current(lease_id)
    }

    fn at_once(&self, lease_id: LeaseId) -> Option<Result<CredentialsRef, Error>> {
        Some(self.0.credentials_for(lease_id))
    }

    fn authorize_at_once(&self, headers: &mut HeaderMap) -> Option<Result<CredentialsRef, Error>> {
        Some(self.0.authorize(&Method::GET, &Uri::default(), headers))
    }

    fn rejected(&self, lease_id: LeaseId, credentials: &Credentials) {
        self.0.rejected(lease_id, credentials);
    }

    fn forget_login(&self) {
        self.0.forget_login();
    }

    fn changes(&self, lease_id: LeaseId) -> Self::Changes {
        self.0.updates(lease_id)
    }

    fn state(&self) -> State {
        self.0.state()
    }

    fn has_login(&self) -> bool {
        self.0.has_login()
    }

    fn is_authenticated(&self) -> bool {
        self.0.is_authenticated()
    }

    fn account_id(&self) -> Option<String> {
        self.0.account().map(|account| account.id)
    }

    fn export(&self) -> Option<SavedSession> {
        self.0.export()
    }

    fn close(&self) {
        self.0.close();
    }

    fn finish(&self, within: Duration) -> Result<(), Unfinished> {
        self.0.finish(within)
    }

    fn settle(&self) {
        let handle = self.0.clone();
        within(LONG, move || handle.settle()).expect("the session comes to rest");
    }

    fn debug(&self) -> String {
        format!("{:?} {:#?}", self.0, self.0)
    }
}

impl Issues for perennial_blocking::Updates<Navien> {
    fn next(&mut self) -> Result<Arc<Credentials>, Error> {
        kept(self.next())
    }
}
