//! A TCP peer that misbehaves by script. Include this file with `#[path]`.
//!
//! Everything happens on 127.0.0.1 and is bounded in bytes and in time.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use perennial_core::Request;
use perennial_core::wire::Body;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};

/// The body cap of every request here.
pub(crate) const CAP: usize = 64 * 1024;

/// No script lasts longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a peer does with a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Script {
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
    HalfAHandshake,
    /// Reads the request, then does this.
    Answer(Act),
    /// The same over TLS, with a certificate of this kind.
    Tls(Certificate, Act),
}

/// What a peer does once it has read a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Writes this and closes.
    Say(&'static [u8]),
    /// Writes this and resets the connection.
    SayAndReset(&'static [u8]),
    /// Writes this and closes its half only.
    SayAndShut(&'static [u8]),
    /// Writes this and stalls.
    SayAndStall(&'static [u8]),
    /// Writes this and ends TLS as it should be ended, with a farewell; plain connections are just closed.
    SayAndBidFarewell(&'static [u8]),
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
    /// Redirects to the address that the test gave.
    Redirect,
}

/// Whose certificate a TLS peer shows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Certificate {
    /// One that the client trusts, for this host.
    Good,
    /// One that the client trusts, for another host.
    OtherName,
    /// One that nobody trusts.
    Untrusted,
    /// One that signs itself.
    SelfSigned,
    /// One that the client would have trusted until the year 2000.
    Expired,
}

/// A request with secrets in all the places where secrets are.
pub(crate) fn request(address: &str, timeout: Duration) -> Request {
    let http = http::Request::post(format!("{address}/token?code=canary"))
        .header("Authorization", "Bearer canary")
        .body(Body::from(b"password=canary".to_vec()))
        .unwrap();
    let mut request = Request::new(http);
    request.timeout = timeout;
    request.body_cap = CAP;
    request
}

/// One listener, and the thread that plays its script to every connection.
pub(crate) struct Peer {
    address: SocketAddr,
    scheme: &'static str,
    over: Arc<AtomicBool>,
    arrived: Arc<AtomicUsize>,
    thread: Option<JoinHandle<Seen>>,
    // A queue stays full while those who wait in it live, and a port stays nobody else's.
    _sockets: Vec<socket2::Socket>,
}

/// What a peer saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    pub(crate) requests: usize,
    /// The heads of the requests.
    pub(crate) heads: Vec<String>,
    pub(crate) written: usize,
    /// Whether the client hung up while the script still waited for it.
    pub(crate) hung_up: bool,
    /// The number of requests, for who cannot wait for the end.
    arrived: Arc<AtomicUsize>,
}

impl Peer {
    /// Starts a peer; `elsewhere` is where it redirects to.
    pub(crate) fn start(authority: &Authority, script: Script, elsewhere: Option<String>) -> Self {
        let scheme = match script {
            Script::CloseInHandshake
            | Script::ResetInHandshake
            | Script::NoHandshake(_)
            | Script::HalfAHandshake
            | Script::Stall
            | Script::Tls(..) => "https",
            _ => "http",
        };
        let over = Arc::new(AtomicBool::new(false));
        let arrived = Arc::new(AtomicUsize::new(0));
        let (listener, address, sockets) = listen(script);
        let thread = listener.map(|listener| {
            let over = Arc::clone(&over);
            let mut seen = Seen { arrived: Arc::clone(&arrived), ..Seen::default() };
            let tls = match script {
                // "Speaks no TLS" answers a TLS handshake in plain text.
                Script::Tls(_, Act::Redirect) | Script::Refuse | Script::NeverAccept => None,
                Script::Tls(certificate, _) => Some(authority.server(certificate)),
                Script::HalfAHandshake => Some(authority.server(Certificate::Good)),
                _ => None,
            };
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    seen.connections += 1;
                    // Every error is the client hanging up.
                    let _ =
                        stream.and_then(|stream| play(script, &stream, tls.clone(), elsewhere.as_deref(), &mut seen));
                }
                seen
            })
        });
        Self { address, scheme, over, arrived, thread, _sockets: sockets }
    }

    /// Whether a request has arrived, its head at least.
    #[allow(dead_code, reason = "asked where a request is given up")]
    pub(crate) fn has_a_request(&self) -> bool {
        self.arrived.load(Ordering::SeqCst) > 0
    }

    /// The peer's address as a URL.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// A request to this peer.
    pub(crate) fn request(&self, timeout: Duration) -> Request {
        request(&self.url(), timeout)
    }

    /// Ends the script, once all who connected were served, and tells what was seen.
    pub(crate) fn finish(mut self) -> Seen {
        let Some(thread) = self.thread.take() else {
            return Seen::default();
        };
        self.over.store(true, Ordering::SeqCst);
        // Connections are served in order, so this one ends the loop after all others.
        drop(TcpStream::connect(self.address));
        thread.join().expect("the evil peer works")
    }
}

fn listen(script: Script) -> (Option<TcpListener>, SocketAddr, Vec<socket2::Socket>) {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    match script {
        Script::Refuse => {
            // Bound, so that nobody else gets the port, and not listened on.
            let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            bound.bind(&any.into()).unwrap();
            let address = bound.local_addr().unwrap();
            (None, address.as_socket().unwrap(), vec![bound])
        }
        Script::NeverAccept => {
            let stream = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            let listener = stream();
            listener.bind(&any.into()).unwrap();
            listener.listen(0).unwrap();
            let address = listener.local_addr().unwrap();
            let mut queue = vec![listener];
            for _ in 0..4 {
                let waiting = stream();
                waiting.set_nonblocking(true).unwrap();
                // In progress, or connected and never accepted.
                let _ = waiting.connect(&address);
                queue.push(waiting);
            }
            (None, address.as_socket().unwrap(), queue)
        }
        _ => {
            let listener = TcpListener::bind(any).unwrap();
            let address = listener.local_addr().unwrap();
            (Some(listener), address, Vec::new())
        }
    }
}

fn play(
    script: Script,
    stream: &TcpStream,
    tls: Option<Arc<ServerConfig>>,
    elsewhere: Option<&str>,
    seen: &mut Seen,
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    match (script, tls) {
        (Script::Stall, _) => seen.hung_up = wait_for_the_end(stream),
        (Script::CloseInHandshake, _) => {
            (&*stream).read_exact(&mut [0; 16])?;
            // What arrived is read, so that closing is no reset.
            stream.set_read_timeout(Some(Duration::from_millis(20)))?;
            let _ = io::copy(&mut &*stream, &mut io::sink());
        }
        (Script::ResetInHandshake, _) => {
            (&*stream).read_exact(&mut [0; 16])?;
            socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
        }
        (Script::NoHandshake(bytes), _) => {
            (&*stream).read_exact(&mut [0; 16])?;
            (&*stream).write_all(bytes)?;
            stream.shutdown(Shutdown::Write)?;
            seen.hung_up = wait_for_the_end(stream);
        }
        (Script::HalfAHandshake, Some(config)) => {
            let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
            while !connection.wants_write() {
                connection.read_tls(&mut &*stream)?;
                connection.process_new_packets().map_err(io::Error::other)?;
            }
            let mut part = Vec::new();
            while connection.wants_write() {
                connection.write_tls(&mut part)?;
            }
            (&*stream).write_all(&part[..part.len() / 2])?;
            seen.hung_up = wait_for_the_end(stream);
        }
        (Script::Tls(..), None) => {
            (&*stream).read_exact(&mut [0; 16])?;
            (&*stream).write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        }
        (Script::Answer(command), _) => act_on(&mut &*stream, stream, command, elsewhere, seen)?,
        (Script::Tls(_, command), Some(config)) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            let mut secured = rustls::StreamOwned::new(connection, stream.try_clone()?);
            act_on(&mut secured, stream, command, elsewhere, seen)?;
            if let Act::SayAndBidFarewell(_) = command {
                secured.conn.send_close_notify();
                secured.flush()?;
            }
        }
        (Script::Refuse | Script::NeverAccept | Script::HalfAHandshake, _) => {}
    }
    Ok(())
}

fn act_on(
    peer: &mut (impl Read + Write),
    socket: &TcpStream,
    command: Act,
    elsewhere: Option<&str>,
    seen: &mut Seen,
) -> io::Result<()> {
    match command {
        Act::SayFirst(bytes) => {
            peer.write_all(bytes)?;
            peer.flush()?;
        }
        Act::SayFirstAndHangUp(bytes) => {
            peer.write_all(bytes)?;
            return peer.flush();
        }
        Act::ShutFirst => socket.shutdown(Shutdown::Write)?,
        _ => {}
    }
    let left = read_head(peer, seen)?;
    if let Act::SayAfterTheHead(bytes) = command {
        peer.write_all(bytes)?;
        peer.flush()?;
    }
    io::copy(&mut peer.take(left), &mut io::sink())?;
    match command {
        Act::Say(bytes) | Act::SayAndBidFarewell(bytes) => peer.write_all(bytes)?,
        Act::SayFirst(_) | Act::SayFirstAndHangUp(_) | Act::ShutFirst | Act::SayAfterTheHead(_) => {}
        Act::SayAndReset(bytes) => {
            peer.write_all(bytes)?;
            if !bytes.is_empty() {
                // A reset overtakes what was not yet read: give the client the time to read it.
                socket.set_read_timeout(Some(Duration::from_millis(50)))?;
                let _ = peer.read(&mut [0]);
            }
            socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO))?;
        }
        Act::SayAndShut(bytes) => {
            peer.write_all(bytes)?;
            socket.shutdown(Shutdown::Write)?;
            seen.hung_up = wait_for_the_end(socket);
        }
        Act::SayAndStall(bytes) => {
            peer.write_all(bytes)?;
            seen.hung_up = wait_for_the_end(socket);
        }
        Act::Flood(first, then) => {
            peer.write_all(first)?;
            let begun = Instant::now();
            let block = then.repeat(16 * 1024 / then.len());
            while begun.elapsed() < PATIENCE && seen.written < 256 * 1024 * 1024 {
                peer.write_all(&block)?;
                seen.written += block.len();
            }
        }
        Act::Drip(first, then) => {
            peer.write_all(first)?;
            let begun = Instant::now();
            // Reading, with nothing to read, is the pause between two bytes.
            socket.set_read_timeout(Some(Duration::from_millis(10)))?;
            for byte in then.iter().cycle() {
                let is_gone = matches!((&*socket).read(&mut [0]), Ok(0));
                if is_gone || begun.elapsed() > PATIENCE {
                    break;
                }
                peer.write_all(&[*byte])?;
                seen.written += 1;
            }
        }
        Act::Redirect => {
            let to = elsewhere.unwrap_or_default();
            write!(peer, "HTTP/1.1 307 Temporary Redirect\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")?;
        }
    }
    peer.flush()
}

/// Reads the head of a request, and tells how long its body is.
fn read_head(peer: &mut impl Read, seen: &mut Seen) -> io::Result<u64> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 64 * 1024 {
        peer.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    seen.requests += 1;
    seen.arrived.fetch_add(1, Ordering::SeqCst);
    seen.heads.push(head);
    Ok(length.unwrap_or(0))
}

/// Whether the client hung up, as far as we had the patience to see.
fn wait_for_the_end(mut socket: &TcpStream) -> bool {
    io::copy(&mut socket, &mut io::sink()).is_ok()
}

/// Who signs the peers' certificates.
pub(crate) struct Authority {
    trusted: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
    unknown: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Authority {
    /// A new one.
    pub(crate) fn new() -> Self {
        let issuer = || {
            let mut params = rcgen::CertificateParams::default();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap()
        };
        Self { trusted: issuer(), unknown: issuer() }
    }

    /// The certificate that clients are to trust, in DER.
    pub(crate) fn root(&self) -> Vec<u8> {
        self.trusted.der().to_vec()
    }

    fn server(&self, certificate: Certificate) -> Arc<ServerConfig> {
        let (issuer, name) = match certificate {
            Certificate::Good => (&self.trusted, "127.0.0.1"),
            Certificate::OtherName => (&self.trusted, "other.example"),
            Certificate::Untrusted => (&self.unknown, "127.0.0.1"),
            Certificate::SelfSigned | Certificate::Expired => (&self.trusted, "127.0.0.1"),
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        if let Certificate::Expired = certificate {
            (params.not_before, params.not_after) =
                (rcgen::date_time_ymd(1999, 1, 1), rcgen::date_time_ymd(2000, 1, 1));
        }
        let leaf = match certificate {
            Certificate::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, issuer),
        };
        let leaf = leaf.unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}
