//! Carries bytes between a client's WebSocket and a broker's socket, in one thread, without a busy loop.

use crate::wire::Wire;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use tungstenite::protocol::Role;
use tungstenite::{Error, Message, WebSocket};

/// How often to look whether the connection has been cut, or its credentials have ended: no bytes tell of that.
const POLL_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By the client, the broker, or the emulator's own end.
    Over,
    /// Because it may not go on.
    Cut,
}

pub(super) fn carry(wire: &mut Wire, broker: TcpStream, goes_on: &dyn Fn() -> bool) -> End {
    let ready = wire.socket().set_nonblocking(true).is_ok() && broker.set_nonblocking(true).is_ok();
    let _ = broker.set_nodelay(true);
    let client = WebSocket::from_raw_socket(wire, Role::Server, None);
    let mut pipe = Pipe { client, broker, for_broker: Vec::new(), for_client: false };
    while ready && pipe.move_all().is_ok() {
        if !goes_on() {
            return End::Cut;
        }
        if pipe.wait().is_err() {
            break;
        }
    }
    End::Over
}

/// One side has ended the connection, in whatever way.
struct Over;

impl From<Error> for Over {
    fn from(_: Error) -> Self {
        Self
    }
}

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self
    }
}

struct Pipe<'a> {
    client: WebSocket<&'a mut Wire>,
    broker: TcpStream,
    /// Read, and not yet taken by the broker. Until it is, nothing more is read for it.
    for_broker: Vec<u8>,
    /// Whether something was written that the client has not yet taken. Until it has, nothing more is read for it.
    for_client: bool,
}

impl Pipe<'_> {
    /// Moves what there is.
    fn move_all(&mut self) -> Result<(), Over> {
        self.push_to_broker()?;
        self.push_to_client()?;
        while self.for_broker.is_empty() {
            match self.client.read() {
                Ok(Message::Binary(bytes)) => {
                    self.for_broker.extend_from_slice(&bytes);
                    self.push_to_broker()?;
                }
                // MQTT 3.1.1 §6: only binary frames.
                Ok(Message::Text(_)) => return Err(Over),
                // Reading has put the answers to these into the queue.
                Ok(_) => self.push_to_client()?,
                Err(error) if would_block(&error) => break,
                Err(error) => return Err(error.into()),
            }
        }
        let mut scratch = [0; 16 * 1024];
        while !self.for_client {
            match self.broker.read(&mut scratch) {
                Ok(0) => {
                    let _ = self.client.close(None);
                    return Err(Over);
                }
                Ok(read) => {
                    let message = Message::binary(scratch[..read].to_vec());
                    self.for_client = true;
                    match self.client.write(message) {
                        Err(error) if !would_block(&error) => return Err(error.into()),
                        _ => self.push_to_client()?,
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn push_to_broker(&mut self) -> Result<(), Over> {
        while !self.for_broker.is_empty() {
            match self.broker.write(&self.for_broker) {
                Ok(written) => drop(self.for_broker.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn push_to_client(&mut self) -> Result<(), Over> {
        self.for_client = match self.client.flush() {
            Ok(()) => false,
            Err(error) if would_block(&error) => true,
            Err(error) => return Err(error.into()),
        };
        Ok(())
    }

    /// Waits until something can be moved, or it is time to look.
    fn wait(&self) -> io::Result<()> {
        let wanted = |read, write| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, read);
            flags.set(PollFlags::OUT, write);
            flags
        };
        let (broker_full, client_full) = (!self.for_broker.is_empty(), self.for_client);
        let mut sockets = [
            PollFd::new(self.client.get_ref().socket(), wanted(!broker_full, client_full)),
            PollFd::new(&self.broker, wanted(!client_full, broker_full)),
        ];
        match poll(&mut sockets, Some(&POLL_INTERVAL)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn would_block(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}
