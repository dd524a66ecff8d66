//! What can happen at a moment.

use super::request::Answering;

/// Something that happens at a moment.
pub(super) enum Event {
    /// A session is woken.
    Wake {
        process: usize,
        incarnation: u32,
        number: u64,
    },
    /// An operation on the store goes on.
    Op {
        process: usize,
        incarnation: u32,
        serial: u64,
        phase: Phase,
    },
    /// What a dead process had asked a server to write.
    LateWrite {
        process: usize,
        fence: u64,
        record: perennial_core::wire::Body,
    },
    /// A lock may have ended by itself.
    LockEnds {
        fence: u64,
    },
    /// A request reaches the service.
    Arrives {
        request: usize,
    },
    /// An answer reaches the process.
    Answers {
        process: usize,
        incarnation: u32,
        request: usize,
        answer: Box<Answering>,
    },
    /// The store tells that somebody has written.
    Changed {
        process: usize,
        incarnation: u32,
    },
    /// People and chance.
    Act {
        process: usize,
    },
    Restart {
        process: usize,
    },
    /// A process goes on.
    Thaw,
    StoreWeather,
    ServiceWeather,
    Forget,
    /// Is everybody well?
    Check,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It reaches the store.
    Ask,
    /// The store does it.
    Apply,
    /// The wait for the lock ends.
    GiveUp,
    /// The answer comes.
    Answer,
}
