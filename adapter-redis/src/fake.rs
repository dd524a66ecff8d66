//! A peer for the unit tests: takes commands apart and answers as it is told.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::settings::Settings;

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(120);

pub(crate) struct Fake {
    pub(crate) port: u16,
    connections: Receiver<Peer>,
}

/// One connection, as the peer sees it.
pub(crate) struct Peer {
    pub(crate) socket: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Fake {
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (accepted, connections) = mpsc::channel();
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let reader = BufReader::new(socket.try_clone().unwrap());
                socket.set_read_timeout(Some(LONG)).unwrap();
                if accepted.send(Peer { socket, reader }).is_err() {
                    return;
                }
            }
        });
        Self { port, connections }
    }

    /// The next connection.
    pub(crate) fn accept(&self) -> Peer {
        self.connections.recv_timeout(LONG).expect("somebody connects")
    }

    /// For a store that uses it.
    pub(crate) fn settings(&self, sign_in: &str, database: &str) -> Settings {
        crate::settings::tests::settings(&format!("redis://{sign_in}127.0.0.1:{}{database}", self.port))
    }
}

impl Peer {
    /// The words of the next command. At the end of the connection, an error.
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

    pub(crate) fn answer(&mut self, bytes: &str) {
        self.socket.write_all(bytes.as_bytes()).unwrap();
    }

    /// Expects this command, and answers it.
    pub(crate) fn exchange(&mut self, words: &[&str], answer: &str) {
        assert_eq!(self.command().unwrap(), words);
        self.answer(answer);
    }

    /// Answers the greeting of a connection without a password.
    pub(crate) fn greet(&mut self) {
        self.exchange(&["TIME"], TIME);
    }
}

/// An answer to `TIME`: 1.7 billion seconds and 5 µs.
pub(crate) const TIME: &str = "*2\r\n$10\r\n1700000000\r\n$1\r\n5\r\n";
