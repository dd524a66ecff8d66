//! Sessions on one store: they behave like one, in one process or in many.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use perennial_adapter::MemoryStore;
use perennial_core::providers::navien::Login;
use perennial_core::store::{ChangeCallback, LockGuard, Store, WatchGuard};
use perennial_core::wire::Body;
use perennial_core::{Error, Event, ImportError, LeaseId, SessionError, SignOut, State, StoreError, StoreErrorKind};
use perennial_emulator::{Endpoint, Fault, Gate, NavienSettings};
use perennial_tests::{LONG, Subject, World, both, within};

use super::{AT_THE_MARGIN, EXPIRY, wait_for_issue};

both![
    a_second_session_needs_no_sign_in,
    what_one_renews_the_other_takes_up,
    many_sessions_renew_once,
    a_session_goes_on_where_another_ended,
    valid_credentials_do_not_wait_for_the_store,
    a_failing_store_is_told_and_nothing_is_sent,
    a_panicking_store_harms_nobody,
    credentials_that_cannot_be_saved_are_served_and_said,
    a_sign_out_clears_the_store,
    a_store_that_cannot_be_cleared_is_said_and_cleared_as_soon_as_it_can_be,
    another_accounts_session_is_left_alone,
    what_nobody_can_read_is_set_aside,
    a_kept_login_signs_in_again,
    a_closed_session_saves_what_it_asked_for,
    a_person_who_signs_in_replaces_what_is_saved,
];

const WAIT: Duration = Duration::from_secs(5);

fn text(store: &MemoryStore) -> String {
    let record = store.read(WAIT).unwrap().unwrap_or_default();
    String::from_utf8(record.as_ref().to_vec()).unwrap()
}

fn put(store: &MemoryStore, text: &str) {
    store.lock(WAIT, WAIT).unwrap().write(&Body::from(text.as_bytes().to_vec()), WAIT).unwrap();
}

fn wait_for(world: &World, what: &str, wanted: impl Fn(&Event) -> bool) {
    assert!(world.heard.wait_until(LONG, |events| events.iter().any(&wanted)), "no event: {what}");
}

fn connect<S: Subject>(world: &World, store: &MemoryStore) -> S {
    world.connect_with(world.setup().store(store.clone()))
}

fn a_second_session_needs_no_sign_in<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    let one: S = connect(&world, &store);
    let other: S = world.connect_with(world.stranger().store(store.clone()));
    let [one, other] = [one, other].map(|session| session.credentials(LeaseId::Access).unwrap());
    assert_eq!(one.access().expose(), other.access().expose());
    assert_eq!(world.requests(), 1);
}

fn what_one_renews_the_other_takes_up<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    let one: S = connect(&world, &store);
    let other: S = connect(&world, &store);
    let mut issues = other.renewals(LeaseId::Access);
    world.pass_seconds(2);
    let renewed = one.renew(LeaseId::Access).unwrap();
    world.pass_seconds(1);
    let taken = within(LONG, move || perennial_tests::Issues::next(&mut issues)).unwrap().unwrap();
    assert_eq!(taken.access().expose(), renewed.access().expose());
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
}

fn many_sessions_renew_once<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    let sessions: Vec<S> = (0..8).map(|_| connect(&world, &store)).collect();
    for round in 1..=3 {
        world.pass(EXPIRY);
        let tokens: Vec<String> = thread::scope(|scope| {
            let callers: Vec<_> =
                sessions.iter().map(|session| scope.spawn(|| session.credentials(LeaseId::Access).unwrap())).collect();
            callers.into_iter().map(|caller| caller.join().unwrap().access().expose().to_owned()).collect()
        });
        sessions.iter().for_each(S::settle);
        assert!(tokens.iter().all(|token| *token == tokens[0]));
        assert_eq!(world.requests_to(Endpoint::Refresh), round);
    }
    assert_eq!(world.requests_to(Endpoint::SignIn), 1);
}

fn a_session_goes_on_where_another_ended<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    drop(connect::<S>(&world, &store));
    world.pass(EXPIRY);
    let session: S = world.try_build(world.stranger().store(store.clone())).unwrap();
    assert_eq!(session.state(), State::Idle);
    session.credentials(LeaseId::Access).unwrap();
    assert_eq!((world.requests_to(Endpoint::SignIn), world.requests_to(Endpoint::Refresh)), (1, 1));
}

fn valid_credentials_do_not_wait_for_the_store<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    let session: S = connect(&world, &store);
    let lock = store.lock(WAIT, WAIT).unwrap();
    world.pass(AT_THE_MARGIN);
    assert!(session.at_once(LeaseId::Access).is_some_and(|served| served.is_ok()));
    assert_eq!(world.requests_to(Endpoint::Refresh), 0);
    drop(lock);
    wait_for_issue(&world, LeaseId::Access, 2);
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
}

/// A store that does as it is told, one operation after another.
#[derive(Clone, Default)]
struct Told {
    store: MemoryStore,
    orders: Arc<Mutex<Orders>>,
    writes: Arc<AtomicU32>,
}

#[derive(Clone, Copy, Default)]
enum Orders {
    #[default]
    Work,
    FailLocks(StoreErrorKind),
    FailWrites(StoreErrorKind),
    Panic,
}

struct ToldLock {
    inner: Box<dyn LockGuard>,
    told: Told,
}

impl Told {
    fn order(&self, orders: Orders) {
        *self.orders.lock().unwrap() = orders;
    }

    fn orders(&self) -> Orders {
        *self.orders.lock().unwrap()
    }
}

impl Store for Told {
    fn read(&self, timeout: Duration) -> Result<Option<Body>, StoreError> {
        self.store.read(timeout)
    }

    fn lock(&self, timeout: Duration, ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
        match self.orders() {
            Orders::FailLocks(kind) => Err(kind.into()),
            Orders::Panic => panic!("as told"),
            Orders::Work | Orders::FailWrites(_) => {
                Ok(Box::new(ToldLock { inner: self.store.lock(timeout, ttl)?, told: self.clone() }))
            }
        }
    }

    fn watch(&self, changed: ChangeCallback) -> Option<WatchGuard> {
        self.store.watch(changed)
    }
}

impl LockGuard for ToldLock {
    fn read(&mut self, timeout: Duration) -> Result<Option<Body>, StoreError> {
        self.inner.read(timeout)
    }

    fn write(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError> {
        self.told.writes.fetch_add(1, Ordering::Relaxed);
        match self.told.orders() {
            Orders::FailWrites(kind) => Err(kind.into()),
            _ => self.inner.write(record, timeout),
        }
    }

    fn quarantine(&mut self, timeout: Duration) -> Result<(), StoreError> {
        self.inner.quarantine(timeout)
    }
}

fn store_kind(error: &Error) -> Option<StoreErrorKind> {
    match error {
        Error::Store(error) => Some(error.kind()),
        _ => None,
    }
}

/// The pauses of a session pass, one by one.
fn served_soon<S: Subject>(world: &World, session: &S) {
    let served = (0..20).any(|_| {
        world.pass_for(session, Duration::from_secs(6));
        session.current(LeaseId::Access).is_some()
    });
    assert!(served, "the store works again, and nobody is served");
}

fn a_failing_store_is_told_and_nothing_is_sent<S: Subject>() {
    let (world, store) = (World::new(), Told::default());
    let session: S = world.connect_with(world.setup().store(store.clone()));
    let before = world.requests();
    store.order(Orders::FailLocks(StoreErrorKind::Unavailable));
    world.pass(AT_THE_MARGIN);
    session.settle();
    wait_for(&world, "failed", |event| matches!(event, Event::Failed { method: "store", .. }));
    assert!(session.credentials(LeaseId::Access).is_ok());
    world.pass_for(&session, EXPIRY);
    let error = session.credentials(LeaseId::Access).unwrap_err();
    assert!(store_kind(&error).is_some() && error.is_retryable(), "{error}");
    assert_eq!(world.requests(), before);

    store.order(Orders::Work);
    served_soon(&world, &session);
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
}

fn a_panicking_store_harms_nobody<S: Subject>() {
    let (world, store) = (World::new(), Told::default());
    let session: S = world.connect_with(world.setup().store(store.clone()));
    store.order(Orders::Panic);
    world.pass_for(&session, EXPIRY);
    assert!(store_kind(&session.credentials(LeaseId::Access).unwrap_err()).is_some());
    store.order(Orders::Work);
    served_soon(&world, &session);
}

fn credentials_that_cannot_be_saved_are_served_and_said<S: Subject>() {
    let (world, store) = (World::new(), Told::default());
    let session: S = world.try_build(world.setup().store(store.clone())).unwrap();
    store.order(Orders::FailWrites(StoreErrorKind::MaybeWritten));
    let waiting = {
        let session = session.clone();
        thread::spawn(move || session.credentials(LeaseId::Access))
    };
    wait_for(&world, "not saved", |event| matches!(event, Event::NotSaved { .. }));
    assert_eq!(world.heard.count(|event| matches!(event, Event::Renewed { .. })), 0);
    // Two seconds later they are announced all the same.
    world.pass_seconds(2);
    waiting.join().unwrap().unwrap();
    assert!(!text(&store.store).contains("access"));

    // The lock is kept: nobody else renews with what is spent.
    assert!(matches!(store.store.lock(Duration::ZERO, WAIT), Err(error) if error.kind() == StoreErrorKind::Busy));
    store.order(Orders::Work);
    assert!((0..30).any(|_| {
        world.pass_for(&session, Duration::from_secs(6));
        world.heard.count(|event| matches!(event, Event::Saved)) > 0
    }));
    assert!(text(&store.store).contains("access"));
    assert_eq!(world.requests(), 1);
}

fn a_sign_out_clears_the_store<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    let session: S = connect(&world, &store);
    let secret = session.credentials(LeaseId::Access).unwrap().access().expose().to_owned();
    assert!(text(&store).contains(&secret));
    session.sign_out(SignOut::KeepLogin).unwrap();
    let left = text(&store);
    assert!(left.contains("\"signed_out\":true") && !left.contains("token"), "{left}");
    let stranger: S = world.try_build(world.stranger().store(store.clone())).unwrap();
    let error = stranger.credentials(LeaseId::Access).unwrap_err();
    assert!(matches!(error, Error::Session(SessionError::SignedOut)), "{error}");
}

fn a_store_that_cannot_be_cleared_is_said_and_cleared_as_soon_as_it_can_be<S: Subject>() {
    let (world, store) = (World::new(), Told::default());
    let session: S = world.connect_with(world.setup().store(store.clone()));
    store.order(Orders::FailWrites(StoreErrorKind::Unavailable));
    let error = session.sign_out(SignOut::KeepLogin).unwrap_err();
    assert_eq!(store_kind(&error), Some(StoreErrorKind::Unavailable));
    assert!(session.state() == State::SignedOut && text(&store.store).contains("access"));
    store.order(Orders::Work);
    let cleared = || text(&store.store).contains("\"signed_out\":true");
    let saved = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Saved)).count() >= 2;
    let second = Duration::from_secs(1);
    assert!((0..30).any(|_| {
        world.pass_seconds(6);
        world.heard.wait_until(second, saved)
    }));
    assert!(cleared());
}

fn another_accounts_session_is_left_alone<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    drop(connect::<S>(&world, &store));
    let before = text(&store);
    let login = Login::new("somebody@else.example", NavienSettings::PASSWORD).unwrap();
    let other: S = world.try_build(world.stranger().login(login).store(store.clone())).unwrap();
    let error = other.credentials(LeaseId::Access).unwrap_err();
    assert_eq!(store_kind(&error), Some(StoreErrorKind::Refused(ImportError::OtherAccount)));
    assert!(!error.is_retryable());
    assert_eq!(text(&store), before);
    assert_eq!(world.requests(), 1);
}

fn what_nobody_can_read_is_set_aside<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    put(&store, "{\"perennial\":1,\"torn");
    let session: S = connect(&world, &store);
    session.credentials(LeaseId::Access).unwrap();
    wait_for(&world, "set aside", |event| matches!(event, Event::Quarantined { .. }));
    assert_eq!(store.aside().len(), 1);
    assert!(text(&store).contains("\"revision\":1"));
}

fn a_kept_login_signs_in_again<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    drop(world.connect_with::<S>(world.setup().persist_login().store(store.clone())));
    world.emulator.navien().revoke_refresh(NavienSettings::EMAIL);
    world.pass(EXPIRY);
    let session: S = world.try_build(world.stranger().persist_login().store(store.clone())).unwrap();
    session.credentials(LeaseId::Access).unwrap();
    assert_eq!(world.requests_to(Endpoint::SignIn), 2);

    session.settle();
    let saves = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Saved)).count();
    let before = saves(&world.heard.all());
    assert!(text(&store).contains("login"));
    session.forget_login();
    assert!(world.heard.wait_until(LONG, |events| saves(events) > before), "it is not saved");
    assert!(!text(&store).contains("login"), "the login is still there");
}

fn a_closed_session_saves_what_it_asked_for<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    let session: S = connect(&world, &store);
    let before = text(&store);
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::Refresh, Fault::Hold(gate.clone()));
    world.pass(AT_THE_MARGIN);
    assert!(world.wait_for(Endpoint::Refresh, 1));
    assert!(text(&store).contains("refresh_sent_at"));
    drop(session);
    gate.open();
    // Whoever locks next finds the new token, and no mark.
    let after = within(LONG, {
        let store = store.clone();
        move || {
            drop(store.lock(LONG, LONG).unwrap());
            text(&store)
        }
    })
    .unwrap();
    assert!(after != before && !after.contains("refresh_sent_at"), "{after}");
    let next: S = world.connect_with(world.stranger().store(store.clone()));
    next.credentials(LeaseId::Access).unwrap();
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
}

fn a_person_who_signs_in_replaces_what_is_saved<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    let session: S = connect(&world, &store);
    let other: S = connect(&world, &store);
    let mut issues = other.renewals(LeaseId::Access);
    let new = session.sign_in(perennial_tests::login()).unwrap();
    world.pass_seconds(1);
    let taken = within(LONG, move || perennial_tests::Issues::next(&mut issues)).unwrap().unwrap();
    assert_eq!(taken.access().expose(), new.access().expose());
    assert_eq!(world.requests_to(Endpoint::SignIn), 2);
}
