//! A real broker: Debian's `mosquitto`, on loopback.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, thread};

/// How long it may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

const MISSING: &str = "the MQTT broker mosquitto is not installed (on Debian: apt-get install mosquitto)";

/// A running `mosquitto`: anonymous, forgetting everything, on a free port of loopback. Dropping it ends it.
pub struct Mosquitto {
    child: Child,
    address: SocketAddr,
}

impl Mosquitto {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if it is not installed; another if it does not start.
    pub fn start() -> io::Result<Self> {
        let program = find().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, MISSING))?;
        // Between finding a free port and taking it somebody else may take it.
        (0..5).find_map(|_| Self::start_once(&program).ok()).ok_or_else(|| io::Error::other("mosquitto does not start"))
    }

    /// Starts it for a test. Where it is not installed, the test is told to be skipped, loudly; with
    /// `PERENNIAL_REQUIRE_CLIENTS=1` it fails.
    ///
    /// # Panics
    ///
    /// If it does not start, or is missing although it is required.
    #[must_use]
    pub fn for_test() -> Option<Self> {
        match Self::start() {
            Ok(broker) => Some(broker),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let required = env::var_os("PERENNIAL_REQUIRE_CLIENTS").is_some_and(|value| value == "1");
                assert!(!required, "{error}");
                eprintln!("SKIPPED: {error}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Where it listens, for plain MQTT over TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn start_once(program: &Path) -> io::Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut child = Command::new(program)
            .args(["-c", "/dev/stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        // From here on it is ended, whatever happens.
        let broker = Self { child, address };
        if let Some(mut stdin) = stdin {
            stdin.write_all(configuration(address.port()).as_bytes())?;
        }
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            // To the end, lest the pipe is full one day.
            for line in stderr.into_iter().flat_map(|stderr| BufReader::new(stderr).lines()).map_while(Result::ok) {
                if line.ends_with(" running") {
                    let _ = tell.send(());
                }
            }
        });
        told.recv_timeout(START_TIMEOUT).map_err(|_| io::Error::other("mosquitto ended at once"))?;
        Ok(broker)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Without a limit to its queues: a message lost there would look like one that the client lost.
fn configuration(port: u16) -> String {
    format!(
        "listener {port} 127.0.0.1\n\
         allow_anonymous true\n\
         persistence false\n\
         max_queued_messages 0\n\
         connection_messages false\n\
         log_dest stderr\n\
         log_type error\n\
         log_type information\n"
    )
}

fn find() -> Option<PathBuf> {
    // Debian puts it where only root looks.
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    folders.map(|folder| folder.join("mosquitto")).find(|program| program.is_file())
}
