//! What the handles and the driver of one session share.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::clock::SessionClock;
use super::sync::atomic::AtomicBool;
#[cfg(feature = "test-util")]
use super::sync::atomic::Ordering;
use super::sync::{Guard, Mutex};
use super::wait::{Notify, WaitList, lock};
use super::{Clock, Runtime};
use crate::snapshot::{DriverState, Snapshot, Snapshots};
use perennial_core::credentials::Now;
use perennial_core::exchange::Provider;
#[cfg(feature = "test-util")]
use perennial_core::session::Input;
use perennial_core::session::{Event, Output, Session as Machine, Unfinished, Work};
use perennial_core::store::Store;
use perennial_core::{Error, SessionError};

/// Is told all that happens.
pub(crate) type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

pub(crate) struct Shared<P: Provider> {
    /// For calls that need no lock.
    pub(crate) provider: P,
    pub(crate) clock: SessionClock,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) listener: Option<Listener>,
    pub(crate) snapshots: Snapshots,
    pub(crate) notify: Notify,
    pub(crate) store: Option<Arc<dyn Store>>,
    /// The store has told of a change that the session has not seen.
    pub(crate) store_changed: AtomicBool,
    waiters: WaitList,
    /// Those who wait until all is done.
    #[cfg(feature = "test-util")]
    settlers: WaitList,
    guarded: Mutex<Guarded<P>>,
}

/// The session, and what changes with it. Never locked across I/O, nor across what a provider signs or parses.
struct Guarded<P: Provider> {
    session: Machine<P>,
    /// A driver is running.
    has_driver: bool,
    end: Phase,
    /// That driver has done and told all that it was asked for, and sleeps.
    #[cfg(feature = "test-util")]
    idle: bool,
}

/// When the driver leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nobody has closed the session.
    Open,
    /// When nothing is left that would be lost.
    WhenFinished,
    /// Now: nobody is left who could take what comes, and nothing is saved.
    AtOnce,
}

impl<P: Provider> Guarded<P> {
    /// Nothing is left to be done, and nobody is doing anything.
    fn has_ended(&self) -> bool {
        !self.has_driver && !self.is_wanted()
    }

    /// Whether a driver would find something to do.
    fn is_wanted(&self) -> bool {
        match self.end {
            Phase::Open => true,
            Phase::WhenFinished => !self.session.is_finished(),
            Phase::AtOnce => false,
        }
    }

    fn attended(&self) -> DriverState {
        match self.has_driver {
            _ if self.end != Phase::Open => DriverState::Closed,
            true => DriverState::Running,
            false => DriverState::None,
        }
    }
}

impl<P: Provider> Shared<P> {
    pub(crate) fn new(
        session: Machine<P>,
        clock: SessionClock,
        host: Arc<dyn Runtime>,
        listener: Option<Listener>,
        store: Option<Arc<dyn Store>>,
    ) -> Arc<Self> {
        let view = Snapshot::of(&session, DriverState::None, clock.now());
        Arc::new(Self {
            provider: session.provider().clone(),
            clock,
            runtime: host,
            listener,
            snapshots: Snapshots::new(view),
            notify: Notify::default(),
            store,
            store_changed: AtomicBool::new(false),
            waiters: WaitList::default(),
            #[cfg(feature = "test-util")]
            settlers: WaitList::default(),
            guarded: Mutex::new(Guarded {
                session,
                has_driver: false,
                end: Phase::Open,
                #[cfg(feature = "test-util")]
                idle: false,
            }),
        })
    }

    /// Does something with the session, publishes what came of it and wakes who waits for that.
    pub(crate) fn with<T>(&self, command: impl FnOnce(&mut Machine<P>, Now) -> T) -> T {
        self.with_guarded(|guarded, now| command(&mut guarded.session, now))
    }

    fn with_guarded<T>(&self, command: impl FnOnce(&mut Guarded<P>, Now) -> T) -> T {
        let (result, changed) = {
            let mut guarded = lock(&self.guarded);
            // The time is taken under the lock, so that it never runs backwards from one call to the next.
            let now = self.clock.now();
            let result = command(&mut guarded, now);
            (result, self.publish(&guarded, now))
        };
        if changed {
            self.waiters.wake_all();
        }
        result
    }

    /// What the driver does next.
    pub(crate) fn next(&self) -> Next<P> {
        self.with_guarded(|guarded, now| match guarded.session.take_work(now) {
            Some(work) => Next::Work(work),
            None => match guarded.session.poll_output() {
                Output::Sleep(_) if !guarded.is_wanted() => Next::Leave,
                output => Next::Output(output),
            },
        })
    }

    /// The same, by a caller: the driver has to see what it led to.
    pub(crate) fn command<T>(self: &Arc<Self>, command: impl FnOnce(&mut Machine<P>, Now) -> T) -> T {
        let result = self.with(command);
        self.notify.notify();
        result
    }

    fn publish(&self, guarded: &Guarded<P>, now: Now) -> bool {
        let view = Snapshot::of(&guarded.session, guarded.attended(), now);
        let changed = view.differs(&self.snapshots.load());
        if changed {
            self.snapshots.replace(view);
        }
        changed
    }

    /// Waits until `look` finds something in the picture. The driver is started if there is none: the one before
    /// may have gone down with its runtime.
    pub(crate) async fn until<T>(
        self: &Arc<Self>,
        look: impl Fn(Guard<Arc<Snapshot>>) -> Option<T>,
    ) -> Result<T, Error> {
        let mut place = self.waiters.place();
        poll_fn(|cx| {
            if let Some(found) = look(self.snapshots.load()) {
                return Poll::Ready(Ok(found));
            }
            place.wait(cx.waker());
            if let Some(found) = look(self.snapshots.load()) {
                return Poll::Ready(Ok(found));
            }
            match self.ensure_driver() {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
    }

    /// Takes the driver's seat, if it is free. Whoever gets it has to fill it.
    pub(crate) fn try_claim_driver(&self) -> Result<bool, Error> {
        let mut guarded = lock(&self.guarded);
        if guarded.has_driver {
            return Ok(false);
        }
        if !guarded.is_wanted() {
            return Err(SessionError::Closed.into());
        }
        guarded.has_driver = true;
        Ok(true)
    }

    /// The driver left, or never came to run.
    pub(crate) fn driver_left(&self) {
        lock(&self.guarded).has_driver = false;
        // Readers request a renewal again: whoever can start a driver does.
        self.with(|_, _| ());
        self.waiters.wake_all();
        #[cfg(feature = "test-util")]
        self.settlers.wake_all();
    }

    /// Ends the work. Who waits is told.
    pub(crate) fn close(self: &Arc<Self>) {
        self.end(Phase::WhenFinished);
    }

    /// The last handle is gone: what comes is of use only if it is saved.
    pub(crate) fn abandon(self: &Arc<Self>) {
        self.end(if self.store.is_some() { Phase::WhenFinished } else { Phase::AtOnce });
    }

    /// Nothing can be brought to its end any more.
    pub(crate) fn give_up(self: &Arc<Self>) {
        self.end(Phase::AtOnce);
    }

    fn end(self: &Arc<Self>, end: Phase) {
        self.with_guarded(|guarded, now| {
            guarded.end = end;
            guarded.session.close(now);
        });
        self.notify.notify();
        // What is left may need a driver where there is none.
        let _ = self.ensure_driver();
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.guarded).end != Phase::Open
    }

    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.guarded).has_ended()
    }

    /// Waits until a closed session has come to its end, or until there is nothing that could bring it there; at most
    /// this long. Says what is left undone.
    pub(crate) async fn ended(self: Arc<Self>, within: Duration) -> Result<(), Unfinished> {
        let mut end = pin!(self.until(|_| self.has_ended().then_some(())));
        let mut time = None;
        poll_fn(|cx| match end.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => time.get_or_insert_with(|| self.runtime.sleep(within)).as_mut().poll(cx),
        })
        .await;
        self.with(|session, _| session.unfinished()).map_or(Ok(()), Err)
    }
}

#[cfg(feature = "test-util")]
impl<P: Provider> Shared<P> {
    /// The driver is about to do something.
    pub(crate) fn driver_stirs(&self) {
        lock(&self.guarded).idle = false;
    }

    /// The driver has nothing left to do, and is about to sleep.
    pub(crate) fn driver_rests(&self) {
        lock(&self.guarded).idle = true;
        self.settlers.wake_all();
    }

    /// Waits until there is nothing left to do at this moment of the clock.
    pub(crate) async fn settle(self: &Arc<Self>) {
        let mut place = self.settlers.place();
        poll_fn(|cx| {
            // Without a driver nothing is out, and without anything that could run one nothing ever will be.
            let driven = self.ensure_driver().is_ok() || lock(&self.guarded).has_driver;
            if !driven || self.is_settled() {
                return Poll::Ready(());
            }
            place.wait(cx.waker());
            if self.is_settled() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Whether the driver sleeps, and finds nothing to do if it looks now. Looks in its place.
    fn is_settled(&self) -> bool {
        let rests = self.with(|session, now| {
            session.handle_input(Input::Wake, now);
            session.is_at_rest()
        });
        if !rests {
            self.notify.notify();
        }
        let unseen = self.store_changed.load(Ordering::Acquire);
        rests && !unseen && lock(&self.guarded).idle
    }
}
/// What a driver does next.
pub(crate) enum Next<P: Provider> {
    Work(Work<P::Exchange>),
    Output(Output),
    /// Nothing any more: the session is closed, and all is told.
    Leave,
}
