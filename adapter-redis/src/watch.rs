//! Hearing of changes: a thread that listens on a connection of its own.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use perennial_core::store::{ChangeCallback, STORE_TIMEOUT, WatchGuard};

use crate::connection::{Connection, dial};
use crate::deadline::Deadline;
use crate::link::Shared;
use crate::random::Pauses;
use crate::refusal::{Failure, unexpected};
use crate::resp::{Command, Reply};

/// How often things happen.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// After so long without news Redis is asked whether it is there.
    pub(crate) quiet: Duration,
    /// How long connecting and such an answer may take.
    pub(crate) patience: Duration,
    pub(crate) first_pause: Duration,
    pub(crate) longest_pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            quiet: Duration::from_secs(15),
            patience: STORE_TIMEOUT,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
        }
    }
}

/// Begins to listen. `None` if there is no thread to be had.
pub(crate) fn begin(shared: Arc<Shared>, changed: ChangeCallback, pace: Pace) -> Option<WatchGuard> {
    let end = Arc::new(End::default());
    let listener = Listener { shared, changed, pace, end: Arc::clone(&end) };
    thread::Builder::new().name("perennial-redis-watch".into()).spawn(move || listener.run()).ok()?;
    Some(Box::new(Watching(end)))
}

/// Ends listening when it is dropped. It does not wait: the thread ends at once, or, if it is just connecting, when
/// its patience ends.
struct Watching(Arc<End>);

impl Drop for Watching {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.ended = true;
        if let Some(socket) = state.socket.take() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.0.told.notify_all();
    }
}

/// How the thread hears that it is to end, whatever it does.
#[derive(Default)]
struct End {
    state: Mutex<State>,
    told: Condvar,
}

#[derive(Default)]
struct State {
    ended: bool,
    /// Shut down from outside, it wakes whoever reads from it.
    socket: Option<TcpStream>,
}

impl End {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_come(&self) -> bool {
        self.state().ended
    }

    /// Waits; less if the end comes.
    fn pause(&self, pause: Duration) {
        let waited = self.told.wait_timeout_while(self.state(), pause, |state| !state.ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// From now on the end shuts this socket down.
    fn shuts_down(&self, socket: &TcpStream) -> io::Result<()> {
        let socket = socket.try_clone()?;
        let mut state = self.state();
        if state.ended {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        state.socket = Some(socket);
        Ok(())
    }
}

struct Listener {
    shared: Arc<Shared>,
    changed: ChangeCallback,
    pace: Pace,
    end: Arc<End>,
}

impl Listener {
    fn run(&self) {
        let mut pauses = Pauses::new(self.pace.first_pause, self.pace.longest_pause);
        while !self.end.has_come() {
            let begun = Instant::now();
            // Why it ended does not matter: operations tell their session the same, and with more to do about it.
            let _ = self.listen();
            self.end.state().socket = None;
            if begun.elapsed() > self.pace.longest_pause {
                pauses.reset();
            }
            self.end.pause(pauses.next());
        }
    }

    /// Listens until the connection ends.
    fn listen(&self) -> Result<(), Failure> {
        let settings = &self.shared.settings;
        let deadline = Deadline::after(self.pace.patience);
        let socket = dial(settings, deadline).map_err(Failure::NotSent)?;
        self.end.shuts_down(&socket).map_err(Failure::NotSent)?;
        let mut connection = Connection::greet(socket, settings, deadline)?;
        let subscribe = Command::new("SUBSCRIBE", &[settings.keys.channel.as_bytes()]);
        connection.ask(&subscribe, deadline)?;
        // What was told before was missed.
        self.tell();
        let mut asked = false;
        while !self.end.has_come() {
            let wait = if asked { self.pace.patience } else { self.pace.quiet };
            if connection.has_news(Deadline::after(wait)).map_err(Failure::Cut)? {
                asked = false;
                match connection.reply(Deadline::after(self.pace.patience))? {
                    Reply::List(parts) if is(&parts, b"message") => self.tell(),
                    Reply::List(parts) if is(&parts, b"pong") => {}
                    _ => return Err(unexpected()),
                }
            } else if asked {
                return Err(Failure::Cut(crate::deadline::late()));
            } else {
                connection.tell(&Command::new("PING", &[]), Deadline::after(self.pace.patience))?;
                asked = true;
            }
        }
        Ok(())
    }

    fn tell(&self) {
        if !self.end.has_come() {
            (self.changed)();
        }
    }
}

fn is(parts: &[Reply], kind: &[u8]) -> bool {
    matches!(parts.first(), Some(Reply::Text(text)) if text.as_slice() == kind)
}

#[cfg(test)]
mod tests;
