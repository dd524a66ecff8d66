//! Bytes of one connection, plain or TLS: requests in, anything out.

use crate::message::Request;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 16 * 1024 * 1024;

pub(crate) struct Wire {
    stream: Stream,
    /// Read but not used: the start of the next request.
    buffer: Vec<u8>,
    connection: usize,
    /// Nothing has been read yet.
    fresh: bool,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// What was read.
pub(crate) enum Incoming {
    Request(Request),
    /// The peer went away, or the emulator stops.
    Gone,
    /// Bytes that are no HTTP request.
    Garbage(Vec<u8>),
}

impl Wire {
    pub(crate) fn open(socket: TcpStream, tls: Option<&Arc<ServerConfig>>, connection: usize) -> io::Result<Self> {
        // Drips and torn answers have to leave at once to be what they are.
        socket.set_nodelay(true)?;
        let stream = match tls {
            None => Stream::Plain(socket),
            Some(config) => {
                let session = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                Stream::Tls(Box::new(StreamOwned::new(session, socket)))
            }
        };
        Ok(Self { stream, buffer: Vec::new(), connection, fresh: true })
    }

    /// Whether nothing has been read from it yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Reads one request to its end.
    pub(crate) fn read_request(&mut self) -> Incoming {
        self.fresh = false;
        let (mut request, head_length) = loop {
            match parse_head(&self.buffer) {
                Head::Whole(request, length) => break (request, length),
                Head::Partial if self.buffer.len() < MAX_HEAD => {}
                Head::Partial | Head::Bad => return Incoming::Garbage(std::mem::take(&mut self.buffer)),
            }
            if !self.fill() {
                return Incoming::Gone;
            }
        };
        self.buffer.drain(..head_length);
        request.connection = self.connection;
        request.tls = matches!(self.stream, Stream::Tls(_));
        if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
            && self.send(b"HTTP/1.1 100 Continue\r\n\r\n").is_err()
        {
            return Incoming::Gone;
        }
        let body = if request.header("transfer-encoding").is_some() {
            self.read_chunks()
        } else {
            let length = request.header("content-length").and_then(|length| length.trim().parse().ok());
            self.read_exactly(length.unwrap_or(0))
        };
        match body {
            Some(body) => request.body = body,
            None => return Incoming::Gone,
        }
        Incoming::Request(request)
    }

    /// Bytes that are no HTTP, in the shape of a request, to be recorded.
    pub(crate) fn raw_request(&self, bytes: Vec<u8>) -> Request {
        Request {
            connection: self.connection,
            tls: false,
            method: String::new(),
            path: String::new(),
            headers: Vec::new(),
            body: bytes,
            keep_alive: false,
        }
    }

    /// Writes and flushes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes),
            Stream::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Says nothing until the peer goes away or the emulator stops.
    pub(crate) fn stall(&mut self) {
        let mut scratch = [0; 4096];
        let mut socket = self.socket();
        while matches!(socket.read(&mut scratch), Ok(read) if read > 0) {}
    }

    /// Ends in good order: TLS says goodbye, then TCP.
    pub(crate) fn finish(&mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// Makes the close that follows a reset (RST) instead of an orderly end (FIN).
    pub(crate) fn reset_on_close(&self) {
        let _ = socket2::SockRef::from(self.socket()).set_linger(Some(Duration::ZERO));
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => &stream.sock,
        }
    }

    /// Reads some more; false at the end.
    fn fill(&mut self) -> bool {
        let mut scratch = [0; 16 * 1024];
        let read = loop {
            let read = match &mut self.stream {
                Stream::Plain(socket) => socket.read(&mut scratch),
                Stream::Tls(stream) => stream.read(&mut scratch),
            };
            if !matches!(&read, Err(error) if error.kind() == io::ErrorKind::Interrupted) {
                break read;
            }
        };
        match read {
            Ok(read) if read > 0 => {
                self.buffer.extend_from_slice(&scratch[..read]);
                true
            }
            _ => false,
        }
    }

    fn read_exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        if length > MAX_BODY {
            return None;
        }
        while self.buffer.len() < length {
            if !self.fill() {
                return None;
            }
        }
        let rest = self.buffer.split_off(length);
        Some(std::mem::replace(&mut self.buffer, rest))
    }

    fn read_chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = match httparse::parse_chunk_size(&self.buffer) {
                Ok(httparse::Status::Complete((start, size))) => {
                    self.buffer.drain(..start);
                    usize::try_from(size).ok()?
                }
                Ok(httparse::Status::Partial) => {
                    if !self.fill() {
                        return None;
                    }
                    continue;
                }
                Err(_) => return None,
            };
            if size == 0 {
                // Trailers are not looked at, only passed over.
                while self.read_line()?.len() > 2 {}
                return Some(body);
            }
            if body.len().saturating_add(size) > MAX_BODY {
                return None;
            }
            body.extend(self.read_exactly(size)?);
            self.read_line()?;
        }
    }

    fn read_line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                return self.read_exactly(end + 1);
            }
            if self.buffer.len() > MAX_HEAD || !self.fill() {
                return None;
            }
        }
    }
}

/// The bytes as they are, for what follows HTTP on a connection.
impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.buffer.is_empty() {
            let size = into.len().min(self.buffer.len());
            into[..size].copy_from_slice(&self.buffer[..size]);
            self.buffer.drain(..size);
            return Ok(size);
        }
        match &mut self.stream {
            Stream::Plain(socket) => socket.read(into),
            Stream::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

enum Head {
    Whole(Request, usize),
    Partial,
    Bad,
}

fn parse_head(bytes: &[u8]) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Head::Partial,
        Err(_) => return Head::Bad,
    };
    let headers: Vec<_> = parsed
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let mut request = Request {
        connection: 0,
        tls: false,
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
        keep_alive: parsed.version == Some(1),
    };
    if request.header("connection").is_some_and(|value| value.to_ascii_lowercase().contains("close")) {
        request.keep_alive = false;
    }
    Head::Whole(request, length)
}
