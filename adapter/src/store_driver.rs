//! The store's side of a driver: one operation after another, each where it may block.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Runtime;
use super::sync::Mutex;
use super::wait::lock;
use futures_channel::oneshot;
use perennial_core::session::Input;
use perennial_core::store::{
    OpId, Store, StoreCommand, StoreDriver, StoreError, StoreErrorKind, StoreReply, StoreRequest,
};

/// Carries out the operations of one session, in order. Dropped with its driver, which gives the lock back.
pub(crate) struct StoreQueue {
    keeper: Arc<Mutex<StoreDriver>>,
    queue: VecDeque<StoreRequest>,
    running: Option<Running>,
}

/// What an operation leaves in the store, should the program end in the middle of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaves {
    Nothing,
    /// A lock, or half of a record: what the store keeps beside it.
    Something,
}

impl Leaves {
    fn of(command: &StoreCommand) -> Self {
        match command {
            StoreCommand::Read => Self::Nothing,
            StoreCommand::Lock { .. }
            | StoreCommand::Write { .. }
            | StoreCommand::Clear { .. }
            | StoreCommand::Quarantine { .. }
            | StoreCommand::Retire { .. }
            | StoreCommand::Unlock { .. } => Self::Something,
        }
    }
}

struct Running {
    id: OpId,
    leaves: Leaves,
    reply: oneshot::Receiver<Result<StoreReply, StoreError>>,
}

impl StoreQueue {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { keeper: Arc::new(Mutex::new(StoreDriver::shared(store))), queue: VecDeque::new(), running: None }
    }

    pub(crate) fn push(&mut self, op: StoreRequest) {
        self.queue.push_back(op);
    }

    /// Whether nothing is asked or to be asked.
    #[cfg(feature = "test-util")]
    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_none() && self.queue.is_empty()
    }

    /// Whether nothing is under way that leaves something behind if the program ends in the middle of it. What only
    /// waits for its turn is given up without harm.
    pub(crate) fn is_still(&self) -> bool {
        self.running.as_ref().is_none_or(|running| running.leaves == Leaves::Nothing)
    }

    /// The next answer.
    pub(crate) fn poll(&mut self, host: &dyn Runtime, cx: &mut Context<'_>) -> Poll<Input> {
        if self.running.is_none()
            && let Some(op) = self.queue.pop_front()
        {
            self.running = Some(self.start(op, host));
        }
        let Some(running) = &mut self.running else { return Poll::Pending };
        let Poll::Ready(reply) = Pin::new(&mut running.reply).poll(cx) else { return Poll::Pending };
        let id = running.id;
        self.running = None;
        let panicked = || StoreError::new(StoreErrorKind::Unavailable).with_source("the store panicked");
        Poll::Ready(Input::Store(id, reply.unwrap_or_else(|oneshot::Canceled| Err(panicked()))))
    }

    fn start(&self, op: StoreRequest, host: &dyn Runtime) -> Running {
        let (id, leaves) = (op.id, Leaves::of(&op.command));
        let (sender, reply) = oneshot::channel();
        let keeper = Arc::clone(&self.keeper);
        // A store that panics has failed this operation and no other. Where no thread is to be had, the sender is
        // dropped with the closure.
        host.spawn_blocking(Box::new(move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| lock(&keeper).execute(op)));
            // The lock is given back before anybody hears of it, if the driver has gone meanwhile.
            drop(keeper);
            if let Ok(outcome) = outcome {
                // The receiver is gone where the driver is.
                let _ = sender.send(outcome);
            }
        }));
        Running { id, leaves, reply }
    }
}
