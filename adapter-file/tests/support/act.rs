//! What a child process does: shared by the child and by who runs it.

/// What a child does. Each says on its output what it has done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Saves records with rising numbers until it is killed.
    Saves,
    /// Reads, then locks once and saves the next two records.
    MarksAndSaves,
    /// Locks and sets the record aside.
    SetsAside,
    /// Adds 1 to the number, 50 times.
    Counts,
    /// Locks, saves the next record for each line of its input, and gives back when that ends.
    Holds,
    /// Reads, then locks and saves the next record.
    Tries,
    /// Says where a session is kept by default.
    Places,
}

/// How often [`Act::Counts`] counts.
pub(crate) const COUNTS: u64 = 50;

impl Act {
    /// By its name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let saving = [Self::Saves, Self::MarksAndSaves, Self::SetsAside, Self::Counts];
        let others = [Self::Holds, Self::Tries, Self::Places];
        saving.into_iter().chain(others).find(|act| format!("{act:?}") == name)
    }
}
