//! A server for the unit tests, which parses commands and sends the replies that a test gives it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::settings::Settings;

/// Longer than anything in these tests takes.
pub(crate) const LONG: Duration = Duration::from_secs(120);

pub(crate) struct FakeServer {
    pub(crate) port: u16,
    connections: Receiver<FakeConnection>,
}

/// One connection, as the server sees it.
pub(crate) struct FakeConnection {
    pub(crate) socket: TcpStream,
    reader: BufReader<TcpStream>,
}

impl FakeServer {
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (accepted, connections) = mpsc::channel();
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let reader = BufReader::new(socket.try_clone().unwrap());
                socket.set_read_timeout(Some(LONG)).unwrap();
                if accepted.send(FakeConnection { socket, reader }).is_err() {
                    return;
                }
            }
        });
        Self { port, connections }
    }

    /// The next connection.
    pub(crate) fn accept(&self) -> FakeConnection {
        self.connections.recv_timeout(LONG).expect("a client connects")
    }

    /// The settings of a store at this server. `auth` is what stands before the host in the URL, `database` what stands
    /// behind it.
    pub(crate) fn settings(&self, auth: &str, database: &str) -> Settings {
        crate::settings::tests::settings(&format!("redis://{auth}127.0.0.1:{}{database}", self.port))
    }
}

impl FakeConnection {
    /// The words of the next command; an error at the end of the connection.
    pub(crate) fn command(&mut self) -> io::Result<Vec<String>> {
        let count = self.header()?;
        (0..count)
            .map(|_| {
                let mut word = vec![0; self.header()? + 2];
                self.reader.read_exact(&mut word)?;
                word.truncate(word.len() - 2);
                String::from_utf8(word).map_err(io::Error::other)
            })
            .collect()
    }

    fn header(&mut self) -> io::Result<usize> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line[1..].trim_end().parse().map_err(io::Error::other)
    }

    pub(crate) fn reply(&mut self, bytes: &str) {
        self.socket.write_all(bytes.as_bytes()).unwrap();
    }

    /// Expects this command, and replies to it.
    pub(crate) fn expect(&mut self, words: &[&str], reply: &str) {
        assert_eq!(self.command().unwrap(), words);
        self.reply(reply);
    }

    /// Replies to the handshake of a connection without a password.
    pub(crate) fn handshake(&mut self) {
        self.expect(&["TIME"], TIME);
    }
}

/// A reply to `TIME`: 1.7 billion seconds since 1970, and 5 µs.
pub(crate) const TIME: &str = "*2\r\n$10\r\n1700000000\r\n$1\r\n5\r\n";
