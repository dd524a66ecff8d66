//! What this process says on its standard output.

use std::io::{self, Write};

use perennial_tests::tenant::{News, Said};

/// One line, in one piece: whoever is killed has said it or not. Nobody who listens is gone for good: then this
/// process is soon, too.
pub(crate) fn say(said: &Said) {
    let _ = io::stdout().lock().write_all(format!("{said}\n").as_bytes());
}

/// The same, of one of its sessions.
pub(crate) fn tell(cell: usize, news: News) {
    say(&Said::Of(cell, news));
}
