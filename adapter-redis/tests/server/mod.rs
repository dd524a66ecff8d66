//! A Redis server for tests: started on a free port of this machine without persistence, and stopped when dropped.
//! Needs Debian's `redis-server`. Test crates include this file with `#[path]`.
#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part of it")]

use std::io::{self, BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

const PROGRAM: &str = "redis-server";
const MISSING: &str = "redis-server is not installed (apt-get install redis-server)";

/// How long the server may take to start, stop or continue.
const SERVER_TIMEOUT: Duration = Duration::from_secs(120);

/// A Redis server.
pub struct RedisServer {
    port: Port,
    options: Vec<String>,
    directory: PathBuf,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts a server with these options more, for instance `["--requirepass", "secret"]`. `None` if `redis-server` is
    /// not installed, which is printed as `SKIPPED`; with `PERENNIAL_REQUIRE_CLIENTS=1` it panics instead.
    pub fn for_test(options: &[&str]) -> Option<Self> {
        if Command::new(PROGRAM).arg("--version").output().is_err() {
            let required = env::var_os("PERENNIAL_REQUIRE_CLIENTS").is_some_and(|value| value == "1");
            assert!(!required, "{MISSING}");
            eprintln!("SKIPPED: {MISSING}");
            return None;
        }
        let directory = own_directory("perennial-redis");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { port: Port::reserve(), options, directory, child: None };
        // A program that does not reserve ports as these tests do may have taken the port in between.
        let started = (0..5).any(|_| {
            server.try_start().is_ok() || {
                server.port = Port::reserve();
                false
            }
        });
        assert!(started, "redis-server does not start");
        Some(server)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Kills it, and with it all data. Its port refuses connections from now on.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port, empty.
    pub fn start_again(&mut self) {
        self.stop();
        self.try_start().expect("redis-server starts again");
    }

    /// Suspends it. The system still accepts connections to it, and nothing answers on them.
    pub fn freeze(&self) {
        self.signal("-STOP");
        self.wait_until(|state| state == 'T');
    }

    /// Continues it.
    pub fn thaw(&self) {
        self.signal("-CONT");
        self.wait_until(|state| state != 'T');
    }

    /// Runs `redis-cli` with these arguments as the default user without a password, and returns its output.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let port = self.port().to_string();
        let output = Command::new("redis-cli").args(["-p", &port, "--raw"]).args(arguments).output();
        let output = output.expect("redis-cli runs");
        assert!(output.status.success(), "redis-cli {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Returns when the server logs that it is ready.
    fn try_start(&mut self) -> io::Result<()> {
        let mut child = Command::new(PROGRAM)
            .args(["--bind", "127.0.0.1", "--port", &self.port().to_string(), "--dir"])
            .arg(&self.directory)
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", ""])
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).lines();
        let (ready, wait) = mpsc::channel();
        thread::spawn(move || {
            // Reads to the end, because a full pipe would block the server.
            for line in lines.map_while(Result::ok) {
                if line.contains("Ready to accept connections") {
                    let _ = ready.send(());
                }
            }
        });
        self.child = Some(child);
        wait.recv_timeout(SERVER_TIMEOUT).map_err(|error| {
            self.stop();
            io::Error::other(error)
        })
    }

    fn pid(&self) -> String {
        self.child.as_ref().expect("the server runs").id().to_string()
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.pid()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
    }

    /// Waits until the process is in a state that `/proc` shows by a letter: `T` is stopped.
    fn wait_until(&self, expected: impl Fn(char) -> bool) {
        let file = format!("/proc/{}/stat", self.pid());
        let begun = Instant::now();
        loop {
            let text = fs::read_to_string(&file).expect("the server's state");
            let state = text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
            if state.is_some_and(&expected) {
                return;
            }
            assert!(begun.elapsed() < SERVER_TIMEOUT, "the server's state is {state:?}");
            thread::yield_now();
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A reserved port of this machine: as long as this value lives no other test gets it, whether or not anything listens on
/// it.
///
/// It is below the range that systems assign to connections and to sockets without a port of their own, so no other
/// program gets it by chance. Tests of other processes see that it is reserved by a UDP socket on the port.
pub struct Port {
    reserved: UdpSocket,
}

impl Port {
    /// Reserves a free port.
    pub fn reserve() -> Self {
        // The search begins at the process id, so that processes rarely try the same ports.
        let start = u16::try_from(process::id() % 10_000).expect("a small number") + 20_000;
        let reserved = (start..32_000).chain(20_000..start).find_map(|number| {
            let reserved = UdpSocket::bind(("127.0.0.1", number)).ok()?;
            TcpListener::bind(("127.0.0.1", number)).ok().map(|_| reserved)
        });
        Self { reserved: reserved.expect("a free port") }
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.reserved.local_addr().expect("its number").port()
    }
}

/// A new directory among the system's temporary ones.
pub fn own_directory(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("{name}-{}-{number}", process::id()));
        match fs::create_dir(&directory) {
            Ok(()) => return directory,
            // Left by a killed process with the same id.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => panic!("a directory for a test: {error}"),
        }
    }
}
