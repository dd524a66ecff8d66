//! Many callers, one request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use perennial_core::{Credentials, Error, LeaseId, TransportErrorKind};
use perennial_emulator::{Endpoint, Fault, Gate};
use perennial_tests::{Blocking, Hyper, Subject, World, both};

use super::{EXPIRY, generation};

both![
    a_crowd_at_expiry_makes_one_request,
    a_crowd_shares_one_failure,
    a_crowd_shares_one_refusal,
    a_crowd_that_comes_first_signs_in_once,
    a_hundred_refusals_of_one_token_cause_one_renewal,
    a_refusal_of_an_old_token_does_nothing,
    a_token_that_is_refused_at_once_is_renewed_at_backoff_pace,
];

type Answers = Vec<Result<Arc<Credentials>, Error>>;

/// As many callers as the adapter is for.
trait Crowd: Subject {
    const SIZE: usize;

    /// All ask; when all are about to, `then` is done.
    fn all_ask(&self, then: impl FnOnce()) -> Answers;
}

impl Crowd for Hyper {
    const SIZE: usize = 10_000;

    fn all_ask(&self, then: impl FnOnce()) -> Answers {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        let started = Arc::new(AtomicUsize::new(0));
        let callers: Vec<_> = (0..Self::SIZE)
            .map(|_| {
                let (handle, started) = (self.handle().clone(), started.clone());
                runtime.spawn(async move {
                    started.fetch_add(1, Ordering::Relaxed);
                    handle.credentials().await.map(|current| current.to_arc())
                })
            })
            .collect();
        while started.load(Ordering::Relaxed) < Self::SIZE {
            thread::yield_now();
        }
        then();
        callers.into_iter().map(|caller| runtime.block_on(caller).unwrap()).collect()
    }
}

impl Crowd for Blocking {
    const SIZE: usize = 500;

    fn all_ask(&self, then: impl FnOnce()) -> Answers {
        let start = Barrier::new(Self::SIZE + 1);
        thread::scope(|scope| {
            let ask = || {
                start.wait();
                self.credentials(LeaseId::Access)
            };
            let callers: Vec<_> = (0..Self::SIZE).map(|_| scope.spawn(ask)).collect();
            start.wait();
            then();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        })
    }
}

fn a_crowd_at_expiry_makes_one_request<S: Crowd>() {
    let world = World::new();
    let session: S = world.connect();
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::Refresh, Fault::Hold(gate.clone()));
    world.pass(EXPIRY);
    let answers = session.all_ask(|| {
        assert!(world.wait_for(Endpoint::Refresh, 1));
        gate.open();
    });
    assert_eq!(answers.len(), S::SIZE);
    for answer in answers {
        let credentials = answer.unwrap();
        assert_eq!(generation(&credentials, LeaseId::Access), 2);
        assert!(world.accepts(LeaseId::Access, &credentials));
    }
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
    assert_eq!(world.requests_to(Endpoint::SignIn), 1);
    assert_eq!(world.emulator.navien().reuse_detected(), 0);
}

fn a_crowd_that_comes_first_signs_in_once<S: Crowd>() {
    let world = World::new();
    let session: S = world.build();
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::SignIn, Fault::Hold(gate.clone()));
    let answers = session.all_ask(|| gate.open());
    assert!(answers.iter().all(|answer| generation(answer.as_ref().unwrap(), LeaseId::Access) == 1));
    assert_eq!(world.requests(), 1);
}

fn a_crowd_shares_one_failure<S: Crowd>() {
    let world = World::new();
    let session: S = world.try_build(world.setup().request_timeout(Duration::from_secs(1))).unwrap();
    world.emulator.fault_always(Endpoint::SignIn, Fault::Stall);
    let answers = session.all_ask(|| ());
    assert_eq!(answers.len(), S::SIZE);
    for answer in answers {
        let Err(Error::Transport(error)) = answer else { panic!("{answer:?}") };
        assert_eq!(error.kind(), TransportErrorKind::TimedOut);
    }
    assert_eq!(world.requests(), 1);
}

fn a_crowd_shares_one_refusal<S: Crowd>() {
    let world = World::new();
    let session: S = world.connect();
    // One way to renew is left.
    session.forget_login();
    world.emulator.navien().revoke_refresh(perennial_emulator::NavienSettings::EMAIL);
    world.pass(EXPIRY);
    let answers = session.all_ask(|| ());
    assert_eq!(answers.len(), S::SIZE);
    for answer in answers {
        let error = answer.unwrap_err();
        assert!(!error.is_retryable(), "{error:?}");
    }
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
    assert_eq!(world.requests(), 2);
    // A person makes it well again.
    assert!(world.accepts(LeaseId::Access, &session.sign_in(perennial_tests::login()).unwrap()));
}

fn a_hundred_refusals_of_one_token_cause_one_renewal<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let refused = session.credentials(LeaseId::Access).unwrap();
    world.pass_seconds(120);
    world.emulator.navien().revoke_access(perennial_emulator::NavienSettings::EMAIL);
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                session.rejected(LeaseId::Access, &refused);
                let renewed = session.credentials(LeaseId::Access).unwrap();
                assert_eq!(generation(&renewed, LeaseId::Access), 2);
                assert!(world.accepts(LeaseId::Access, &renewed));
            });
        }
    });
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
    assert_eq!(world.requests_to(Endpoint::SignIn), 1);
}

fn a_refusal_of_an_old_token_does_nothing<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let old = session.credentials(LeaseId::Access).unwrap();
    world.pass_seconds(120);
    let new = session.renew(LeaseId::Access).unwrap();
    world.pass_for(&session, Duration::from_secs(120));
    let before = world.requests();
    for _ in 0..10 {
        session.rejected(LeaseId::Access, &old);
        assert_eq!(session.current(LeaseId::Access).unwrap().access().expose(), new.access().expose());
    }
    session.settle();
    assert_eq!(world.requests(), before);
}

fn a_token_that_is_refused_at_once_is_renewed_at_backoff_pace<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    // The API refuses whatever comes, as one that is broken does. Ten callers of every issue say so.
    let mut served = 0;
    for _ in 0..60 {
        if let Some(current) = session.current(LeaseId::Access) {
            let current = current.to_arc();
            (0..10).for_each(|_| session.rejected(LeaseId::Access, &current));
            served += 1;
        }
        world.pass_for(&session, Duration::from_secs(1));
    }
    let renewals = world.requests() - 1;
    assert!((2..=10).contains(&renewals), "{renewals} renewals in a minute");
    assert!(served <= renewals + 1, "what was refused is handed out again: {served} times, {renewals} renewals");
}
