//! The emulated service, and sessions at it over both adapters, behind one face.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Uri};
use perennial_adapter::{ManualClock, SessionBuilder};
use perennial_core::mqtt::ConnectOptions;
use perennial_core::providers::settrade::{Login, Settrade};
use perennial_core::wire::Body;
use perennial_core::{
    Credentials, Error, Exchange, LeaseId, Now, Request, Response, SavedSession, ServiceErrorKind, SignOut, State, Step,
};
use perennial_emulator::{Emulator, Endpoint, SettradeSettings};
use perennial_tests::{Blocking, Heard, Hyper, LONG, Link, TIMEOUT, clock_of, within};
use tokio::runtime::Runtime;

pub(crate) trait Side: Clone + Send + 'static {
    fn run<X: Exchange>(link: Link, exchange: X) -> Result<X::Output, Error>;
    fn build(link: Link, setup: SessionBuilder<Settrade>) -> Result<Self, Error>;
    fn credentials(&self) -> Result<Arc<Credentials>, Error>;
    fn authorize(&self, headers: &mut HeaderMap) -> Result<Arc<Credentials>, Error>;
    fn sign_in(&self, login: Login) -> Result<Arc<Credentials>, Error>;
    fn sign_out(&self, login: SignOut) -> Result<(), Error>;
    fn next_issue_after(&self, action: impl FnOnce()) -> Arc<Credentials>;
    fn rejected(&self, credentials: &Credentials);
    fn forget_login(&self);
    fn state(&self) -> State;
    fn export(&self) -> Option<SavedSession>;
    fn settle(&self);
}

#[derive(Clone)]
pub(crate) struct OverHyper(perennial_hyper::Session<Settrade>);

#[derive(Clone)]
pub(crate) struct OverBlocking(perennial_blocking::Session<Settrade>);

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

/// The calls that only get through.
macro_rules! passed_on {
    () => {
        fn rejected(&self, credentials: &Credentials) {
            let _inside = runtime().enter();
            self.0.rejected(LeaseId::Access, credentials);
        }
        fn forget_login(&self) {
            self.0.forget_login();
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
    fn build(link: Link, setup: SessionBuilder<Settrade>) -> Result<Self, Error> {
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
    fn build(link: Link, setup: SessionBuilder<Settrade>) -> Result<Self, Error> {
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
                super::$name::<super::OverHyper>();
            })*
        }
        mod blocking {
            $(#[test]
            fn $name() {
                super::$name::<super::OverBlocking>();
            })*
        }
    };
}

// -- The emulated service, and sessions at it.

pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) clock: ManualClock,
    pub(crate) heard: Heard,
}

pub(crate) fn login() -> Login {
    Login::new(SettradeSettings::APP_ID, SettradeSettings::APP_SECRET).unwrap()
}

pub(crate) fn wrong_login() -> Login {
    Login::new(SettradeSettings::APP_ID, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut SettradeSettings)) -> Self {
        Self::start(change, Emulator::builder())
    }

    pub(crate) fn start(change: impl FnOnce(&mut SettradeSettings), builder: perennial_emulator::Builder) -> Self {
        let mut settings = SettradeSettings::default();
        change(&mut settings);
        let emulator = builder.settrade(settings).still().start().unwrap();
        Self { clock: clock_of(&emulator), emulator, heard: Heard::default() }
    }

    pub(crate) fn provider(&self) -> Settrade {
        self.at("098", SettradeSettings::APP_CODE)
    }

    pub(crate) fn at(&self, broker_id: &str, app_code: &str) -> Settrade {
        let settrade = Settrade::new(broker_id, app_code).unwrap();
        settrade.with_base_url(&self.emulator.settrade_url()).unwrap()
    }

    pub(crate) fn stranger(&self, provider: Settrade) -> SessionBuilder<Settrade> {
        SessionBuilder::new(provider)
            .request_timeout(TIMEOUT)
            .clock(self.clock.clone())
            .on_event(self.heard.listener())
            .seed(1)
    }

    pub(crate) fn setup(&self) -> SessionBuilder<Settrade> {
        self.stranger(self.provider()).login(login())
    }

    pub(crate) fn link(&self) -> Link {
        Link { root: self.emulator.root_certificate().to_vec(), before: Arc::new(|_| ()) }
    }

    /// A session that is signed in.
    pub(crate) fn connect<S: Side>(&self) -> S {
        self.connect_with(self.setup())
    }

    pub(crate) fn connect_with<S: Side>(&self, setup: SessionBuilder<Settrade>) -> S {
        let session: S = self.build(setup);
        session.credentials().unwrap();
        session
    }

    pub(crate) fn build<S: Side>(&self, setup: SessionBuilder<Settrade>) -> S {
        S::build(self.link(), setup).unwrap()
    }

    /// Time passes for the service and for the sessions.
    pub(crate) fn pass(&self, time: Duration) {
        self.emulator.advance(time);
        self.clock.advance(time);
    }

    /// What the service's API says to a session.
    pub(crate) fn call<S: Side>(&self, session: &S) -> StatusCode {
        let mut headers = HeaderMap::new();
        session.authorize(&mut headers).unwrap();
        let url = format!("{}/api/seos/v3/098/accounts/1/account-info", self.emulator.settrade_url());
        S::run(self.link(), Call { url, headers }).unwrap()
    }

    pub(crate) fn ticket<S: Side>(&self, session: &S) -> Result<ConnectOptions, Error> {
        S::run(self.link(), self.provider().mqtt(&session.credentials().unwrap()))
    }

    pub(crate) fn requests_to(&self, endpoint: Endpoint) -> usize {
        self.emulator.requests_to(endpoint).len()
    }
}

/// An API call.
struct Call {
    url: String,
    headers: HeaderMap,
}

impl Exchange for Call {
    type Output = StatusCode;

    fn start(&mut self, _now: Now) -> Request {
        let mut http = http::Request::builder().method(Method::GET).uri(&self.url).body(Body::empty()).unwrap();
        *http.headers_mut() = std::mem::take(&mut self.headers);
        Request::new(http)
    }

    fn receive(&mut self, response: Response, _now: Now) -> Result<Step<StatusCode>, Error> {
        Ok(Step::Done(response.status()))
    }
}

/// The dispatcher token in a ticket, which must be the same wherever it stands.
pub(crate) fn dispatcher_token(ticket: ConnectOptions) -> String {
    let password = ticket.password.unwrap().expose().to_owned();
    assert_eq!(ticket.headers["authorization"], format!("Bearer {password}"));
    password
}

pub(crate) fn kind(error: &Error) -> ServiceErrorKind {
    match error {
        Error::Service(error) => error.kind(),
        other => panic!("{other:?}"),
    }
}
