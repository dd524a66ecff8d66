//! Ends: closed, dropped, panicking.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use perennial_core::{Error, LeaseId, Request};
use perennial_emulator::{Endpoint, Fault, Gate};
use perennial_tests::{Issues, LONG, Link, Subject, World, both, within};

use super::{EXPIRY, is_closed};

both![
    close_tells_who_waits,
    the_last_handle_dropped_ends_the_work,
    a_handle_dropped_in_flight_ends_the_work,
    a_panicking_listener_harms_nobody,
    a_panicking_transport_harms_nobody,
    a_transport_that_panics_once_is_used_again_at_renewal,
    a_caller_that_panics_harms_nobody,
];

fn close_tells_who_waits<S: Subject>() {
    let world = World::new();
    let session: S = world.build();
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::SignIn, Fault::Hold(gate.clone()));
    thread::scope(|scope| {
        let callers: Vec<_> = (0..10).map(|_| scope.spawn(|| session.credentials(LeaseId::Access))).collect();
        let changes = scope.spawn(|| session.changes(LeaseId::Access).next());
        assert!(world.wait_for(Endpoint::SignIn, 1));
        session.clone().close();
        for caller in callers {
            assert!(is_closed(&caller.join().unwrap().unwrap_err()));
        }
        assert!(is_closed(&changes.join().unwrap().unwrap_err()));
    });
    gate.open();
    assert!(is_closed(&session.credentials(LeaseId::Access).unwrap_err()));
    assert!(is_closed(&session.renew(LeaseId::Access).unwrap_err()));
    assert!(session.current(LeaseId::Access).is_none());
}

/// A link that tells when the last that could use it is gone: driver, session and client.
fn telling(world: &World) -> (Link, mpsc::Receiver<()>) {
    struct Tell(mpsc::Sender<()>);
    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (tell, told) = mpsc::channel();
    let tell = Arc::new(std::sync::Mutex::new(Tell(tell)));
    let before = Arc::new(move |_: &mut Request| drop(tell.lock().unwrap()));
    (Link { before, ..world.link() }, told)
}

fn the_last_handle_dropped_ends_the_work<S: Subject>() {
    let world = World::new();
    let (link, gone) = telling(&world);
    let session = S::connect(link, world.setup()).unwrap();
    let other = session.clone();
    drop(session);
    assert!(other.credentials(LeaseId::Access).is_ok());
    assert!(gone.try_recv().is_err());
    drop(other);
    gone.recv_timeout(LONG).expect("the driver is gone");
    world.pass(EXPIRY);
    assert_eq!(world.requests(), 1);
}

fn a_handle_dropped_in_flight_ends_the_work<S: Subject>() {
    let world = World::new();
    let (link, gone) = telling(&world);
    let session = S::connect(link, world.setup()).unwrap();
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::Refresh, Fault::Hold(gate.clone()));
    world.pass(EXPIRY);
    assert!(world.wait_for(Endpoint::Refresh, 1));
    drop(session);
    gate.open();
    gone.recv_timeout(LONG).expect("the driver is gone");
    assert_eq!(world.requests(), 2);
}

fn a_panicking_listener_harms_nobody<S: Subject>() {
    let world = World::new();
    let session: S = world.connect_with(world.setup().on_event(|_| panic!("a listener of a test")));
    world.pass(EXPIRY);
    for lease_id in LeaseId::ALL {
        let session = session.clone();
        let credentials = within(LONG, move || session.credentials(lease_id)).unwrap().unwrap();
        assert!(world.accepts(lease_id, &credentials));
    }
}

/// A link whose transport panics while the switch is on.
fn panicking(world: &World) -> (Link, Arc<AtomicBool>) {
    let switch = Arc::new(AtomicBool::new(true));
    let asked = switch.clone();
    let before = Arc::new(move |_: &mut Request| assert!(!asked.load(Ordering::Relaxed), "a transport of a test"));
    (Link { before, ..world.link() }, switch)
}

fn a_panicking_transport_harms_nobody<S: Subject>() {
    let world = World::new();
    let (link, panics) = panicking(&world);
    let session = S::build(link, world.setup()).unwrap();
    for _ in 0..3 {
        let waiting = session.clone();
        let error = within(LONG, move || waiting.credentials(LeaseId::Access)).unwrap().unwrap_err();
        assert!(matches!(error, Error::Transport(_)), "{error:?}");
        world.pass_for(&session, Duration::from_secs(5));
    }
    panics.store(false, Ordering::Relaxed);
    world.pass_for(&session, Duration::from_secs(5));
    let credentials = within(LONG, move || session.credentials(LeaseId::Access)).unwrap().unwrap();
    assert!(world.accepts(LeaseId::Access, &credentials));
}

fn a_transport_that_panics_once_is_used_again_at_renewal<S: Subject>() {
    let world = World::new();
    let (link, panics) = panicking(&world);
    panics.store(false, Ordering::Relaxed);
    let session = S::connect(link, world.setup()).unwrap();
    panics.store(true, Ordering::Relaxed);
    world.pass(EXPIRY);
    let waiting = session.clone();
    assert!(within(LONG, move || waiting.credentials(LeaseId::Access)).unwrap().is_err());
    session.settle();
    panics.store(false, Ordering::Relaxed);
    world.pass_for(&session, Duration::from_secs(10));
    let credentials = within(LONG, move || session.credentials(LeaseId::Access)).unwrap().unwrap();
    assert!(world.accepts(LeaseId::Access, &credentials));
}

fn a_caller_that_panics_harms_nobody<S: Subject>() {
    let world = World::new();
    let session: S = world.build();
    let caller = session.clone();
    let panicked = thread::spawn(move || {
        let held = caller.credentials(LeaseId::Access);
        panic!("a caller of a test, with {held:?}");
    });
    assert!(panicked.join().is_err());
    world.pass(EXPIRY);
    assert!(world.accepts(LeaseId::Access, &session.credentials(LeaseId::Access).unwrap()));
}
