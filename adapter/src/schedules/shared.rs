//! What the handles and the driver share: the order of publishing, the driver's seat, and both sides together.

use std::future::{pending, ready};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use loom::thread;

use super::super::{BoxFuture, Clock, Runtime, Session, SessionBuilder, SpawnError};
use super::{block_on, explore};
use perennial_core::exchange::{Request, Response};
use perennial_core::providers::navien::{Login, Navien};
use perennial_core::{AccessToken, Grant, Now, Timestamp, Validity};
use perennial_core::{Error, SessionError, TransportError};

/// A clock that stands.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Now {
        Now::new(Timestamp::from_unix_millis(1_700_000_000_000), Duration::from_secs(1))
    }
}

/// What is done with a driver that is to be started: the how-manieth it is, and the driver itself.
type OnSpawn = Box<dyn Fn(usize, BoxFuture<()>) + Send + Sync>;

/// A host whose service answers every sign-in at once.
struct Toy {
    drivers: Mutex<usize>,
    on_spawn: OnSpawn,
}

impl Toy {
    fn new(on_spawn: impl Fn(usize, BoxFuture<()>) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { drivers: Mutex::new(0), on_spawn: Box::new(on_spawn) })
    }

    fn drivers(&self) -> usize {
        *self.drivers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runtime for Toy {
    fn send(&self, _: Request) -> BoxFuture<Result<Response, TransportError>> {
        let answer = r#"{"code":200,"data":{"token":{"accessToken":"ey.J","authenticationExpiresIn":3600}}}"#;
        Box::pin(ready(Ok(http::Response::new(answer.as_bytes().to_vec().into()))))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<()> {
        Box::pin(pending())
    }

    fn spawn_blocking(&self, _: Box<dyn FnOnce() + Send>) {}

    fn spawn(&self, task: BoxFuture<()>) -> Result<(), SpawnError> {
        let number = {
            let mut drivers = self.drivers.lock().unwrap_or_else(PoisonError::into_inner);
            *drivers += 1;
            *drivers
        };
        (self.on_spawn)(number, task);
        Ok(())
    }
}

/// A session that has a login and holds nothing yet.
fn build(host: Arc<Toy>) -> Session<Navien> {
    let login = Login::new("grower@example.com", "correct horse").unwrap();
    SessionBuilder::new(Navien::default()).login(login).clock(Noon).seed(1).build_on(host).unwrap()
}

fn grant() -> Grant {
    let validity = Validity::with_lifetime(Noon.now(), Duration::from_secs(3600));
    Grant { access: Some(AccessToken::new("Bearer", "ey.J", validity).unwrap()), ..Grant::default() }
}

fn is_closed<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Session(SessionError::Closed)))
}

/// Two threads that wait for credentials.
fn two_wait(handle: &Session<Navien>) -> [thread::JoinHandle<Result<(), Error>>; 2] {
    [(); 2].map(|()| {
        let handle = handle.clone();
        thread::spawn(move || block_on(handle.credentials()).map(drop))
    })
}

/// Asks, and waits for nothing: a driver is started for it.
fn ask(handle: &Session<Navien>) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(handle.credentials()).poll(&mut cx).is_pending());
}

/// Drivers that were started and do nothing yet.
#[derive(Clone, Default)]
struct Idle(Arc<Mutex<Vec<BoxFuture<()>>>>);

impl Idle {
    fn push(&self, driver: BoxFuture<()>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(driver);
    }

    /// They go down with their runtime.
    fn drop_all(&self) {
        let drivers = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(drivers);
    }
}

fn idle_host() -> (Arc<Toy>, Idle) {
    let idle = Idle::default();
    let drivers = idle.clone();
    (Toy::new(move |_, driver| drivers.push(driver)), idle)
}

#[test]
fn a_picture_is_published_before_anybody_is_woken_for_it() {
    explore("two wait, one publishes", || {
        let (host, idle) = idle_host();
        let handle = build(Arc::clone(&host));
        let waiters = two_wait(&handle);
        handle.install_grant(grant()).unwrap();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap().unwrap());
        assert_eq!(host.drivers(), 1);
        idle.drop_all();
    });
}

#[test]
fn one_driver_at_a_time_takes_the_seat() {
    explore("three want a driver", || {
        let (host, idle) = idle_host();
        let handle = build(Arc::clone(&host));
        let others: [_; 2] = [(); 2].map(|()| {
            let handle = handle.clone();
            thread::spawn(move || handle.install_grant(grant()))
        });
        handle.install_grant(grant()).unwrap();
        others.into_iter().for_each(|other| other.join().unwrap().unwrap());
        assert_eq!(host.drivers(), 1);
        // The seat is free again once the driver has left it.
        idle.drop_all();
        handle.install_grant(grant()).unwrap();
        assert_eq!(host.drivers(), 2);
        idle.drop_all();
    });
}

#[test]
fn a_driver_that_leaves_wakes_those_who_wait_and_one_of_them_starts_the_next() {
    explore("a driver leaves", || {
        let idle = Idle::default();
        let session: Arc<Mutex<Option<Session<Navien>>>> = Arc::default();
        let host = {
            let (idle, session) = (idle.clone(), Arc::clone(&session));
            Toy::new(move |number, driver| {
                idle.push(driver);
                // The second driver does its work at once.
                if number == 2 {
                    let handle = session.lock().unwrap().clone().unwrap();
                    handle.install_grant(grant()).unwrap();
                }
            })
        };
        let handle = build(Arc::clone(&host));
        *session.lock().unwrap() = Some(handle.clone());
        ask(&handle);
        let waiters = two_wait(&handle);
        idle.drop_all();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap().unwrap());
        assert_eq!(host.drivers(), 2);
        let kept = session.lock().unwrap().take();
        drop((kept, handle));
        idle.drop_all();
    });
}

#[test]
fn closing_wakes_everybody() {
    explore("two wait, one closes", || {
        let (host, idle) = idle_host();
        let handle = build(host);
        let waiters = two_wait(&handle);
        drop(handle.close());
        waiters.into_iter().for_each(|waiter| assert!(is_closed(&waiter.join().unwrap())));
        assert!(is_closed(&block_on(handle.credentials())));
        idle.drop_all();
    });
}

#[test]
fn a_caller_and_the_driver_find_each_other_and_the_last_handle_ends_both() {
    explore("a caller and a driver", || {
        let threads: Arc<Mutex<Vec<thread::JoinHandle<()>>>> = Arc::default();
        let host = {
            let threads = Arc::clone(&threads);
            Toy::new(move |_, driver| {
                let thread = thread::spawn(move || block_on(driver));
                threads.lock().unwrap().push(thread);
            })
        };
        let handle = build(Arc::clone(&host));
        assert!(block_on(handle.credentials()).is_ok());
        drop(handle);
        let drivers = std::mem::take(&mut *threads.lock().unwrap());
        drivers.into_iter().for_each(|driver| driver.join().unwrap());
        assert_eq!(host.drivers(), 1);
    });
}

#[test]
fn a_driver_that_goes_down_before_its_first_answer_leaves_nobody_waiting() {
    explore("a driver goes down", || {
        let threads: Arc<Mutex<Vec<thread::JoinHandle<()>>>> = Arc::default();
        let host = {
            let threads = Arc::clone(&threads);
            Toy::new(move |number, mut driver| {
                let thread = thread::spawn(move || match number {
                    // Polled never, and gone.
                    1 => drop(driver),
                    // One that does its work, and then is gone as well.
                    _ => {
                        let mut cx = Context::from_waker(Waker::noop());
                        let _: Poll<()> = Pin::new(&mut driver).poll(&mut cx);
                    }
                });
                threads.lock().unwrap().push(thread);
            })
        };
        let handle = build(Arc::clone(&host));
        assert!(block_on(handle.credentials()).is_ok());
        drop(handle);
        let drivers = std::mem::take(&mut *threads.lock().unwrap());
        drivers.into_iter().for_each(|driver| driver.join().unwrap());
        assert!(host.drivers() <= 3);
    });
}
