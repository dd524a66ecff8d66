//! Sessions over tasks and over threads, behind one set of verbs.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use perennial_adapter::{BoxFuture, CredentialsRef, Runtime, Session, SessionBuilder, SpawnError};
use perennial_core::{Credentials, Error, Request, Response, SignOut, State, TransportError};
use perennial_testing::Toy;
use shuttle::future::{JoinHandle, block_on};
use shuttle::sync::Mutex;
use shuttle::thread;

use crate::Desk;
use crate::service::{NEED, serial_of};

/// A session, as a caller's thread sees it.
pub trait Subject: Clone + Send + Sync + 'static {
    /// A session, not yet asked for anything.
    fn build(desk: &Desk, setup: SessionBuilder<Toy>) -> Self;

    /// See `Session::credentials`. The number of the grant.
    fn credentials(&self) -> Result<u64, Error>;
    /// See `Session::renew`.
    fn renew(&self) -> Result<u64, Error>;
    /// See `Session::sign_out`.
    fn sign_out(&self, login: SignOut) -> Result<(), Error>;
    /// See `Session::current`.
    fn current(&self) -> Option<Arc<Credentials>>;
    /// See `Session::rejected`.
    fn rejected(&self, credentials: &Credentials);
    /// See `Session::close`.
    fn close(&self);
    /// See `Session::state`.
    fn state(&self) -> State;
    /// Waits for the next issue. See `Session::updates`.
    fn updates(&self) -> impl FnMut() -> Result<u64, Error> + Send + 'static;

    /// A session that has signed in.
    fn connect(desk: &Desk, setup: SessionBuilder<Toy>) -> Self {
        let session = Self::build(desk, setup);
        session.credentials().expect("the service signs in");
        session
    }
}

fn number(current: &CredentialsRef) -> u64 {
    serial_of(current)
}

// -- Tasks

/// A runtime: it runs drivers as tasks, and takes them all with it when it goes down.
#[derive(Clone, Default)]
pub struct Executor(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Executor {
    /// Goes down: each task is dropped where it waits.
    pub fn go_down(&self) {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap());
        tasks.iter().for_each(JoinHandle::abort);
    }

    /// Waits until every task has come to its end.
    pub fn finish(&self) {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap());
        for task in tasks {
            // An aborted one has come to its end as well.
            let _ = block_on(task);
        }
    }

    /// How many drivers it was given.
    pub fn drivers(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// What the async adapter offers, over the checker's tasks.
struct Tasked {
    desk: Desk,
    runtime: Executor,
}

impl Runtime for Tasked {
    fn send(&self, request: Request) -> BoxFuture<Result<Response, TransportError>> {
        let desk = self.desk.clone();
        Box::pin(async move { desk.reply(request).await })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(async move {
            // The clock wakes whoever sleeps when it is moved.
            if !duration.is_zero() {
                pending().await
            }
        })
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        thread::spawn(work);
    }

    fn spawn(&self, task: BoxFuture<()>) -> Result<(), SpawnError> {
        let task = shuttle::future::spawn(task);
        self.runtime.0.lock().unwrap().push(task);
        Ok(())
    }
}

/// A session whose driver is a task.
#[derive(Clone)]
pub struct Tasks {
    /// For stories that wait in tasks.
    pub handle: Session<Toy>,
    /// Where its driver runs.
    pub runtime: Executor,
}

impl Subject for Tasks {
    fn build(desk: &Desk, setup: SessionBuilder<Toy>) -> Self {
        let runtime = Executor::default();
        let host = Tasked { desk: desk.clone(), runtime: runtime.clone() };
        Self { handle: setup.build_on(Arc::new(host)).expect("nothing is restored"), runtime }
    }

    fn credentials(&self) -> Result<u64, Error> {
        block_on(self.handle.credentials()).map(|current| number(&current))
    }

    fn renew(&self) -> Result<u64, Error> {
        block_on(self.handle.renew(NEED)).map(|current| number(&current))
    }

    fn sign_out(&self, login: SignOut) -> Result<(), Error> {
        block_on(self.handle.sign_out(login))
    }

    fn current(&self) -> Option<Arc<Credentials>> {
        self.handle.current(NEED).map(|current| current.to_arc())
    }

    fn rejected(&self, credentials: &Credentials) {
        self.handle.rejected(NEED, credentials);
    }

    fn close(&self) {
        block_on(self.handle.close());
    }

    fn state(&self) -> State {
        self.handle.state()
    }

    fn updates(&self) -> impl FnMut() -> Result<u64, Error> + Send + 'static {
        let mut updates = self.handle.updates(NEED);
        move || block_on(updates.next()).map(|current| number(&current))
    }
}

// -- Threads

/// A session whose driver is a thread: the blocking adapter itself.
#[derive(Clone)]
pub struct Threads(perennial_blocking::Session<Toy>);

impl Subject for Threads {
    fn build(desk: &Desk, setup: SessionBuilder<Toy>) -> Self {
        let client = perennial_blocking::Connector::over(desk.clone());
        Self(client.build(setup).expect("nothing is restored"))
    }

    fn credentials(&self) -> Result<u64, Error> {
        self.0.credentials().map(|current| number(&current))
    }

    fn renew(&self) -> Result<u64, Error> {
        self.0.renew(NEED).map(|current| number(&current))
    }

    fn sign_out(&self, login: SignOut) -> Result<(), Error> {
        self.0.sign_out(login)
    }

    fn current(&self) -> Option<Arc<Credentials>> {
        self.0.current(NEED).map(|current| current.to_arc())
    }

    fn rejected(&self, credentials: &Credentials) {
        self.0.rejected(NEED, credentials);
    }

    fn close(&self) {
        self.0.close();
    }

    fn state(&self) -> State {
        self.0.state()
    }

    fn updates(&self) -> impl FnMut() -> Result<u64, Error> + Send + 'static {
        let mut updates = self.0.updates(NEED);
        move || updates.next().map(|current| number(&current))
    }
}
