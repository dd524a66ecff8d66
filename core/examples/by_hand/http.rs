//! HTTP/1.1 over std sockets and rustls: all that `perennial_core::Request` asks of a transport.
//!
//! It knows nothing of sessions, and stands behind `TransportSecurity::guard`, which has looked at the address and has
//! told the length of the body. A name look-up is all that its deadlines cannot interrupt.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the part that does the I/O")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use perennial_core::wire::BodyBuffer;
use perennial_core::{Request, Response, TransportError, TransportErrorKind};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// The largest head of an answer, the longest line between chunks, and all trailers together, in bytes.
const HEAD_CAP: usize = 64 * 1024;
const LINE_CAP: usize = 16 * 1024;

/// How many interim answers (1xx) may come before the answer, and how many headers it may have.
const MOST_INTERIM: usize = 100;
const MOST_HEADERS: usize = 100;

pub(crate) struct Http {
    tls: Arc<ClientConfig>,
    connect_timeout: Duration,
}

/// Why there is no answer. None of them quotes the request or the answer.
enum Failure {
    Io(io::Error),
    Odd(&'static str),
    TooLarge,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Http {
    pub(crate) fn new(tls: Arc<ClientConfig>, connect_timeout: Duration) -> Self {
        Self { tls, connect_timeout }
    }

    /// Sends the request over a connection of its own, and reads the answer.
    pub(crate) fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let until = Instant::now() + request.timeout;
        let timed_out = || TransportError::new(TransportErrorKind::TimedOut);
        let mut connection = match self.connect(request.http.uri(), until) {
            Ok(connection) => connection,
            Err(_) if Instant::now() >= until => return Err(timed_out()),
            // Nothing has left, and that is worth knowing: whoever hears it may try again.
            Err(error) => return Err(TransportError::not_sent(error)),
        };
        exchange(&mut *connection, request).map_err(|failure| match failure {
            Failure::Io(_) if Instant::now() >= until => timed_out(),
            Failure::Io(error) => TransportError::maybe_sent(error),
            Failure::Odd(why) => TransportError::maybe_sent(why),
            Failure::TooLarge => TransportError::new(TransportErrorKind::TooLarge),
        })
    }

    fn connect(&self, uri: &Uri, until: Instant) -> io::Result<Box<dyn Connection>> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let soon = until.min(Instant::now() + self.connect_timeout);
        let mut stream = Timed { socket: reach(host, port, soon)?, until: soon };
        if !is_tls {
            stream.until = until;
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::clone(&self.tls), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        stream.until = until;
        Ok(Box::new(StreamOwned::new(tls, stream)))
    }
}

/// Tries the addresses of a name in turn. One that stays silent leaves the others their share of the time.
fn reach(host: &str, port: u16, until: Instant) -> io::Result<TcpStream> {
    let addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
    let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for (address, left) in addresses.iter().zip((1..=addresses.len() as u32).rev()) {
        match TcpStream::connect_timeout(address, time_left(until)? / left) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn time_left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

trait Connection: Read + Write {}

impl<C: Read + Write> Connection for C {}

/// A socket with one deadline for all that happens on it, however often something comes.
struct Timed {
    socket: TcpStream,
    until: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(time_left(self.until)?))?;
        self.socket.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(time_left(self.until)?))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// The request out, the answer in.
fn exchange(connection: &mut dyn Connection, request: &Request) -> Result<Response, Failure> {
    let sent = write(connection, request);
    if let Err(error) = &sent
        && !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
    {
        sent?;
    }
    // A peer that hung up may have answered before.
    let mut incoming = Incoming { connection, held: Vec::new() };
    let (status, headers) = head(&mut incoming)?;
    let mut body = BodyBuffer::new(request.body_cap);
    match framing(status, &headers)? {
        Framing::Nothing => {}
        Framing::Length(length) if length > request.body_cap as u64 => return Err(Failure::TooLarge),
        Framing::Length(length) => incoming.take(length, &mut body)?,
        Framing::Chunks => chunks(&mut incoming, &mut body)?,
        Framing::UntilTheEnd => incoming.take_all(&mut body)?,
    }
    let mut response = Response::new(body.finish());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn write(connection: &mut dyn Connection, request: &Request) -> io::Result<()> {
    let (uri, body) = (request.http.uri(), request.http.body().as_ref());
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    // Tokens are in the head: this buffer is wiped.
    let mut head = BodyBuffer::new(usize::MAX);
    write!(head, "{} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", request.http.method())?;
    for (name, value) in request.http.headers() {
        write!(head, "{name}: ")?;
        head.write_all(value.as_bytes())?;
        head.write_all(b"\r\n")?;
    }
    head.write_all(b"\r\n")?;
    connection.write_all(head.as_ref())?;
    connection.write_all(body)?;
    connection.flush()
}

/// Status and headers of the answer; what comes before it (1xx) is passed over.
fn head(incoming: &mut Incoming<'_>) -> Result<(StatusCode, HeaderMap), Failure> {
    for _ in 0..=MOST_INTERIM {
        let (status, headers) = loop {
            let mut fields = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut answer = httparse::Response::new(&mut fields);
            match answer.parse(&incoming.held) {
                Ok(httparse::Status::Complete(length)) => {
                    let read = parts(&answer);
                    incoming.held.drain(..length);
                    break read?;
                }
                Ok(httparse::Status::Partial) if incoming.held.len() <= HEAD_CAP => incoming.more()?,
                Ok(httparse::Status::Partial) => return Err(Failure::Odd("the head of the answer is too large")),
                Err(_) => return Err(Failure::Odd("the answer is not valid HTTP")),
            }
        };
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok((status, headers));
        }
    }
    Err(Failure::Odd("there are too many interim answers"))
}

fn parts(answer: &httparse::Response<'_, '_>) -> Result<(StatusCode, HeaderMap), Failure> {
    let odd = || Failure::Odd("the answer is not valid HTTP");
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(odd)?;
    let mut headers = HeaderMap::new();
    for field in answer.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| odd())?;
        headers.append(name, HeaderValue::from_bytes(field.value).map_err(|_| odd())?);
    }
    Ok((status, headers))
}

/// What tells where the body ends (RFC 9112 §6.3).
enum Framing {
    Nothing,
    Chunks,
    Length(u64),
    UntilTheEnd,
}

fn framing(status: StatusCode, headers: &HeaderMap) -> Result<Framing, Failure> {
    if status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(Framing::Nothing);
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let known = coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
        return if known { Ok(Framing::Chunks) } else { Err(Failure::Odd("the transfer coding is unknown")) };
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return Ok(Framing::UntilTheEnd) };
    let odd = || Failure::Odd("the length of the body is odd");
    if lengths.any(|other| other != first) || !first.as_bytes().iter().all(u8::is_ascii_digit) {
        return Err(odd());
    }
    first.to_str().ok().and_then(|digits| digits.parse().ok()).map(Framing::Length).ok_or_else(odd)
}

fn chunks(incoming: &mut Incoming<'_>, body: &mut BodyBuffer) -> Result<(), Failure> {
    loop {
        let line = incoming.line()?;
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
        let hex = (1..16).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
        let size = std::str::from_utf8(digits).ok().filter(|_| hex).and_then(|hex| u64::from_str_radix(hex, 16).ok());
        match size.ok_or(Failure::Odd("the size of a chunk is odd"))? {
            0 => return trailers(incoming),
            size => incoming.take(size, body)?,
        }
        if !incoming.line()?.is_empty() {
            return Err(Failure::Odd("a chunk has another size than it says"));
        }
    }
}

/// Nobody asked for them.
fn trailers(incoming: &mut Incoming<'_>) -> Result<(), Failure> {
    let mut left = HEAD_CAP;
    loop {
        let line = incoming.line()?;
        if line.is_empty() {
            return Ok(());
        }
        left = left.checked_sub(line.len()).ok_or(Failure::Odd("the trailers have no end"))?;
    }
}

/// What has come and was not yet looked at.
struct Incoming<'a> {
    connection: &'a mut dyn Connection,
    held: Vec<u8>,
}

impl Incoming<'_> {
    /// Waits for more. The end is an error: whoever asks for more expects some.
    fn more(&mut self) -> Result<(), Failure> {
        if self.read()? { Ok(()) } else { Err(Failure::Io(ErrorKind::UnexpectedEof.into())) }
    }

    /// Waits for more. `false`: it is the end.
    fn read(&mut self) -> io::Result<bool> {
        let mut piece = [0; 8 * 1024];
        loop {
            match self.connection.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                length => {
                    let length = length?;
                    self.held.extend_from_slice(&piece[..length]);
                    return Ok(length > 0);
                }
            }
        }
    }

    /// Moves so many bytes into the body.
    fn take(&mut self, mut length: u64, body: &mut BodyBuffer) -> Result<(), Failure> {
        while length > 0 {
            if self.held.is_empty() {
                self.more()?;
            }
            let piece = self.held.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            body.push(&self.held[..piece]).map_err(|_| Failure::TooLarge)?;
            self.held.drain(..piece);
            length -= piece as u64;
        }
        Ok(())
    }

    /// Moves all that comes into the body.
    fn take_all(&mut self, body: &mut BodyBuffer) -> Result<(), Failure> {
        loop {
            body.push(&self.held).map_err(|_| Failure::TooLarge)?;
            self.held.clear();
            if !self.read()? {
                return Ok(());
            }
        }
    }

    /// A line of the framing, without its end.
    fn line(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            if let Some(end) = self.held.windows(2).position(|two| two == b"\r\n") {
                let line = self.held[..end].to_vec();
                self.held.drain(..end + 2);
                return Ok(line);
            }
            if self.held.len() > LINE_CAP {
                return Err(Failure::Odd("a line between chunks is too long"));
            }
            self.more()?;
        }
    }
}
