//! One connection to Redis. Every call on it has a deadline.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::command_error::{CommandError, unexpected_reply};
use crate::deadline::{Deadline, timed_out};
use crate::resp::{Command, Reply, ReplyReader};
use crate::settings::{Encryption, Settings};

/// A connection that is authenticated and has its database selected.
pub(crate) struct Connection {
    stream: Stream,
    reader: ReplyReader,
    clock: ServerClock,
}

impl Connection {
    /// Connects and authenticates. All errors mean that the caller's command was not sent.
    pub(crate) fn open(settings: &Settings, deadline: Deadline) -> Result<Self, CommandError> {
        let socket = connect(settings, deadline).map_err(CommandError::NotSent)?;
        Self::handshake(socket, settings, deadline)
    }

    /// Begins TLS if the settings ask for it, authenticates, and selects the database.
    pub(crate) fn handshake(socket: TcpStream, settings: &Settings, deadline: Deadline) -> Result<Self, CommandError> {
        let stream = Stream::new(socket, settings, deadline).map_err(CommandError::NotSent)?;
        let clock = ServerClock { micros: 0, read_at: Instant::now() };
        let mut connection = Self { stream, reader: ReplyReader::new(), clock };
        connection.authenticate(settings, deadline).map_err(|error| match error {
            CommandError::ReplyLost(error) => CommandError::NotSent(error),
            error => error,
        })?;
        Ok(connection)
    }

    fn authenticate(&mut self, settings: &Settings, deadline: Deadline) -> Result<(), CommandError> {
        if let Some(auth) = &settings.auth {
            let password = auth.password.expose().as_bytes();
            let command = match &auth.user {
                Some(user) => Command::new("AUTH", &[user.expose().as_bytes(), password]),
                None => Command::new("AUTH", &[password]),
            };
            self.execute(&command, deadline)?;
        }
        if settings.database != 0 {
            self.execute(&Command::new("SELECT", &[settings.database.to_string().as_bytes()]), deadline)?;
        }
        let time = self.execute(&Command::new("TIME", &[]), deadline)?;
        self.clock = ServerClock { micros: micros(&time).ok_or_else(unexpected_reply)?, read_at: Instant::now() };
        Ok(())
    }

    /// Sends a command and waits for its reply. After any error but `Rejected` the connection cannot be used any more,
    /// because the reply may still come and would be taken for that of the next command.
    pub(crate) fn execute(&mut self, command: &Command, deadline: Deadline) -> Result<Reply, CommandError> {
        self.send(command, deadline)?;
        match self.read_reply(deadline)? {
            Reply::Error(code) => Err(CommandError::Rejected { code, command: command.name() }),
            reply => Ok(reply),
        }
    }

    /// Sends a command and does not wait for its reply.
    pub(crate) fn send(&mut self, command: &Command, deadline: Deadline) -> Result<(), CommandError> {
        deadline.remaining().map_err(CommandError::NotSent)?;
        self.stream.set_deadline(deadline);
        self.stream.write_all(command.bytes()).and_then(|()| self.stream.flush()).map_err(CommandError::ReplyLost)
    }

    /// Waits for the next reply.
    pub(crate) fn read_reply(&mut self, deadline: Deadline) -> Result<Reply, CommandError> {
        self.stream.set_deadline(deadline);
        self.reader.read_reply(&mut self.stream).map_err(CommandError::ReplyLost)
    }

    /// Waits for the beginning of a message that Redis sends unasked, to a subscriber. `false` if none came before the
    /// deadline; the connection can be used on.
    pub(crate) fn poll_message(&mut self, deadline: Deadline) -> io::Result<bool> {
        if self.reader.has_buffered() {
            return Ok(true);
        }
        self.stream.set_deadline(deadline);
        match self.reader.fill(&mut self.stream) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The deadline by Redis's own clock, in microseconds since 1970. It is too early by as long as the reply to `TIME`
    /// took to travel, so that Redis refuses a command rather than executes it too late.
    pub(crate) fn to_server_micros(&self, deadline: Deadline) -> u64 {
        let ahead = u64::try_from(deadline.remaining_at(self.clock.read_at).as_micros()).unwrap_or(u64::MAX);
        self.clock.micros.saturating_add(ahead)
    }
}

/// What Redis's clock showed, and when.
struct ServerClock {
    /// In microseconds since 1970.
    micros: u64,
    read_at: Instant,
}

/// The reply to `TIME` in microseconds.
fn micros(reply: &Reply) -> Option<u64> {
    let Reply::Array(parts) = reply else { return None };
    let [Reply::Bytes(seconds), Reply::Bytes(micros)] = parts.as_slice() else { return None };
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u64>().ok();
    number(seconds)?.checked_mul(1_000_000)?.checked_add(number(micros)?)
}

/// Connects to the first address of the host that accepts.
pub(crate) fn connect(settings: &Settings, deadline: Deadline) -> io::Result<TcpStream> {
    let addresses = resolve(settings, deadline)?;
    let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the name of the host leads nowhere");
    for (index, address) in addresses.iter().enumerate() {
        // Each address gets an equal share of what remains, so that one that does not answer leaves time for the others.
        let share = deadline.remaining()? / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        match TcpStream::connect_timeout(address, share) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

/// Resolves the host's name. The system's resolver has no timeout, so it runs in a thread of its own, which may outlive
/// the call.
fn resolve(settings: &Settings, deadline: Deadline) -> io::Result<Vec<SocketAddr>> {
    let (host, port) = (settings.host.clone(), settings.port);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (sender, resolved) = mpsc::sync_channel(1);
    thread::Builder::new().name("perennial-redis-name".into()).spawn(move || {
        let _ = sender.send((host.as_str(), port).to_socket_addrs().map(Iterator::collect));
    })?;
    resolved.recv_timeout(deadline.remaining()?).map_err(|_| timed_out())?
}

enum Stream {
    Plain(DeadlineSocket),
    #[cfg(feature = "tls")]
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, DeadlineSocket>>),
}

impl Stream {
    fn new(socket: TcpStream, settings: &Settings, deadline: Deadline) -> io::Result<Self> {
        let socket = DeadlineSocket { socket, deadline };
        match &settings.encryption {
            Encryption::None => Ok(Self::Plain(socket)),
            #[cfg(feature = "tls")]
            Encryption::Tls(config) => {
                let name = settings.host.clone().try_into().map_err(io::Error::other)?;
                let tls = rustls::ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                Ok(Self::Tls(Box::new(rustls::StreamOwned::new(tls, socket))))
            }
        }
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        match self {
            Self::Plain(socket) => socket.deadline = deadline,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.sock.deadline = deadline,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// A socket whose calls all end by one deadline. A timeout for each call would begin anew with every byte that a slow
/// peer sends.
struct DeadlineSocket {
    socket: TcpStream,
    deadline: Deadline,
}

impl Read for DeadlineSocket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.deadline.remaining()?))?;
        self.socket.read(into).map_err(normalize_timeout)
    }
}

impl Write for DeadlineSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.deadline.remaining()?))?;
        self.socket.write(bytes).map_err(normalize_timeout)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Turns the error of a socket's timeout into `TimedOut`. Unix gives it as `WouldBlock`.
fn normalize_timeout(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { timed_out() } else { error }
}

#[cfg(test)]
mod tests;
