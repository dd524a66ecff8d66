//! A limit on what might wait for ever.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Long enough for anything that does not hang, on a machine that has other things to do.
pub const LONG: Duration = Duration::from_secs(120);

/// Does something in a thread of its own; `None` if it is not done in time, or panicked.
pub fn within<T: Send + 'static>(limit: Duration, command: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || done.send(command()));
    wait.recv_timeout(limit).ok()
}
