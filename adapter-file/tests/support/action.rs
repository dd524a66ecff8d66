//! What a child process does. The child and the tests that start it share this file.

/// What a child does. It prints each step with its outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    /// Writes records with rising numbers until it is killed.
    SaveForever,
    /// Reads, then writes the next two records under one lock, as a session does.
    SaveTwice,
    /// Quarantines the record under the lock.
    Quarantine,
    /// Adds 1 to the number in the record, 50 times, each under a lock of its own.
    Increment,
    /// Locks, writes the next record for each line of its input, and releases the lock when the input ends.
    HoldLock,
    /// Reads, then writes the next record under the lock.
    SaveOnce,
    /// Prints the default path of a session.
    PrintDefaultPath,
}

/// How often [`Action::Increment`] adds 1.
pub(crate) const INCREMENTS: u64 = 50;

impl Action {
    /// The action of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let saving = [Self::SaveForever, Self::SaveTwice, Self::Quarantine, Self::Increment];
        let others = [Self::HoldLock, Self::SaveOnce, Self::PrintDefaultPath];
        saving.into_iter().chain(others).find(|action| format!("{action:?}") == name)
    }
}
