//! A server on 127.0.0.1 that does what a script says, one connection after another. Everything in it is bounded, in
//! bytes and in time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[cfg(feature = "tls")]
use super::tls::{Authority, Certificate, Config};

/// What a peer does with a connection.
#[derive(Clone, Debug)]
pub(super) enum Script {
    /// Nobody listens.
    Refuse,
    /// Listens with a full queue, so that connecting hangs.
    NeverAccept,
    /// Accepts, and says nothing until the client is gone.
    Stall,
    /// Accepts, and closes in the middle of a TLS handshake.
    CloseInHandshake,
    /// Accepts, and resets there.
    ResetInHandshake,
    /// Answers the first bytes of a TLS handshake with these, and closes.
    NoHandshake(&'static [u8]),
    /// Sends half of its part of the TLS handshake, and says nothing more until the client is gone.
    #[cfg(feature = "tls")]
    HalfAHandshake,
    /// Reads the request and does this.
    Plain(Act),
    /// The same over TLS, with a certificate of this kind.
    #[cfg(feature = "tls")]
    Tls(Certificate, Act),
}

/// What a peer does with a request.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Writes this and closes.
    Say(Vec<u8>),
    /// Writes this and resets the connection.
    SayAndReset(&'static [u8]),
    /// Writes this and closes its half only.
    SayAndShut(&'static [u8]),
    /// Writes this and stalls.
    SayAndStall(&'static [u8]),
    /// Writes this and ends TLS with `close_notify`, as it should be ended.
    #[cfg(feature = "tls")]
    SayAndNotify(&'static [u8]),
    /// Writes this before it reads anything.
    SayFirst(&'static [u8]),
    /// Writes this before it reads anything, and hangs up without reading.
    SayFirstAndHangUp(&'static [u8]),
    /// Closes its half before it reads anything.
    ShutFirst,
    /// Reads no more than the head of the request before it writes this; then reads the rest.
    SayAfterTheHead(&'static [u8]),
    /// Writes the first, then the second again and again.
    Flood(&'static [u8], &'static [u8]),
    /// The same, one byte at a time.
    Drip(&'static [u8], &'static [u8]),
}

/// What a peer saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) connections: usize,
    /// The requests that arrived: head and body.
    pub(super) requests: Vec<(String, Vec<u8>)>,
    pub(super) written: usize,
    /// Whether the client hung up while the script still waited for it.
    pub(super) hung_up: bool,
}

/// One listener, and the thread that plays its script to every connection.
pub(super) struct Peer {
    address: SocketAddr,
    scheme: &'static str,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Seen>>,
    // `NeverAccept` and `Refuse`: a queue stays full while those who wait in it live, and a port stays nobody else's.
    _held: Vec<TcpStream>,
    _queue: Option<TcpListener>,
}

/// What a thread plays.
struct Play {
    script: Script,
    /// No script lasts longer than this.
    patience: Duration,
    #[cfg(feature = "tls")]
    tls: Option<Arc<Config>>,
}

impl Peer {
    /// Starts a peer. `None` where this machine cannot: a queue cannot be filled everywhere.
    pub(super) fn start(
        script: &Script,
        patience: Duration,
        #[cfg(feature = "tls")] authority: &Authority,
    ) -> Option<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on 127.0.0.1 is free");
        let address = listener.local_addr().expect("a listener has an address");
        let over = Arc::new(AtomicBool::new(false));
        let mut peer = Self { address, scheme: script.scheme(), over, thread: None, _held: Vec::new(), _queue: None };
        match script {
            Script::Refuse => {
                // A port from which somebody is connected elsewhere: nobody listens there, and nobody gets it.
                let held = TcpStream::connect(address).expect("the listener accepts");
                peer.address = held.local_addr().expect("a connection has an address");
                peer._held = vec![held, listener.accept().expect("somebody has connected").0];
            }
            Script::NeverAccept => {
                peer._held = fill(address)?;
                peer._queue = Some(listener);
            }
            _ => {
                let play = Play {
                    script: script.clone(),
                    patience,
                    #[cfg(feature = "tls")]
                    tls: script.certificate().map(|certificate| authority.server(certificate)),
                };
                let over = Arc::clone(&peer.over);
                peer.thread = Some(std::thread::spawn(move || play.serve(&listener, &over)));
            }
        }
        Some(peer)
    }

    /// The peer's address as a URL.
    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Ends the script, once all who connected were served, and tells what was seen.
    pub(super) fn finish(mut self) -> Seen {
        let Some(thread) = self.thread.take() else {
            return Seen::default();
        };
        self.over.store(true, Ordering::SeqCst);
        // Connections are served in order, so this one ends the loop after all others.
        drop(TcpStream::connect(self.address));
        thread.join().expect("the peer works")
    }
}

/// Connects until the queue is full and connecting hangs.
fn fill(address: SocketAddr) -> Option<Vec<TcpStream>> {
    let mut queue = Vec::new();
    while queue.len() < 400 {
        match TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            Ok(waiting) => queue.push(waiting),
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => return Some(queue),
            Err(_) => return None,
        }
    }
    None
}

impl Script {
    fn scheme(&self) -> &'static str {
        match self {
            Self::Refuse | Self::NeverAccept | Self::Plain(_) => "http",
            _ => "https",
        }
    }

    #[cfg(feature = "tls")]
    fn certificate(&self) -> Option<Certificate> {
        match self {
            Self::Tls(certificate, _) => Some(*certificate),
            Self::HalfAHandshake => Some(Certificate::Good),
            _ => None,
        }
    }
}

impl Play {
    fn serve(self, listener: &TcpListener, over: &AtomicBool) -> Seen {
        let mut seen = Seen::default();
        for stream in listener.incoming() {
            if over.load(Ordering::SeqCst) {
                break;
            }
            seen.connections += 1;
            // Every error is the client hanging up.
            let _ = stream.and_then(|stream| self.play(&stream, &mut seen));
        }
        seen
    }

    fn play(&self, stream: &TcpStream, seen: &mut Seen) -> io::Result<()> {
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_write_timeout(Some(self.patience))?;
        stream.set_nodelay(true)?;
        match &self.script {
            Script::Stall => seen.hung_up = wait_for_the_end(stream),
            Script::CloseInHandshake => {
                (&*stream).read_exact(&mut [0; 16])?;
                // What arrived is read, so that closing is no reset.
                stream.set_read_timeout(Some(Duration::from_millis(20)))?;
                let _ = io::copy(&mut &*stream, &mut io::sink());
            }
            // Closing is a reset where something is unread.
            Script::ResetInHandshake => {
                (&*stream).read_exact(&mut [0; 16])?;
                stream.peek(&mut [0])?;
            }
            Script::NoHandshake(bytes) => {
                (&*stream).read_exact(&mut [0; 16])?;
                (&*stream).write_all(bytes)?;
                stream.shutdown(Shutdown::Write)?;
                seen.hung_up = wait_for_the_end(stream);
            }
            Script::Plain(act) => {
                // Closing is a reset where something is unread: the last byte of the request.
                let reset = |socket: &TcpStream| socket.peek(&mut [0]).map(drop);
                act.perform(&mut &*stream, stream, reset, self.patience, seen)?;
            }
            #[cfg(feature = "tls")]
            Script::HalfAHandshake | Script::Tls(..) => self.play_over_tls(stream, seen)?,
            Script::Refuse | Script::NeverAccept => {}
        }
        Ok(())
    }

    #[cfg(feature = "tls")]
    fn play_over_tls(&self, stream: &TcpStream, seen: &mut Seen) -> io::Result<()> {
        let Some(config) = &self.tls else { return Ok(()) };
        let Script::Tls(_, act) = &self.script else {
            (&*stream).write_all(&super::tls::half_a_handshake(config, stream)?)?;
            seen.hung_up = wait_for_the_end(stream);
            return Ok(());
        };
        let mut secured = super::tls::accept(config, stream.try_clone()?)?;
        act.perform(&mut secured, stream, super::tls::reset, self.patience, seen)?;
        if let Act::SayAndNotify(_) = act {
            secured.conn.send_close_notify();
            secured.flush()?;
        }
        Ok(())
    }
}

impl Act {
    fn perform(
        &self,
        peer: &mut (impl Read + Write),
        socket: &TcpStream,
        reset: impl Fn(&TcpStream) -> io::Result<()>,
        patience: Duration,
        seen: &mut Seen,
    ) -> io::Result<()> {
        match self {
            Self::SayFirst(bytes) => {
                peer.write_all(bytes)?;
                peer.flush()?;
            }
            Self::SayFirstAndHangUp(bytes) => {
                peer.write_all(bytes)?;
                return peer.flush();
            }
            Self::ShutFirst => socket.shutdown(Shutdown::Write)?,
            _ => {}
        }
        let length = read_head(peer, seen)?;
        if let Self::SayAfterTheHead(bytes) = self {
            peer.write_all(bytes)?;
            peer.flush()?;
        }
        let resets = matches!(self, Self::SayAndReset(_));
        let mut body = Vec::new();
        peer.take(length.saturating_sub(u64::from(resets))).read_to_end(&mut body)?;
        if let Some((_, known)) = seen.requests.last_mut() {
            *known = body;
        }
        match self {
            Self::Say(bytes) => peer.write_all(bytes)?,
            #[cfg(feature = "tls")]
            Self::SayAndNotify(bytes) => peer.write_all(bytes)?,
            Self::SayFirst(_) | Self::SayFirstAndHangUp(_) | Self::ShutFirst | Self::SayAfterTheHead(_) => {}
            Self::SayAndReset(bytes) => {
                peer.write_all(bytes)?;
                peer.flush()?;
                reset(socket)?;
            }
            Self::SayAndShut(bytes) => {
                peer.write_all(bytes)?;
                socket.shutdown(Shutdown::Write)?;
                seen.hung_up = wait_for_the_end(socket);
            }
            Self::SayAndStall(bytes) => {
                peer.write_all(bytes)?;
                peer.flush()?;
                seen.hung_up = wait_for_the_end(socket);
            }
            Self::Flood(first, then) => {
                peer.write_all(first)?;
                let begun = Instant::now();
                let block = then.repeat(16 * 1024 / then.len());
                while begun.elapsed() < patience && seen.written < 256 * 1024 * 1024 {
                    peer.write_all(&block)?;
                    seen.written += block.len();
                }
            }
            Self::Drip(first, then) => {
                peer.write_all(first)?;
                let begun = Instant::now();
                // Reading, with nothing to read, is the pause between two bytes.
                socket.set_read_timeout(Some(Duration::from_millis(10)))?;
                for byte in then.iter().cycle() {
                    let is_gone = matches!((&*socket).read(&mut [0]), Ok(0));
                    if is_gone || begun.elapsed() > patience {
                        break;
                    }
                    peer.write_all(&[*byte])?;
                    seen.written += 1;
                }
            }
        }
        peer.flush()
    }
}

/// Reads the head of a request, and tells how long its body is.
fn read_head(peer: &mut impl Read, seen: &mut Seen) -> io::Result<u64> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 64 * 1024 {
        peer.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head: String = head.into_iter().map(char::from).collect();
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    seen.requests.push((head, Vec::new()));
    Ok(length.unwrap_or(0))
}

/// Whether the client hung up, as far as there was patience to see.
fn wait_for_the_end(mut socket: &TcpStream) -> bool {
    io::copy(&mut socket, &mut io::sink()).is_ok()
}
