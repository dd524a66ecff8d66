//! What only tasks can do: be cancelled, lose their runtime, have none.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use perennial_core::providers::navien::Navien;
use perennial_core::{Error, LeaseId, TransportErrorKind};
use perennial_emulator::{Endpoint, Fault, Gate};
use perennial_hyper::Session;
use perennial_tests::{Hyper, LONG, World, within};
use tokio::runtime::{Builder, Runtime};

use super::{EXPIRY, is_closed};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn build(world: &World) -> Session<Navien> {
    Hyper::client(world.link()).build(world.setup()).unwrap()
}

#[test]
fn a_cancelled_leader_leaves_the_others_served() {
    let (world, runtime) = (World::new(), runtime());
    let session = build(&world);
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::SignIn, Fault::Hold(gate.clone()));
    let ask = || {
        let session = session.clone();
        async move { session.credentials().await.map(|current| current.to_arc()) }
    };
    let leader = runtime.spawn(ask());
    assert!(world.wait_for(Endpoint::SignIn, 1));
    let others: Vec<_> = (0..10).map(|_| runtime.spawn(ask())).collect();
    leader.abort();
    assert!(runtime.block_on(leader).unwrap_err().is_cancelled());
    gate.open();
    for other in others {
        assert!(world.accepts(LeaseId::Access, &runtime.block_on(other).unwrap().unwrap()));
    }
    assert_eq!(world.requests(), 1);
}

#[test]
fn a_runtime_dropped_in_flight_strands_nobody() {
    let (world, first, second) = (World::new(), runtime(), runtime());
    let session = build(&world);
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::SignIn, Fault::Hold(gate.clone()));
    // The driver runs where the first caller is.
    let leader = session.clone();
    first.spawn(async move { leader.credentials().await.map(drop) });
    assert!(world.wait_for(Endpoint::SignIn, 1));
    let waiting = session.clone();
    let waiter = second.spawn(async move { waiting.credentials().await.map(|current| current.to_arc()) });
    first.shutdown_background();
    let answer = within(LONG, move || {
        let answer = second.block_on(waiter).unwrap();
        (answer, second)
    });
    let (answer, second) = answer.expect("the waiter is told");
    match answer {
        Err(Error::Transport(error)) => assert_eq!(error.kind(), TransportErrorKind::MaybeSent),
        // It came too late to see the failure.
        Ok(_) => {}
        Err(error) => panic!("{error:?}"),
    }
    world.pass_seconds(5);
    let credentials = second.block_on(session.credentials()).unwrap().to_arc();
    assert!(world.accepts(LeaseId::Access, &credentials));
    gate.open();
}

#[test]
fn a_new_runtime_takes_over_from_one_that_is_gone() {
    let world = World::new();
    let session = build(&world);
    for _ in 0..3 {
        let runtime = runtime();
        let credentials = runtime.block_on(session.credentials()).unwrap().to_arc();
        assert!(world.accepts(LeaseId::Access, &credentials));
        drop(runtime);
        world.pass(EXPIRY);
    }
    assert_eq!(world.requests_to(Endpoint::SignIn), 1);
}

#[test]
fn a_handle_outside_of_any_runtime_neither_panics_nor_hangs() {
    let world = World::new();
    let session = build(&world);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        let Poll::Ready(Err(error)) = pin!(session.credentials()).poll(&mut cx) else { panic!("it waits for nobody") };
        assert!(is_closed(&error), "{error:?}");
    }
    let runtime = runtime();
    let credentials = runtime.block_on(session.credentials()).unwrap().to_arc();
    // Valid ones are had anywhere.
    assert!(matches!(pin!(session.credentials()).poll(&mut cx), Poll::Ready(Ok(_))));
    drop(runtime);
    session.rejected(LeaseId::Access, &credentials);
    let _ = session.current(LeaseId::Aws);
    assert!(matches!(pin!(session.renew(LeaseId::Access)).poll(&mut cx), Poll::Ready(Err(_))));
    world.pass(EXPIRY);
    let again = self::runtime().block_on(session.credentials()).unwrap().to_arc();
    assert!(world.accepts(LeaseId::Access, &again));
}

#[test]
fn a_lazy_session_without_a_driver_is_knocked_at_until_there_is_one() {
    let world = World::new();
    let on_demand = perennial_core::Policy::default().on_demand();
    let session = Hyper::client(world.link()).build(world.setup().policy(on_demand)).unwrap();
    let first = runtime();
    first.block_on(session.credentials()).unwrap();
    drop(first);
    world.pass(super::AT_THE_MARGIN);
    // Here is nothing that could run a driver.
    for _ in 0..10 {
        assert!(session.current(LeaseId::Access).is_some());
    }
    assert_eq!(world.requests(), 1);
    let second = runtime();
    let _inside = second.enter();
    assert!(session.current(LeaseId::Access).is_some());
    assert!(world.wait_for(Endpoint::Refresh, 1));
}

#[test]
fn a_current_thread_runtime_is_enough() {
    let world = World::new();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let session = build(&world);
    runtime.block_on(session.credentials()).unwrap();
    world.pass(EXPIRY);
    let credentials = runtime.block_on(session.credentials()).unwrap().to_arc();
    assert!(world.accepts(LeaseId::Access, &credentials));
}

#[test]
fn a_task_on_one_runtime_and_a_thread_on_another_share_a_session() {
    let world = World::new();
    let session = build(&world);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let credentials = runtime().block_on(session.credentials()).unwrap().to_arc();
                assert!(world.accepts(LeaseId::Access, &credentials));
            });
        }
    });
}
