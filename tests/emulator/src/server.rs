//! A listener on loopback, a thread for each connection, and an orderly end of all of them.

use crate::wire::Wire;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What to do with a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Read the next request.
    Next,
    /// End it in good order.
    Finish,
    /// Close it without a goodbye.
    Drop,
    /// Reset it.
    Reset,
}

/// Serves one connection until it says what is to become of it.
pub(crate) trait Handler: Send + Sync + 'static {
    fn serve(&self, wire: &mut Wire, stop: &Stop) -> After;
}

/// Tells every waiting thread that the emulator stops.
#[derive(Default)]
pub(crate) struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Waits that long; true, and at once, if the emulator stops.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let deadline = Instant::now().checked_add(time);
        let mut stopped = self.lock();
        while !*stopped {
            let left = deadline.map_or(time, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            (stopped, _) = self.changed.wait_timeout(stopped, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    fn is_stopped(&self) -> bool {
        *self.lock()
    }

    fn stop(&self) {
        *self.lock() = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One listener. Dropping it ends it, its connections and their threads.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    stop: Stop,
    handler: Arc<dyn Handler>,
    tls: Option<Arc<ServerConfig>>,
    /// A second handle of each open socket, to shut it down when the emulator stops.
    open: Mutex<HashMap<usize, TcpStream>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Counts connections over all listeners.
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Listens on 127.0.0.1. Port 0 takes a free one.
    pub(crate) fn start(
        port: u16,
        tls: Option<Arc<ServerConfig>>,
        handler: Arc<dyn Handler>,
        connections: Arc<AtomicUsize>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            stop: Stop::default(),
            handler,
            tls,
            open: Mutex::default(),
            threads: Mutex::default(),
            connections,
        });
        let acceptor = thread::Builder::new().name("emulator-accept".to_owned()).spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        })?;
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.stop();
        // The acceptor sits in accept(): a connection wakes it.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        // From here on no connection is added.
        for socket in lock(&self.shared.open).values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        for thread in std::mem::take(&mut *lock(&self.shared.threads)) {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for socket in listener.incoming() {
        if shared.stop.is_stopped() {
            return;
        }
        let Ok(socket) = socket else {
            // Out of file descriptors, most likely: let some connections end.
            if shared.stop.wait(Duration::from_millis(20)) {
                return;
            }
            continue;
        };
        let number = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let Ok(second) = socket.try_clone() else { continue };
        lock(&shared.open).insert(number, second);
        let spawned = thread::Builder::new().name(format!("emulator-{number}")).spawn({
            let shared = shared.clone();
            move || serve(socket, number, &shared)
        });
        let mut threads = lock(&shared.threads);
        threads.retain(|thread| !thread.is_finished());
        threads.extend(spawned);
    }
}

fn serve(socket: TcpStream, number: usize, shared: &Shared) {
    let Ok(mut wire) = Wire::open(socket, shared.tls.as_ref(), number) else {
        lock(&shared.open).remove(&number);
        return;
    };
    let after = loop {
        match shared.handler.serve(&mut wire, &shared.stop) {
            After::Next => {}
            after => break after,
        }
    };
    match after {
        After::Next | After::Drop => {}
        After::Finish => wire.finish(),
        After::Reset => wire.reset_on_close(),
    }
    // The second handle goes first: the socket closes with the last one.
    lock(&shared.open).remove(&number);
    drop(wire);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
