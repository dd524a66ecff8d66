//! Whether a session may begin anything.

/// Whether anything may still begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Running,
    /// Nothing may: the program is about to end.
    Ending,
}
