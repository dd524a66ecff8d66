//! Programs that end: what is under way is brought to its end first, and nothing else is waited for.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use std::{fs, process, thread};

use perennial_adapter::MemoryStore;
use perennial_core::store::{Store, StoreErrorKind};
use perennial_core::{Event, LeaseId, Policy, Unfinished};
use perennial_emulator::{Endpoint, Fault, Gate, NavienSettings};
use perennial_file::FileStore;
use perennial_tests::{Blocking, Hyper, LONG, Subject, TIMEOUT, World, both, within};
use tokio::runtime::Builder;

use super::{AT_THE_MARGIN, EXPIRY, generation, is_closed};

both![
    an_end_waits_until_what_a_spent_token_brought_is_saved,
    an_end_that_may_not_wait_says_what_is_left,
    an_end_waits_for_nothing_where_nothing_is_under_way,
    an_end_does_not_wait_for_a_sign_in_and_tells_who_does,
    an_end_without_a_store_waits_for_the_answer_to_a_spent_token,
    an_end_leaves_no_file_and_no_lock_behind,
    an_end_comes_after_the_last_event,
    whoever_asks_after_the_end_is_told,
];

const NO_TIME: Duration = Duration::ZERO;

/// A session on a store, whose refresh token has been sent; the answer comes when the gate opens.
fn spending<S: Subject>(world: &World, store: impl Store) -> (S, Gate) {
    let session: S = world.connect_with(world.setup().store(store));
    (session, hold_a_refresh(world))
}

fn hold_a_refresh(world: &World) -> Gate {
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::Refresh, Fault::Hold(gate.clone()));
    world.pass(AT_THE_MARGIN);
    assert!(world.wait_for(Endpoint::Refresh, 1));
    gate
}

/// Whether the store has the newest refresh token that the service gave.
fn is_saved(world: &World, store: &impl Store) -> bool {
    let newest = world.emulator.navien().newest_refresh(NavienSettings::EMAIL).unwrap();
    let record = store.read(NO_TIME).unwrap().unwrap_or_default();
    String::from_utf8_lossy(record.as_ref()).contains(&newest)
}

fn is_saved_twice(events: &[Event]) -> bool {
    events.iter().filter(|event| matches!(event, Event::Saved)).count() == 2
}

fn is_unanswered(end: &Result<(), Unfinished>) -> bool {
    matches!(end, Err(Unfinished::Unanswered))
}

fn an_end_waits_until_what_a_spent_token_brought_is_saved<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    let (session, gate) = spending::<S>(&world, store.clone());
    let ends = {
        let session = session.clone();
        thread::spawn(move || session.close())
    };
    gate.open();
    ends.join().unwrap();
    assert!(is_saved(&world, &store));
    assert!(store.lock(NO_TIME, LONG).is_ok(), "the lock is given back");
    session.close();
}

fn an_end_that_may_not_wait_says_what_is_left<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    let (session, gate) = spending::<S>(&world, store.clone());
    assert!(is_unanswered(&session.finish(NO_TIME)));
    assert!(is_closed(&session.credentials(LeaseId::Access).unwrap_err()));
    gate.open();
    session.finish(LONG).unwrap();
    assert!(is_saved(&world, &store));
}

fn an_end_waits_for_nothing_where_nothing_is_under_way<S: Subject>() {
    let world = World::new();
    world.build::<S>().finish(NO_TIME).unwrap();
    for policy in [Policy::default(), Policy::default().on_demand(), Policy::default().one_shot()] {
        let policy = policy.request_timeout(TIMEOUT);
        let stored = world.setup().store(MemoryStore::new()).policy(policy);
        for session in [world.connect::<S>(), world.connect_with(stored)] {
            // What gives the lock back may still be at it.
            session.finish(LONG).unwrap();
            session.finish(NO_TIME).unwrap();
        }
    }
}

fn an_end_does_not_wait_for_a_sign_in_and_tells_who_does<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    // It stays closed.
    world.emulator.fault(Endpoint::SignIn, Fault::Hold(Gate::closed()));
    let session: S = world.try_build(world.setup().store(store.clone())).unwrap();
    let waits = {
        let session = session.clone();
        thread::spawn(move || session.credentials(LeaseId::Access))
    };
    assert!(world.wait_for(Endpoint::SignIn, 1));
    within(LONG, move || session.finish(LONG)).expect("it ends").unwrap();
    assert!(is_closed(&waits.join().unwrap().unwrap_err()));
    assert!(store.lock(NO_TIME, LONG).is_ok(), "the lock is given back");
}

fn an_end_without_a_store_waits_for_the_answer_to_a_spent_token<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let gate = hold_a_refresh(&world);
    assert!(is_unanswered(&session.finish(NO_TIME)));
    gate.open();
    session.finish(LONG).unwrap();
    let newest = world.emulator.navien().newest_refresh(NavienSettings::EMAIL);
    let kept = session.export().unwrap().credentials().refresh_token().map(|token| token.expose().to_owned());
    assert_eq!(kept, newest);
}

/// A directory of a test, gone when it is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("programs-{}-{number}", process::id())))
    }

    fn store(&self) -> FileStore {
        FileStore::new(self.0.join("session"))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn an_end_leaves_no_file_and_no_lock_behind<S: Subject>() {
    for _ in 0..10 {
        let (world, directory) = (World::new(), Directory::new());
        let session: S = world.connect_with(world.setup().store(directory.store()));
        session.close();
        assert_eq!(directory.names(), ["session", "session.lock"]);
        assert!(directory.store().lock(NO_TIME, LONG).is_ok());
    }
}

fn an_end_comes_after_the_last_event<S: Subject>() {
    let world = World::new();
    let session: S = world.connect_with(world.setup().store(MemoryStore::new()));
    session.close();
    let heard = world.heard.all();
    assert!(heard.iter().any(|event| matches!(event, Event::Saved)), "{heard:?}");
    assert!(heard.iter().any(|event| matches!(event, Event::Renewed { lease_id: LeaseId::Aws, .. })), "{heard:?}");
}

fn whoever_asks_after_the_end_is_told<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    session.close();
    world.pass(EXPIRY);
    for lease_id in LeaseId::ALL {
        assert!(is_closed(&session.credentials(lease_id).unwrap_err()));
        assert!(is_closed(&session.renew(lease_id).unwrap_err()));
        assert!(session.current(lease_id).is_none());
    }
    assert_eq!(world.requests(), 1);
}

// ---- Dropping the last handle

#[test]
fn the_last_blocking_handle_waits_until_what_a_spent_token_brought_is_saved() {
    let (world, store) = (World::new(), MemoryStore::new());
    let (session, gate) = spending::<Blocking>(&world, store.clone());
    let order = Arc::new(Mutex::new(Vec::new()));
    let drops = {
        let order = Arc::clone(&order);
        thread::spawn(move || {
            drop(session);
            order.lock().unwrap().push("dropped");
        })
    };
    order.lock().unwrap().push("answered");
    gate.open();
    drops.join().unwrap();
    assert!(is_saved(&world, &store));
    assert_eq!(*order.lock().unwrap(), ["answered", "dropped"]);
    assert!(is_saved_twice(&world.heard.all()), "the last events are heard");
}

#[test]
fn the_last_blocking_handle_leaves_no_file_and_no_lock_behind() {
    for _ in 0..20 {
        let (world, directory) = (World::new(), Directory::new());
        drop(world.connect_with::<Blocking>(world.setup().store(directory.store())));
        assert_eq!(directory.names(), ["session", "session.lock"]);
        assert!(directory.store().lock(NO_TIME, LONG).is_ok());
        assert!(world.heard.count(|event| matches!(event, Event::Saved)) > 0);
    }
}

#[test]
fn updates_keep_their_session_alive_as_a_clone_does() {
    let (world, store) = (World::new(), MemoryStore::new());
    let (session, gate) = spending::<Blocking>(&world, store.clone());
    let changes = session.changes(LeaseId::Access);
    drop(session);
    gate.open();
    drop(changes);
    assert!(is_saved(&world, &store));
}

/// The gate stays closed: whoever waited for what it holds back would wait long.
#[test]
fn the_last_blocking_handle_does_not_wait_for_what_nobody_could_keep() {
    let world = World::new();
    let session: Blocking = world.connect();
    let _closed = hold_a_refresh(&world);
    within(LONG, move || drop(session)).expect("there is no store");

    let world = World::new();
    world.emulator.fault(Endpoint::SignIn, Fault::Hold(Gate::closed()));
    let session: Blocking = world.try_build(world.setup().store(MemoryStore::new())).unwrap();
    let waits = session.clone();
    let waits = thread::spawn(move || waits.credentials(LeaseId::Access).map(drop));
    assert!(world.wait_for(Endpoint::SignIn, 1));
    session.close();
    assert!(is_closed(&waits.join().unwrap().unwrap_err()));
    within(LONG, move || drop(session)).expect("a sign-in spends nothing");
}

#[test]
fn a_listener_that_drops_the_last_handle_does_not_wait_for_itself() {
    let (world, store) = (World::new(), MemoryStore::new());
    let kept: Arc<Mutex<Option<Blocking>>> = Arc::default();
    let (dropped, told) = std::sync::mpsc::channel();
    let setup = {
        let (kept, heard) = (Arc::clone(&kept), world.heard.listener());
        world.setup().store(store.clone()).on_event(move |event| {
            heard(event);
            if matches!(event, Event::RenewalStarted { method: "refresh", .. }) {
                drop(kept.lock().unwrap().take());
                dropped.send(()).unwrap();
            }
        })
    };
    *kept.lock().unwrap() = Some(world.connect_with(setup));
    world.pass(AT_THE_MARGIN);
    told.recv_timeout(LONG).expect("it is dropped");
    assert!(world.wait_for(Endpoint::Refresh, 1), "what had begun goes on");
    assert!(world.heard.wait_until(LONG, is_saved_twice));
    assert!(is_saved(&world, &store));
}

#[test]
fn a_dropped_task_session_goes_on_until_what_a_spent_token_brought_is_saved() {
    let (world, store) = (World::new(), MemoryStore::new());
    let (session, gate) = spending::<Hyper>(&world, store.clone());
    drop(session);
    gate.open();
    assert!(world.heard.wait_until(LONG, is_saved_twice));
    assert!(is_saved(&world, &store));
}

// ---- Without a runtime

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// An executor that is no runtime.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn an_end_can_be_waited_for_outside_of_the_runtime_and_where_it_is_gone() {
    let (world, store) = (World::new(), MemoryStore::new());
    let (session, gate) = spending::<Hyper>(&world, store.clone());
    assert!(is_unanswered(&wait_for(session.handle().finish(Duration::from_millis(1)))));
    gate.open();
    wait_for(session.handle().finish(LONG)).unwrap();
    assert!(is_saved(&world, &store));

    let (world, store) = (World::new(), MemoryStore::new());
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let client = Hyper::client(world.link());
    let session = runtime.block_on(client.connect(world.setup().store(store.clone()))).unwrap();
    drop(runtime);
    wait_for(session.close());
    let second = Builder::new_current_thread().enable_all().build().unwrap();
    second.block_on(session.finish(LONG)).unwrap();
}

#[test]
fn what_a_runtime_left_unsaved_is_saved_by_the_next_one() {
    let world = World::new();
    let directory = Directory::new();
    // Nobody can lock it now.
    let lock = directory.store().lock(NO_TIME, LONG).unwrap();
    let first = Builder::new_current_thread().enable_all().build().unwrap();
    let client = Hyper::client(world.link());
    let saved = world.connect::<Blocking>().export().unwrap().to_json();
    let setup = world.setup().store(directory.store()).import(saved.expose().as_bytes());
    let session = first.block_on(async { client.build(setup) }).unwrap();
    let end = first.block_on(session.finish(NO_TIME));
    assert!(matches!(end, Err(Unfinished::Unsaved(_))), "{end:?}");
    drop(first);
    drop(lock);
    // The pause after that failure.
    world.pass_seconds(10);
    let second = Builder::new_current_thread().enable_all().build().unwrap();
    second.block_on(async { session.finish(LONG).await }).unwrap();
    assert!(is_saved(&world, &directory.store()));
    assert!(!matches!(directory.store().lock(NO_TIME, LONG), Err(error) if error.kind() == StoreErrorKind::Busy));
}

#[test]
fn a_session_that_was_never_asked_ends_at_once() {
    let world = World::new();
    let session: Blocking = world.build();
    within(LONG, move || drop(session)).expect("nothing is waited for");
    let session: Hyper = world.build();
    assert_eq!(generation(&world.connect::<Blocking>().credentials(LeaseId::Access).unwrap(), LeaseId::Access), 1);
    session.close();
    assert_eq!(world.requests(), 1);
}
