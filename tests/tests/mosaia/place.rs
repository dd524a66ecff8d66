//! Both adapters behind one face, and the service with its clock.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use perennial_adapter::{Clock, ManualClock, SessionBuilder};
use perennial_core::oauth2::{AuthorizationRequest, PendingAuthorization};
use perennial_core::providers::mosaia::{CodeExchange, ENTROPY, Login, Mosaia};
use perennial_core::wire::Body;
use perennial_core::{
    Credentials, Error, Exchange, Grant, LeaseId, Now, Request, Response, SavedSession, ServiceError, ServiceErrorKind,
    SignOut, State, Step,
};
use perennial_emulator::{Emulator, Endpoint, MosaiaHandle, MosaiaSettings, Recorded};
use perennial_tests::{Blocking, Heard, Hyper, Link, TIMEOUT, clock_of};
use tokio::runtime::Runtime;

pub(crate) const EMAIL: &str = MosaiaSettings::EMAIL;
pub(crate) const CLIENT_ID: &str = MosaiaSettings::CLIENT_ID;

/// Past the end of an access token.
pub(crate) const EXPIRY: Duration = Duration::from_secs(3601);

/// Long enough for a refusal to be news: what is refused as soon as it was issued is renewed at backoff pace.
pub(crate) const A_WHILE: Duration = Duration::from_secs(120);

const REDIRECT: &str = "http://127.0.0.1:9/done";

/// A handle to a session, whichever adapter it is of, seen from a thread.
pub(crate) trait Side: Clone + Send + Sync + 'static {
    fn run<X: Exchange>(exchange: X) -> Result<X::Output, Error>;
    fn build(setup: SessionBuilder<Mosaia>) -> Result<Self, Error>;
    fn credentials(&self) -> Result<Arc<Credentials>, Error>;
    fn sign_in(&self, login: Login) -> Result<Arc<Credentials>, Error>;
    fn sign_out(&self, login: SignOut) -> Result<(), Error>;
    fn accept(&self, grant: Grant);
    fn rejected(&self, credentials: &Credentials);
    fn state(&self) -> State;
    fn export(&self) -> Option<SavedSession>;
    fn close(&self);
}

#[derive(Clone)]
pub(crate) struct OverHyper(perennial_hyper::Session<Mosaia>);

#[derive(Clone)]
pub(crate) struct OverBlocking(perennial_blocking::Session<Mosaia>);

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

fn link() -> Link {
    Link { root: Vec::new(), before: Arc::new(|_| ()) }
}

/// The calls that only get through.
macro_rules! passed_on {
    () => {
        fn accept(&self, grant: Grant) {
            let _inside = runtime().enter();
            self.0.install_grant(grant).unwrap();
        }
        fn rejected(&self, credentials: &Credentials) {
            let _inside = runtime().enter();
            self.0.rejected(LeaseId::Access, credentials);
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
    fn run<X: Exchange>(exchange: X) -> Result<X::Output, Error> {
        runtime().block_on(Hyper::client(link()).run(exchange))
    }

    fn build(setup: SessionBuilder<Mosaia>) -> Result<Self, Error> {
        let _inside = runtime().enter();
        Hyper::client(link()).build(setup).map(Self)
    }

    fn credentials(&self) -> Result<Arc<Credentials>, Error> {
        runtime().block_on(self.0.credentials()).map(|held| held.to_arc())
    }

    fn sign_in(&self, login: Login) -> Result<Arc<Credentials>, Error> {
        runtime().block_on(self.0.sign_in(login)).map(|held| held.to_arc())
    }

    fn sign_out(&self, login: SignOut) -> Result<(), Error> {
        runtime().block_on(self.0.sign_out(login))
    }

    fn close(&self) {
        runtime().block_on(self.0.close());
    }

    passed_on!();
}

impl Side for OverBlocking {
    fn run<X: Exchange>(exchange: X) -> Result<X::Output, Error> {
        Blocking::client(link()).run(exchange)
    }

    fn build(setup: SessionBuilder<Mosaia>) -> Result<Self, Error> {
        Blocking::client(link()).build(setup).map(Self)
    }

    fn credentials(&self) -> Result<Arc<Credentials>, Error> {
        self.0.credentials().map(|held| held.to_arc())
    }

    fn sign_in(&self, login: Login) -> Result<Arc<Credentials>, Error> {
        self.0.sign_in(login).map(|held| held.to_arc())
    }

    fn sign_out(&self, login: SignOut) -> Result<(), Error> {
        self.0.sign_out(login)
    }

    fn close(&self) {
        self.0.close();
    }

    passed_on!();
}

/// The service, and the clock of its sessions, which stands still until the test moves it.
pub(crate) struct Place {
    pub(crate) emulator: Emulator,
    clock: ManualClock,
    pub(crate) heard: Heard,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut MosaiaSettings)) -> Self {
        let mut settings = MosaiaSettings::default();
        change(&mut settings);
        let emulator = Emulator::builder().mosaia(settings).still().start().unwrap();
        Self { clock: clock_of(&emulator), emulator, heard: Heard::default() }
    }

    pub(crate) fn service(&self) -> MosaiaHandle {
        self.emulator.mosaia()
    }

    pub(crate) fn provider(&self) -> Mosaia {
        let url = self.emulator.mosaia_url();
        Mosaia::builder().api_url(&url).app_url(&url).client_id(CLIENT_ID).build().unwrap()
    }

    /// A session without a login.
    pub(crate) fn stranger(&self) -> SessionBuilder<Mosaia> {
        SessionBuilder::new(self.provider())
            .request_timeout(TIMEOUT)
            .clock(self.clock.clone())
            .on_event(self.heard.listener())
            .seed(1)
    }

    /// A session that is signed in by a login.
    pub(crate) fn signed_in<S: Side>(&self, login: Login) -> S {
        let session = S::build(self.stranger().login(login)).unwrap();
        session.credentials().unwrap();
        session
    }

    /// A session that is signed in through a browser.
    pub(crate) fn consented<S: Side>(&self) -> S {
        let grant = S::run(self.code_exchange::<S>()).unwrap();
        let session = S::build(self.stranger()).unwrap();
        session.accept(grant);
        session
    }

    /// A sign-in in a browser, up to the code.
    pub(crate) fn code_exchange<S: Side>(&self) -> CodeExchange {
        let (pending, redirect) = self.browse::<S>();
        assert!(redirect.starts_with(REDIRECT));
        self.provider().exchange_code(pending, &redirect, self.now()).unwrap()
    }

    /// A browser is sent away, and comes back with this.
    pub(crate) fn browse<S: Side>(&self) -> (PendingAuthorization, String) {
        let wanted = AuthorizationRequest::new(REDIRECT).scopes(["read", "write"]);
        let authorization = self.provider().authorize(entropy(), &wanted, self.now()).unwrap();
        let redirect = S::run(Browser(authorization.url().to_owned())).unwrap();
        (authorization.into_pending(), redirect)
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Time passes for the service and for its sessions.
    pub(crate) fn pass(&self, time: Duration) {
        // The service first: whoever wakes up finds it as late as it is.
        self.emulator.advance(time);
        self.clock.advance(time);
    }

    pub(crate) fn accepts(&self, credentials: &Credentials) -> bool {
        self.service().is_access_valid(credentials.access().expose())
    }

    /// What was asked, `METHOD path`, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        let word = |request: &Recorded| format!("{} {}", request.method, request.route().trim_start_matches("/mosaia"));
        self.emulator.requests().iter().map(word).collect()
    }

    pub(crate) fn requests_to(&self, endpoint: Endpoint) -> Vec<Recorded> {
        self.emulator.requests_to(endpoint)
    }
}

pub(crate) fn person() -> Login {
    Login::password(EMAIL, MosaiaSettings::PASSWORD).unwrap()
}

pub(crate) fn robot() -> Login {
    Login::client(CLIENT_ID, MosaiaSettings::CLIENT_SECRET).unwrap()
}

pub(crate) fn is_service(error: &Error, kind: ServiceErrorKind) -> bool {
    matches!(error, Error::Service(error) if error.kind() == kind)
}

/// What is saved of a session, which ends: two that go on with one rotating token would be in each other's way.
pub(crate) fn saved(session: &impl Side) -> Vec<u8> {
    let saved = session.export().unwrap().to_json().expose().as_bytes().to_vec();
    session.close();
    saved
}

/// The same for all tests: nothing here is secret.
fn entropy() -> [u8; ENTROPY] {
    std::array::from_fn(|place| u8::try_from(place % 251).unwrap())
}

/// Opens an address, and tells where it is sent on to.
struct Browser(String);

impl Exchange for Browser {
    type Output = String;

    fn start(&mut self, _now: Now) -> Request {
        Request::new(http::Request::get(self.0.as_str()).body(Body::empty()).unwrap())
    }

    fn receive(&mut self, response: Response, _now: Now) -> Result<Step<String>, Error> {
        match response.headers().get("location").and_then(|location| location.to_str().ok()) {
            Some(location) if response.status() == 302 => Ok(Step::Done(location.to_owned())),
            _ => Err(ServiceError::malformed("no redirect").into()),
        }
    }
}
