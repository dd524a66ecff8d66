//! What is read through a session and its clones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode, Uri};
use perennial_adapter::{Clock, ManualClock};
use perennial_core::{Event, Judgement, LeaseId, Now, Policy, SignOut, Timestamp};
use perennial_emulator::{Endpoint, Fault, Gate, NavienSettings};
use perennial_tests::{Blocking, Hyper, Issues, Subject, TIMEOUT, World, both};

use super::{AT_THE_MARGIN, EXPIRY, generation, has_failed, is_closed, wait_for_issue};

both![
    every_way_to_read_gives_the_same_credentials,
    a_read_waits_where_nothing_valid_is_held,
    a_clone_sees_a_renewal_at_its_next_read,
    a_token_that_ran_out_in_a_suspend_is_not_read_while_the_driver_sleeps,
    a_thread_that_was_stopped_in_the_middle_of_a_read_reads_what_came_meanwhile,
    a_token_that_many_callers_reject_is_renewed_once,
    a_clone_reads_nothing_after_a_sign_out,
    nothing_is_read_in_a_closed_session,
    a_clone_keeps_its_session_going,
    an_on_demand_session_is_asked_to_renew_once,
    an_on_demand_session_is_asked_to_renew_again_after_a_failure,
];

fn every_way_to_read_gives_the_same_credentials<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let clone = session.clone();
    for lease_id in LeaseId::ALL {
        let held = session.current(lease_id).unwrap();
        assert!(std::ptr::eq(&raw const *held, &raw const *clone.current(lease_id).unwrap()));
        assert!(std::ptr::eq(&raw const *held, &raw const *clone.at_once(lease_id).unwrap().unwrap()));
    }
    let mut headers = HeaderMap::new();
    clone.authorize_at_once(&mut headers).unwrap().unwrap();
    let mut same = HeaderMap::new();
    session.authorize(&mut same).unwrap();
    assert_eq!(headers, same);
    assert!(headers[AUTHORIZATION].is_sensitive());
}

fn a_read_waits_where_nothing_valid_is_held<S: Subject>() {
    let world = World::new();
    let session: S = world.build();
    let clone = session.clone();
    assert!(clone.current(LeaseId::Access).is_none());
    assert_eq!(generation(&clone.credentials(LeaseId::Access).unwrap(), LeaseId::Access), 1);
    world.pass(EXPIRY);
    let renewed = clone.credentials(LeaseId::Access).unwrap();
    assert_eq!(generation(&renewed, LeaseId::Access), 2);
    assert!(world.accepts(LeaseId::Access, &renewed));
    assert!(clone.current(LeaseId::Access).is_some());
}

fn a_clone_sees_a_renewal_at_its_next_read<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let mut clones = [session.clone(), session.clone()];
    clones[1] = clones[0].clone();
    for count in 2..5 {
        world.pass_seconds(120);
        session.renew(LeaseId::Access).unwrap();
        for clone in &clones {
            assert_eq!(generation(&clone.current(LeaseId::Access).unwrap(), LeaseId::Access), count);
        }
    }
}

/// A clock that wakes nobody: timers sleep on, as a machine's do through a suspend.
#[derive(Clone)]
struct NoAlarm(Arc<Mutex<Now>>);

impl NoAlarm {
    fn pass(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = Now { wall: now.wall.saturating_add(by), monotonic: now.monotonic + by };
    }

    fn suspend(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        now.wall = now.wall.saturating_add(by);
    }
}

impl Clock for NoAlarm {
    fn now(&self) -> Now {
        *self.0.lock().unwrap()
    }
}

fn a_token_that_ran_out_in_a_suspend_is_not_read_while_the_driver_sleeps<S: Subject>() {
    let world = World::new();
    let clock = NoAlarm(Arc::new(Mutex::new(world.clock.now())));
    let session: S = world.connect_with(world.setup().clock(clock.clone()));
    // From here on it sleeps, for a minute of this machine's.
    session.settle();
    let clone = session.clone();
    clock.pass(Duration::from_secs(60));
    clock.suspend(EXPIRY - Duration::from_secs(120));
    assert!(clone.current(LeaseId::Access).is_some() && session.current(LeaseId::Access).is_some());
    clock.suspend(Duration::from_secs(60));
    world.emulator.advance(EXPIRY);
    assert!(clone.current(LeaseId::Access).is_none());
    assert!(session.current(LeaseId::Access).is_none());
    assert!(!session.is_authenticated());
    // Nobody has told the driver.
    assert_eq!(world.heard.count(|event| matches!(event, Event::Expired { .. })), 0);
    let renewed = clone.credentials(LeaseId::Access).unwrap();
    assert_eq!(generation(&renewed, LeaseId::Access), 2);
    assert!(world.accepts(LeaseId::Access, &renewed));
}

/// A clock at which something may happen to whoever looks at it.
#[derive(Clone)]
struct Interrupting(ManualClock, Arc<Mutex<Option<Happening>>>);

type Happening = Box<dyn FnOnce() + Send>;

impl Clock for Interrupting {
    fn now(&self) -> Now {
        self.0.now()
    }

    fn wall(&self) -> Timestamp {
        let happens = self.1.lock().unwrap().take();
        happens.into_iter().for_each(|happens| happens());
        self.0.now().wall
    }

    fn watch(&self, sleeper: &std::task::Waker) {
        self.0.watch(sleeper);
    }

    fn moves(&self) -> u64 {
        self.0.moves()
    }
}

fn a_thread_that_was_stopped_in_the_middle_of_a_read_reads_what_came_meanwhile<S: Subject>() {
    let world = Arc::new(World::new());
    let clock = Interrupting(world.clock.clone(), Arc::default());
    let session: S = world.connect_with(world.setup().clock(clock.clone()));
    let clone = session.clone();
    let stop_for = |count: u64| {
        let world = Arc::clone(&world);
        *clock.1.lock().unwrap() = Some(Box::new(move || {
            world.pass(EXPIRY);
            wait_for_issue(&world, LeaseId::Access, count);
        }));
    };
    stop_for(2);
    assert_eq!(generation(&clone.current(LeaseId::Access).unwrap(), LeaseId::Access), 2);
    stop_for(3);
    assert_eq!(generation(&session.current(LeaseId::Access).unwrap(), LeaseId::Access), 3);
}

fn a_token_that_many_callers_reject_is_renewed_once<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let clones = vec![session.clone(); 10];
    world.pass_seconds(120);
    let read: Vec<_> = clones.iter().map(|clone| clone.current(LeaseId::Access).unwrap().to_arc()).collect();
    assert!(read.iter().all(|read| generation(read, LeaseId::Access) == 1));
    world.emulator.navien().revoke_access(NavienSettings::EMAIL);
    for (clone, read) in clones.iter().zip(&read) {
        // What this one read, not what is held by now.
        clone.rejected(LeaseId::Access, read);
        let renewed = clone.credentials(LeaseId::Access).unwrap();
        assert_eq!(generation(&renewed, LeaseId::Access), 2);
        assert!(world.accepts(LeaseId::Access, &renewed));
    }
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
}

fn a_clone_reads_nothing_after_a_sign_out<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let clone = session.clone();
    assert!(clone.current(LeaseId::Access).is_some());
    session.sign_out(SignOut::KeepLogin).unwrap();
    assert!(clone.current(LeaseId::Access).is_none());
    assert!(clone.credentials(LeaseId::Access).is_err());
    session.sign_in(perennial_tests::login()).unwrap();
    assert!(world.accepts(LeaseId::Access, &clone.current(LeaseId::Access).unwrap()));
}

fn nothing_is_read_in_a_closed_session<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let clone = session.clone();
    session.close();
    assert!(clone.current(LeaseId::Access).is_none());
    assert!(session.current(LeaseId::Access).is_none());
    assert!(!session.is_authenticated());
    assert!(is_closed(&clone.credentials(LeaseId::Access).unwrap_err()));
}

fn a_clone_keeps_its_session_going<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let clone = session.clone();
    drop(session);
    world.pass(AT_THE_MARGIN);
    wait_for_issue(&world, LeaseId::Access, 2);
    assert!(world.accepts(LeaseId::Access, &clone.credentials(LeaseId::Access).unwrap()));
}

/// A clock that counts how often it is asked for both readings: once whenever the session is locked. Reads ask for
/// the wall clock alone.
#[derive(Clone)]
struct Counting(ManualClock, Arc<AtomicU64>);

impl Clock for Counting {
    fn now(&self) -> Now {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.now()
    }

    fn wall(&self) -> Timestamp {
        self.0.now().wall
    }

    fn watch(&self, sleeper: &std::task::Waker) {
        self.0.watch(sleeper);
    }

    fn moves(&self) -> u64 {
        self.0.moves()
    }
}

fn an_on_demand_session_is_asked_to_renew_once<S: Subject>() {
    let world = World::new();
    let clock = Counting(world.clock.clone(), Arc::default());
    let on_demand = Policy::default().on_demand().request_timeout(TIMEOUT);
    let session: S = world.connect_with(world.setup().policy(on_demand).clock(clock.clone()));
    let mut changes = session.renewals(LeaseId::Access);
    let clone = session.clone();
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::Refresh, Fault::Hold(gate.clone()));
    world.pass(AT_THE_MARGIN);
    assert!(clone.current(LeaseId::Access).is_some());
    assert!(world.wait_for(Endpoint::Refresh, 1));
    let before = clock.1.load(Ordering::SeqCst);
    for _ in 0..1000 {
        assert!(clone.current(LeaseId::Access).is_some() && session.current(LeaseId::Access).is_some());
    }
    // The driver has its own reasons to look, but few of them.
    let looks = clock.1.load(Ordering::SeqCst) - before;
    assert!(looks < 100, "{looks} looks");
    gate.open();
    assert_eq!(generation(&changes.next().unwrap(), LeaseId::Access), 2);
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
}

fn an_on_demand_session_is_asked_to_renew_again_after_a_failure<S: Subject>() {
    let world = World::new();
    let on_demand = Policy::default().on_demand().request_timeout(TIMEOUT);
    let session: S = world.connect_with(world.setup().policy(on_demand));
    let clone = session.clone();
    world.emulator.fault_always(Endpoint::Any, Fault::status(503));
    world.pass(AT_THE_MARGIN);
    assert!(clone.current(LeaseId::Access).is_some());
    session.settle();
    assert!(has_failed(&world, LeaseId::Access));
    let failed = world.requests();
    world.emulator.clear_faults();
    world.pass_for(&session, Duration::from_secs(200));
    // Nobody has asked since: it stays lazy.
    assert_eq!(world.requests(), failed);
    assert_eq!(generation(&clone.current(LeaseId::Access).unwrap(), LeaseId::Access), 1);
    wait_for_issue(&world, LeaseId::Access, 2);
}

/// A client that takes credentials of any service.
struct Api<S>(S);

#[test]
fn a_source_gives_what_its_session_gives_without_naming_the_provider() {
    let world = World::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let session = runtime.block_on(Hyper::client(world.link()).connect(world.setup())).unwrap();
    let api = Api::<perennial_hyper::CredentialSource>(session.source());
    let mut headers = HeaderMap::new();
    let read = runtime.block_on(api.0.authorize(&Method::GET, &Uri::default(), &mut headers)).unwrap();
    assert_eq!(headers[AUTHORIZATION], *read.access().raw_header());
    assert!(std::ptr::eq(&raw const *read, &raw const *session.current(LeaseId::Access).unwrap()));
    let mut updates = api.0.updates(LeaseId::Access);
    assert_eq!(generation(&runtime.block_on(updates.next()).unwrap(), LeaseId::Access), 1);
    world.pass(AT_THE_MARGIN);
    // The session goes on while there is a source.
    drop(session);
    assert_eq!(generation(&runtime.block_on(updates.next()).unwrap(), LeaseId::Access), 2);
    world.pass_seconds(120);
    let read = runtime.block_on(api.0.credentials()).unwrap();
    api.0.rejected(LeaseId::Access, &read);
    assert_eq!(generation(&runtime.block_on(api.0.credentials()).unwrap(), LeaseId::Access), 3);
}

#[test]
fn a_blocking_source_gives_what_its_session_gives_without_naming_the_provider() {
    let world = World::new();
    let session: Blocking = world.connect();
    let api = Api(session.0.source());
    let mut headers = HeaderMap::new();
    let read = api.0.authorize(&Method::GET, &Uri::default(), &mut headers).unwrap();
    // As this service wants it.
    assert_eq!(headers[AUTHORIZATION], *read.access().raw_header());
    let mut updates = api.0.updates(LeaseId::Access);
    assert_eq!(generation(&updates.next().unwrap(), LeaseId::Access), 1);
    drop(session);
    world.pass_seconds(120);
    api.0.rejected(LeaseId::Access, &read);
    assert!(api.0.current(LeaseId::Access).is_none(), "who rejected it does not get it back");
    assert_eq!(generation(&api.0.credentials().unwrap(), LeaseId::Access), 2);
    assert_eq!(generation(&updates.next().unwrap(), LeaseId::Access), 2);
}

#[test]
fn a_fixed_source_hands_out_what_it_was_given() {
    let world = World::new();
    let held = world.connect::<Blocking>().current(LeaseId::Access).unwrap().to_arc();
    let source = perennial_blocking::CredentialSource::fixed((*held).clone());
    world.pass(EXPIRY);
    let mut headers = HeaderMap::new();
    source.authorize(&Method::GET, &Uri::default(), &mut headers).unwrap();
    assert_eq!(headers[AUTHORIZATION], *held.bearer());
    let judged = |status| source.judge(&Method::GET, &Uri::default(), status, &HeaderMap::new());
    assert_eq!(judged(StatusCode::UNAUTHORIZED), Judgement::Rejected);
    assert_eq!(judged(StatusCode::FORBIDDEN), Judgement::Accepted);
    source.rejected(LeaseId::Access, &held);
    assert_eq!(source.credentials().unwrap().access().expose(), held.access().expose());
    assert!(!format!("{source:?}").contains(held.access().expose()));
}
