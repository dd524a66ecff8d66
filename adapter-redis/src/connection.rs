//! One connection to Redis. Every call on it ends by its deadline.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::deadline::{Deadline, late};
use crate::refusal::{Failure, unexpected};
use crate::resp::{Command, Incoming, Reply};
use crate::settings::{Encryption, Settings};

/// A connection that is signed in.
pub(crate) struct Connection {
    stream: Stream,
    incoming: Incoming,
    clock: RedisClock,
}

impl Connection {
    /// Connects and signs in. Whatever fails here, nothing was asked yet.
    pub(crate) fn open(settings: &Settings, deadline: Deadline) -> Result<Self, Failure> {
        let socket = dial(settings, deadline).map_err(Failure::NotSent)?;
        Self::greet(socket, settings, deadline)
    }

    /// Signs in on a socket that is connected.
    pub(crate) fn greet(socket: TcpStream, settings: &Settings, deadline: Deadline) -> Result<Self, Failure> {
        let stream = Stream::over(socket, settings, deadline).map_err(Failure::NotSent)?;
        let clock = RedisClock { time: 0, at: Instant::now() };
        let mut connection = Self { stream, incoming: Incoming::new(), clock };
        connection.sign_in(settings, deadline).map_err(|failure| match failure {
            Failure::Cut(error) => Failure::NotSent(error),
            failure => failure,
        })?;
        Ok(connection)
    }

    fn sign_in(&mut self, settings: &Settings, deadline: Deadline) -> Result<(), Failure> {
        if let Some(sign_in) = &settings.sign_in {
            let password = sign_in.password.expose().as_bytes();
            let command = match &sign_in.user {
                Some(user) => Command::new("AUTH", &[user.expose().as_bytes(), password]),
                None => Command::new("AUTH", &[password]),
            };
            self.ask(&command, deadline)?;
        }
        if settings.database != 0 {
            self.ask(&Command::new("SELECT", &[settings.database.to_string().as_bytes()]), deadline)?;
        }
        let time = self.ask(&Command::new("TIME", &[]), deadline)?;
        self.clock = RedisClock { time: micros(&time).ok_or_else(unexpected)?, at: Instant::now() };
        Ok(())
    }

    /// Asks and waits for the answer. After a failure other than a refusal the connection is of no more use: the
    /// answer may still come.
    pub(crate) fn ask(&mut self, command: &Command, deadline: Deadline) -> Result<Reply, Failure> {
        self.tell(command, deadline)?;
        match self.reply(deadline)? {
            Reply::Refused(code) => Err(Failure::Refused { code, command: command.name() }),
            reply => Ok(reply),
        }
    }

    /// Asks only.
    pub(crate) fn tell(&mut self, command: &Command, deadline: Deadline) -> Result<(), Failure> {
        deadline.left().map_err(Failure::NotSent)?;
        self.stream.set_deadline(deadline);
        self.stream.write_all(command.bytes()).and_then(|()| self.stream.flush()).map_err(Failure::Cut)
    }

    /// Waits for the next answer.
    pub(crate) fn reply(&mut self, deadline: Deadline) -> Result<Reply, Failure> {
        self.stream.set_deadline(deadline);
        self.incoming.reply(&mut self.stream).map_err(Failure::Cut)
    }

    /// Waits for the beginning of an answer that nobody asked for. `false`: none has come; the connection is as good
    /// as before.
    pub(crate) fn has_news(&mut self, deadline: Deadline) -> io::Result<bool> {
        if self.incoming.has_some() {
            return Ok(true);
        }
        self.stream.set_deadline(deadline);
        match self.incoming.fill(&mut self.stream) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// That moment in Redis's time, in microseconds; rather too early than too late.
    pub(crate) fn in_redis_time(&self, deadline: Deadline) -> u64 {
        let ahead = u64::try_from(deadline.left_at(self.clock.at).as_micros()).unwrap_or(u64::MAX);
        self.clock.time.saturating_add(ahead)
    }
}

/// What Redis's clock said (µs), and when we heard it.
struct RedisClock {
    time: u64,
    at: Instant,
}

fn micros(reply: &Reply) -> Option<u64> {
    let Reply::List(parts) = reply else { return None };
    let [Reply::Text(seconds), Reply::Text(micros)] = parts.as_slice() else { return None };
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u64>().ok();
    number(seconds)?.checked_mul(1_000_000)?.checked_add(number(micros)?)
}

/// A socket that is connected to the first address that answers.
pub(crate) fn dial(settings: &Settings, deadline: Deadline) -> io::Result<TcpStream> {
    let addresses = look_up(settings, deadline)?;
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name of the host leads nowhere");
    for (index, address) in addresses.iter().enumerate() {
        // One that swallows everything leaves time for the others.
        let share = deadline.left()? / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        match TcpStream::connect_timeout(address, share) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// The system's look-up cannot be bounded, so it has a thread of its own, which may outlive the call.
fn look_up(settings: &Settings, deadline: Deadline) -> io::Result<Vec<SocketAddr>> {
    let (host, port) = (settings.host.clone(), settings.port);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (found, answer) = mpsc::sync_channel(1);
    thread::Builder::new().name("perennial-redis-name".into()).spawn(move || {
        let _ = found.send((host.as_str(), port).to_socket_addrs().map(Iterator::collect));
    })?;
    answer.recv_timeout(deadline.left()?).map_err(|_| late())?
}

enum Stream {
    Plain(Timed),
    #[cfg(feature = "tls")]
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, Timed>>),
}

impl Stream {
    fn over(socket: TcpStream, settings: &Settings, deadline: Deadline) -> io::Result<Self> {
        let socket = Timed { socket, deadline };
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

/// A socket whose every call ends by one deadline, so that a peer which gives out byte after byte gains nothing.
struct Timed {
    socket: TcpStream,
    deadline: Deadline,
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.deadline.left()?))?;
        self.socket.read(into).map_err(timed_out)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.deadline.left()?))?;
        self.socket.write(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Unix calls it `WouldBlock`.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { late() } else { error }
}

#[cfg(test)]
mod tests;
