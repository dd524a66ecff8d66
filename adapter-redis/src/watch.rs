//! Watching a session for changes: a thread subscribes to its channel on a connection of its own.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use perennial_core::store::{ChangeCallback, STORE_TIMEOUT, WatchGuard};

use crate::command_error::{CommandError, unexpected_reply};
use crate::connection::{Connection, connect};
use crate::deadline::{Deadline, timed_out};
use crate::random::Backoff;
use crate::resp::{Command, Reply};
use crate::shared::Shared;

/// How long a watch waits for what.
#[derive(Clone, Copy)]
pub(crate) struct WatchIntervals {
    /// After this time without a message Redis is pinged: 15 s.
    pub(crate) ping_after: Duration,
    /// How long connecting, and the reply to a ping, may take: 5 s.
    pub(crate) reply_timeout: Duration,
    /// The first pause before connecting again: 0.1 s.
    pub(crate) first_pause: Duration,
    /// The longest of those pauses, which double: 10 s. A connection that lasted longer begins again with the first.
    pub(crate) longest_pause: Duration,
}

impl Default for WatchIntervals {
    fn default() -> Self {
        Self {
            ping_after: Duration::from_secs(15),
            reply_timeout: STORE_TIMEOUT,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
        }
    }
}

/// Starts the thread. `None` if the system has no thread to give.
pub(crate) fn start(shared: Arc<Shared>, changed: ChangeCallback, intervals: WatchIntervals) -> Option<WatchGuard> {
    let stop = Arc::new(StopSignal::default());
    let subscriber = Subscriber { shared, changed, intervals, stop: Arc::clone(&stop) };
    thread::Builder::new().name("perennial-redis-watch".into()).spawn(move || subscriber.run()).ok()?;
    Some(Box::new(StopOnDrop(stop)))
}

/// Stops the thread when it is dropped, and does not wait for it. The thread ends at once; only while it connects it
/// ends when the attempt does, after `reply_timeout` at most.
struct StopOnDrop(Arc<StopSignal>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.stopped = true;
        if let Some(socket) = state.socket.take() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.0.wake.notify_all();
    }
}

/// Stops the thread, whether it pauses or reads from a socket.
#[derive(Default)]
struct StopSignal {
    state: Mutex<StopState>,
    /// Wakes the thread from a pause.
    wake: Condvar,
}

#[derive(Default)]
struct StopState {
    stopped: bool,
    /// The socket that the thread reads from. Shutting it down ends the read.
    socket: Option<TcpStream>,
}

impl StopSignal {
    fn state(&self) -> MutexGuard<'_, StopState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Waits for this time, or until the signal comes.
    fn pause(&self, pause: Duration) {
        let waited = self.wake.wait_timeout_while(self.state(), pause, |state| !state.stopped);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// From now on the signal shuts this socket down. An error if it has come already.
    fn shut_down_on_stop(&self, socket: &TcpStream) -> io::Result<()> {
        let socket = socket.try_clone()?;
        let mut state = self.state();
        if state.stopped {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        state.socket = Some(socket);
        Ok(())
    }
}

/// What runs in the thread.
struct Subscriber {
    shared: Arc<Shared>,
    changed: ChangeCallback,
    intervals: WatchIntervals,
    stop: Arc<StopSignal>,
}

impl Subscriber {
    fn run(&self) {
        let mut backoff = Backoff::new(self.intervals.first_pause, self.intervals.longest_pause);
        while !self.stop.is_stopped() {
            let started = Instant::now();
            // The error is dropped: the session's own reads and writes meet the same one, and report it.
            let _ = self.listen();
            self.stop.state().socket = None;
            if started.elapsed() > self.intervals.longest_pause {
                backoff.reset();
            }
            self.stop.pause(backoff.next());
        }
    }

    /// Connects, subscribes, and calls the callback for each message until the connection ends.
    fn listen(&self) -> Result<(), CommandError> {
        let settings = &self.shared.settings;
        let deadline = Deadline::after(self.intervals.reply_timeout);
        let socket = connect(settings, deadline).map_err(CommandError::NotSent)?;
        self.stop.shut_down_on_stop(&socket).map_err(CommandError::NotSent)?;
        let mut connection = Connection::handshake(socket, settings, deadline)?;
        let subscribe = Command::new("SUBSCRIBE", &[settings.keys.channel.as_bytes()]);
        connection.execute(&subscribe, deadline)?;
        // Messages from before the subscription were missed.
        self.notify();
        let mut ping_sent = false;
        while !self.stop.is_stopped() {
            let timeout = if ping_sent { self.intervals.reply_timeout } else { self.intervals.ping_after };
            if connection.poll_message(Deadline::after(timeout)).map_err(CommandError::ReplyLost)? {
                ping_sent = false;
                match connection.read_reply(Deadline::after(self.intervals.reply_timeout))? {
                    Reply::Array(parts) if is_kind(&parts, b"message") => self.notify(),
                    Reply::Array(parts) if is_kind(&parts, b"pong") => {}
                    _ => return Err(unexpected_reply()),
                }
            } else if ping_sent {
                return Err(CommandError::ReplyLost(timed_out()));
            } else {
                connection.send(&Command::new("PING", &[]), Deadline::after(self.intervals.reply_timeout))?;
                ping_sent = true;
            }
        }
        Ok(())
    }

    fn notify(&self) {
        if !self.stop.is_stopped() {
            (self.changed)();
        }
    }
}

/// Whether a message to a subscriber is of this kind, which its first part says.
fn is_kind(parts: &[Reply], kind: &[u8]) -> bool {
    matches!(parts.first(), Some(Reply::Bytes(text)) if text.as_slice() == kind)
}

#[cfg(test)]
mod tests;
