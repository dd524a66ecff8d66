//! A provider's own code: it may block, and it may panic, and neither harms who shares the session.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use perennial_adapter::{ManualClock, SessionBuilder};
use perennial_core::{
    Consumes, Credentials, Error, Event, Exchange, Grant, LeaseId, Now, Provider, Request, Response, ServiceErrorKind,
    SessionError, SignOut, State, Step, TransportError,
};
use perennial_testing::{Toy, ToyExchange, ToyLogin, ToyMethod};
use perennial_tests::{Heard, LONG, within};
use tokio::runtime::{Builder, Runtime};

/// Where the provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Describe,
    Begin,
    Start(&'static str),
    Receive,
}

/// Whoever comes waits until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn wait(&self) {
        let (is_open, opened) = &*self.0;
        drop(opened.wait_while(is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
    }

    fn open(&self) {
        let (is_open, opened) = &*self.0;
        *is_open.lock().unwrap() = true;
        opened.notify_all();
    }
}

type Hook = Arc<dyn Fn(At) + Send + Sync>;

/// The toy, with something to do at each turn.
#[derive(Clone)]
struct Odd {
    hook: Arc<Mutex<Hook>>,
    may_block: bool,
}

struct OddExchange {
    inner: ToyExchange,
    path: &'static str,
    odd: Odd,
}

impl Odd {
    fn new(may_block: bool) -> Self {
        Self { hook: Arc::new(Mutex::new(Arc::new(|_| ()))), may_block }
    }

    fn does(&self, hook: impl Fn(At) + Send + Sync + 'static) {
        *self.hook.lock().unwrap() = Arc::new(hook);
    }

    /// Panics there, from now on, and says each time.
    fn panics(&self, at: At) -> Receiver<()> {
        let (tell, told) = channel();
        self.does(move |here| {
            if here == at {
                tell.send(()).unwrap();
                resume_unwind(Box::new("as told"));
            }
        });
        told
    }

    fn is_mended(&self) {
        self.does(|_| ());
    }

    fn reaches(&self, at: At) {
        let hook = Arc::clone(&self.hook.lock().unwrap());
        hook(at);
    }
}

impl Provider for Odd {
    type Login = ToyLogin;
    type Method = ToyMethod;
    type Exchange = OddExchange;

    fn name(&self) -> &'static str {
        "odd"
    }

    fn namespace(&self) -> String {
        Toy.namespace()
    }

    fn account_id<'a>(&self, login: &'a ToyLogin) -> Option<&'a str> {
        Toy.account_id(login)
    }

    fn methods(&self, lease_id: LeaseId) -> &'static [ToyMethod] {
        Toy.methods(lease_id)
    }

    fn consumes(&self, method: ToyMethod) -> Consumes {
        Toy.consumes(method)
    }

    fn method_name(&self, method: ToyMethod) -> &'static str {
        self.reaches(At::Describe);
        Toy.method_name(method)
    }

    fn begin(&self, method: ToyMethod, login: Option<&ToyLogin>, have: Option<&Credentials>) -> Option<OddExchange> {
        self.reaches(At::Begin);
        let inner = Toy.begin(method, login, have)?;
        Some(OddExchange { inner, path: method.name(), odd: self.clone() })
    }

    fn sign_out(&self, have: &Credentials) -> Option<OddExchange> {
        let inner = Toy.sign_out(have)?;
        Some(OddExchange { inner, path: "sign-out", odd: self.clone() })
    }
}

impl Exchange for OddExchange {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        self.odd.reaches(At::Start(self.path));
        self.inner.start(now)
    }

    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        self.odd.reaches(At::Receive);
        self.inner.receive(response, now)
    }

    fn may_block(&self) -> bool {
        self.odd.may_block
    }
}

/// A service that grants whatever it is asked for, and keeps what that was.
#[derive(Clone, Default)]
struct Service(Arc<Mutex<Vec<String>>>);

impl Service {
    fn answer(&self, request: &Request) -> Response {
        let mut asked = self.0.lock().unwrap();
        asked.push(request.http.uri().path().to_owned());
        let serial = asked.len();
        let body = format!(
            r#"{{"access":"at-{serial}","access_ms":3600000,"refresh":"rt-{serial}","user":"ann@toy.example"}}"#
        );
        Response::new(body.into_bytes().into())
    }

    fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl perennial_hyper::Transport for Service {
    fn send(&self, request: Request) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send>> {
        let answer = self.answer(&request);
        Box::pin(async { Ok(answer) })
    }
}

impl perennial_blocking::Transport for Service {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        Ok(self.answer(&request))
    }
}

/// What both adapters do for this provider. Each call is bounded.
trait Adapter: Clone + Send + Sync + 'static {
    fn build(service: Service, setup: SessionBuilder<Odd>) -> Self;
    fn ask(&self) -> Result<String, Error>;
    fn renew(&self) -> Result<String, Error>;
    fn sign_in(&self) -> Result<String, Error>;
    fn sign_out(&self) -> Result<(), Error>;
    fn current(&self) -> Option<String>;
    fn state(&self) -> State;
    fn exported(&self) -> bool;

    fn bounded<T: Send + 'static>(&self, command: impl FnOnce(&Self) -> T + Send + 'static) -> T {
        let session = self.clone();
        within(LONG, move || command(&session)).expect("nobody waits for a provider's code")
    }
}

fn ann() -> ToyLogin {
    ToyLogin::new("ann@toy.example", "pass")
}

fn token(current: &perennial_adapter::CredentialsRef) -> String {
    current.access().expose().to_owned()
}

#[derive(Clone)]
struct Tasks(perennial_hyper::Session<Odd>);

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap())
}

impl Adapter for Tasks {
    fn build(service: Service, setup: SessionBuilder<Odd>) -> Self {
        let _inside = runtime().enter();
        Self(perennial_hyper::Connector::over(service).build(setup).unwrap())
    }

    fn ask(&self) -> Result<String, Error> {
        runtime().block_on(self.0.credentials()).map(|current| token(&current))
    }

    fn renew(&self) -> Result<String, Error> {
        runtime().block_on(self.0.renew(LeaseId::Access)).map(|current| token(&current))
    }

    fn sign_in(&self) -> Result<String, Error> {
        runtime().block_on(self.0.sign_in(ann())).map(|current| token(&current))
    }

    fn sign_out(&self) -> Result<(), Error> {
        runtime().block_on(self.0.sign_out(SignOut::KeepLogin))
    }

    fn current(&self) -> Option<String> {
        let _inside = runtime().enter();
        self.0.current(LeaseId::Access).map(|current| token(&current))
    }

    fn state(&self) -> State {
        self.0.state()
    }

    fn exported(&self) -> bool {
        self.0.export().is_some()
    }
}

#[derive(Clone)]
struct Threads(perennial_blocking::Session<Odd>);

impl Adapter for Threads {
    fn build(service: Service, setup: SessionBuilder<Odd>) -> Self {
        Self(perennial_blocking::Connector::over(service).build(setup).unwrap())
    }

    fn ask(&self) -> Result<String, Error> {
        self.0.credentials().map(|current| token(&current))
    }

    fn renew(&self) -> Result<String, Error> {
        self.0.renew(LeaseId::Access).map(|current| token(&current))
    }

    fn sign_in(&self) -> Result<String, Error> {
        self.0.sign_in(ann()).map(|current| token(&current))
    }

    fn sign_out(&self) -> Result<(), Error> {
        self.0.sign_out(SignOut::KeepLogin)
    }

    fn current(&self) -> Option<String> {
        self.0.current(LeaseId::Access).map(|current| token(&current))
    }

    fn state(&self) -> State {
        self.0.state()
    }

    fn exported(&self) -> bool {
        self.0.export().is_some()
    }
}

macro_rules! over_both {
    ($($name:ident),* $(,)?) => {
        mod hyper {
            $(#[test]
            fn $name() {
                super::$name::<super::Tasks>();
            })*
        }
        mod blocking {
            $(#[test]
            fn $name() {
                super::$name::<super::Threads>();
            })*
        }
    };
}

over_both![
    while_a_key_signs_callers_are_served_and_can_sign_out,
    while_a_key_signs_another_login_can_be_given,
    what_a_provider_computes_holds_no_lock,
    a_panic_of_an_exchange_is_told_and_tried_again,
    a_panic_at_the_first_sign_in_strands_nobody,
    a_panic_in_the_driver_is_told_and_the_session_lives,
];

/// A session whose provider stops at one place, until the gate is opened.
struct Stopped<S> {
    session: S,
    service: Service,
    gate: Gate,
    renewal: thread::JoinHandle<Result<String, Error>>,
}

fn stopped<S: Adapter>(may_block: bool) -> Stopped<S> {
    let (odd, service, gate) = (Odd::new(may_block), Service::default(), Gate::default());
    let session = S::build(service.clone(), SessionBuilder::new(odd.clone()).login(ann()).seed(1));
    assert_eq!(session.ask().unwrap(), "at-1");
    let (entered, wait) = channel();
    let until = gate.clone();
    odd.does(move |at| {
        if at == At::Start("refresh") {
            let _ = Sender::send(&entered, ());
            until.wait();
        }
    });
    let renewing = session.clone();
    let renewal = thread::spawn(move || renewing.renew());
    wait.recv_timeout(LONG).expect("the renewal begins");
    Stopped { session, service, gate, renewal }
}

fn while_a_key_signs_callers_are_served_and_can_sign_out<S: Adapter>() {
    let Stopped { session, service, gate, renewal } = stopped::<S>(true);
    assert_eq!(session.bounded(S::current).as_deref(), Some("at-1"));
    assert_eq!(session.bounded(S::ask).unwrap(), "at-1");
    assert!(session.bounded(S::exported));
    session.bounded(S::sign_out).unwrap();
    assert_eq!(session.bounded(S::state), State::SignedOut);
    assert!(matches!(renewal.join().unwrap(), Err(Error::Session(SessionError::SignedOut))));
    gate.open();
    assert_eq!(session.bounded(S::sign_in).unwrap(), "at-3");
    assert_eq!(service.asked(), ["/sign-in", "/sign-out", "/sign-in"], "what was being signed is not sent");
}

fn while_a_key_signs_another_login_can_be_given<S: Adapter>() {
    let Stopped { session, service, gate, renewal } = stopped::<S>(true);
    assert_eq!(session.bounded(S::sign_in).unwrap(), "at-2");
    assert_eq!(renewal.join().unwrap().unwrap(), "at-2", "that is new as well");
    gate.open();
    assert_eq!(session.bounded(S::renew).unwrap(), "at-3");
    assert_eq!(service.asked(), ["/sign-in", "/sign-in", "/refresh"]);
}

/// What may not block runs where the session is driven: that waits, and nobody else.
fn what_a_provider_computes_holds_no_lock<S: Adapter>() {
    let Stopped { session, service, gate, renewal } = stopped::<S>(false);
    assert_eq!(session.bounded(S::current).as_deref(), Some("at-1"));
    assert_eq!(session.bounded(S::ask).unwrap(), "at-1");
    assert!(session.bounded(S::exported));
    assert_eq!(session.bounded(S::state), State::Renewing);
    gate.open();
    assert_eq!(renewal.join().unwrap().unwrap(), "at-2");
    assert_eq!(service.asked(), ["/sign-in", "/refresh"]);
}

/// Whether an answer was being read; `None` where nothing panicked.
fn panicked_after_answer(error: &Error) -> Option<bool> {
    match error {
        Error::Service(error) => match error.kind() {
            ServiceErrorKind::Panicked { answered } => Some(answered),
            _ => None,
        },
        _ => None,
    }
}

/// A signed-in session on a clock that stands still.
fn signed_in<S: Adapter>(may_block: bool) -> (S, Odd, ManualClock, Heard) {
    let (odd, clock, heard) = (Odd::new(may_block), ManualClock::default(), Heard::default());
    clock.advance(Duration::from_secs(1000));
    let setup = SessionBuilder::new(odd.clone()).login(ann()).seed(1).clock(clock.clone()).on_event(heard.listener());
    let session = S::build(Service::default(), setup);
    session.bounded(S::ask).unwrap();
    (session, odd, clock, heard)
}

fn a_panic_of_an_exchange_is_told_and_tried_again<S: Adapter>() {
    for may_block in [false, true] {
        for at in [At::Begin, At::Start("refresh"), At::Receive] {
            let (session, odd, clock, _) = signed_in::<S>(may_block);
            let told = odd.panics(at);
            clock.advance(Duration::from_secs(5));
            let error = session.bounded(S::renew).unwrap_err();
            assert_eq!(panicked_after_answer(&error), Some(at == At::Receive), "{at:?}: {error}");
            assert!(error.retry_at().is_some() && session.current().is_some(), "{at:?}");
            // The clock stands: nothing is tried again.
            assert!(session.bounded(S::renew).is_err());
            assert!(told.try_iter().count() <= 2, "{at:?}");
            odd.is_mended();
            clock.advance(Duration::from_secs(7200));
            session.bounded(|session| (0..3).find_map(|_| session.ask().ok())).expect("it is mended");
        }
    }
}

fn a_panic_at_the_first_sign_in_strands_nobody<S: Adapter>() {
    let (odd, clock) = (Odd::new(false), ManualClock::default());
    let told = odd.panics(At::Receive);
    let setup = SessionBuilder::new(odd.clone()).login(ann()).seed(1).clock(clock.clone());
    let service = Service::default();
    let session = S::build(service.clone(), setup);
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let session = session.clone();
            thread::spawn(move || session.bounded(S::ask).unwrap_err())
        })
        .collect();
    for caller in callers {
        assert_eq!(panicked_after_answer(&caller.join().unwrap()), Some(true));
    }
    assert_eq!((told.try_iter().count(), service.asked().len()), (1, 1), "one attempt, shared by all");
    odd.is_mended();
    clock.advance(Duration::from_secs(7200));
    assert!(session.bounded(S::ask).is_ok());
}

/// What only names things panics in the middle of a step: nothing else is known of it than that.
fn a_panic_in_the_driver_is_told_and_the_session_lives<S: Adapter>() {
    let (session, odd, clock, heard) = signed_in::<S>(false);
    let told = odd.panics(At::Describe);
    clock.advance(Duration::from_secs(3400));
    let failed = |event: &Event| matches!(event, Event::Failed { method: "driver", .. });
    told.recv_timeout(LONG).expect("the renewal begins by itself");
    assert_eq!(session.bounded(S::ask).unwrap(), "at-1", "what is held serves");
    odd.is_mended();
    assert!((0..100).any(|_| {
        clock.advance(Duration::from_secs(1));
        heard.wait_until(Duration::from_millis(300), |events| events.iter().any(failed))
    }));
    clock.advance(Duration::from_secs(400));
    // An attempt that was under way when the clock was moved took too long, and another one follows.
    let is_served = |_| {
        clock.advance(Duration::from_secs(5));
        session.bounded(S::ask).is_ok()
    };
    assert!((0..20).any(is_served), "callers are served again");
    assert!(heard.wait_for_issue(LONG, LeaseId::Access, 2), "it renews again");
    assert!(told.try_iter().count() < 20, "no busy loop");
}

/// A runtime of one thread, which also runs the driver.
#[test]
fn on_one_thread_a_key_that_signs_holds_up_no_task() {
    let done = within(LONG, || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (odd, gate) = (Odd::new(true), Gate::default());
            let setup = SessionBuilder::new(odd.clone()).login(ann()).seed(1);
            let session = perennial_hyper::Connector::over(Service::default()).build(setup).unwrap();
            session.credentials().await.unwrap();
            let (entered, wait) = tokio::sync::oneshot::channel();
            let (entered, until) = (Mutex::new(Some(entered)), gate.clone());
            odd.does(move |at| {
                if at == At::Start("refresh") {
                    let _ = entered.lock().unwrap().take().map(|entered| entered.send(()));
                    until.wait();
                }
            });
            let renewing = session.clone();
            let renewal = tokio::spawn(async move { renewing.renew(LeaseId::Access).await.map(|new| token(&new)) });
            wait.await.unwrap();
            assert_eq!(token(&session.credentials().await.unwrap()), "at-1");
            gate.open();
            assert_eq!(renewal.await.unwrap().unwrap(), "at-2");
        });
    });
    assert!(done.is_some(), "the key holds up the runtime");
}
