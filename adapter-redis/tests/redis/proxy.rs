//! A TCP proxy to the server that cuts connections, so that requests or replies are lost.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use crate::server::RedisServer;

/// Forwards everything, but cuts the connection of a request that contains a certain text.
pub(crate) struct Proxy {
    port: u16,
    cuts: Arc<AtomicI64>,
}

impl Proxy {
    /// Loses the replies to the next `times` requests that contain `text`.
    pub(crate) fn losing_replies(server: &RedisServer, text: &'static str, times: i64) -> Self {
        Self::cutting(server, text, times, Cut::Reply)
    }

    /// Loses the requests themselves: the server does not get them.
    pub(crate) fn losing_requests(server: &RedisServer, text: &'static str, times: i64) -> Self {
        Self::cutting(server, text, times, Cut::Request)
    }

    fn cutting(server: &RedisServer, text: &'static str, times: i64, what: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let cuts = Arc::new(AtomicI64::new(times));
        let (left, upstream) = (Arc::clone(&cuts), server.port());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) else { continue };
                let left = Arc::clone(&left);
                thread::spawn(move || forward(&client, &server, text, &left, what));
            }
        });
        Self { port, cuts }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// How many requests or replies it has still to lose.
    pub(crate) fn left(&self) -> i64 {
        self.cuts.load(Ordering::SeqCst).max(0)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Cut {
    Request,
    Reply,
}

fn forward(client: &TcpStream, server: &TcpStream, text: &str, left: &AtomicI64, what: Cut) {
    let cut = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            copy(client, server, |piece| {
                // A request arrives as one piece here, because it is small and written at once.
                let hit = piece.windows(text.len()).any(|part| part == text.as_bytes());
                let cuts = hit && left.fetch_sub(1, Ordering::SeqCst) > 0;
                cut.store(cuts, Ordering::SeqCst);
                !(cuts && what == Cut::Request)
            });
        });
        copy(server, client, |_| !cut.load(Ordering::SeqCst));
    });
}

/// Copies until either side ends the connection, or `passes` refuses a piece.
fn copy(mut from: &TcpStream, mut to: &TcpStream, mut passes: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 64 << 10];
    while let Ok(size @ 1..) = from.read(&mut buffer) {
        if !passes(&buffer[..size]) || to.write_all(&buffer[..size]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
