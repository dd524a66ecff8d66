//! One session of this process, and what callers do with it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use perennial_core::{Credentials, Error, Event};
use perennial_tests::tenant::News;

use crate::looked_over::Nudge;
use crate::say::tell;

/// A session, whatever it runs on. Its calls block.
pub(crate) trait Keeping: Send + Sync + 'static {
    fn credentials(&self) -> Result<Arc<Credentials>, Error>;
    fn renew(&self) -> Result<Arc<Credentials>, Error>;
}

pub(crate) struct Cell {
    number: usize,
    session: Box<dyn Keeping>,
    nudge: Nudge,
    renews: AtomicBool,
}

impl Cell {
    pub(crate) fn new(number: usize, session: Box<dyn Keeping>, nudge: Nudge) -> Self {
        Self { number, session, nudge, renews: AtomicBool::new(false) }
    }

    /// Renews again and again, as fast as the session lets it, until that is stopped.
    pub(crate) fn begin_renewing(cell: &Arc<Self>) -> io::Result<JoinHandle<()>> {
        cell.renews.store(true, Ordering::Relaxed);
        let cell = Arc::clone(cell);
        thread::Builder::new().spawn(move || {
            while cell.renews.load(Ordering::Relaxed) {
                if let Err(error) = cell.session.renew() {
                    cell.fail(&error);
                    // Whoever gets an error while it holds nothing valid waits, or asks at once: both are callers.
                    thread::yield_now();
                }
            }
        })
    }

    pub(crate) fn stop_renewing(&self) {
        self.renews.store(false, Ordering::Relaxed);
    }

    /// Lets the session look into its store.
    pub(crate) fn look(&self) {
        self.nudge.nudge();
    }

    /// Asks for credentials, as a caller of its own: whoever gives the orders does not wait with it.
    pub(crate) fn show(cell: &Arc<Self>) -> io::Result<()> {
        let cell = Arc::clone(cell);
        let ask = move || match cell.session.credentials() {
            Ok(held) => tell(cell.number, News::Holds(held.access().expose().to_owned())),
            Err(error) => cell.fail(&error),
        };
        thread::Builder::new().spawn(ask).map(drop)
    }

    fn fail(&self, error: &Error) {
        tell(self.number, News::Failed(with_sources(error)));
    }
}

/// What a session does, told as it does it.
pub(crate) fn listener(cell: usize) -> impl Fn(&Event) + Send + Sync + 'static {
    move |event| {
        let news = match event {
            Event::RenewalStarted { method, .. } => News::Asks((*method).to_owned()),
            Event::Renewed { method: Some(_), generation, .. } => News::Issued(generation.get()),
            Event::Renewed { method: None, generation, .. } => News::TookUp(generation.get()),
            Event::Saved => return,
            trouble => News::Trouble(trouble.to_string()),
        };
        tell(cell, news);
    }
}

fn with_sources(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}
