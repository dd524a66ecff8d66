//! A Redis server for tests: started on a free port of this machine, with nothing kept, and stopped when dropped.
//! Needs Debian's `redis-server`. Include this file with `#[path]`.
#![allow(dead_code, unreachable_pub, reason = "who includes it needs a part of it")]

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

/// How long the server may take for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// A Redis server.
pub struct RedisServer {
    port: Port,
    options: Vec<String>,
    directory: PathBuf,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts one with these options beside its own, for instance `["--requirepass", "secret"]`. Where it is not
    /// installed, the test is told to be skipped, loudly; with `PERENNIAL_REQUIRE_CLIENTS=1` it fails.
    pub fn for_test(options: &[&str]) -> Option<Self> {
        if Command::new(PROGRAM).arg("--version").output().is_err() {
            let required = env::var_os("PERENNIAL_REQUIRE_CLIENTS").is_some_and(|value| value == "1");
            assert!(!required, "{MISSING}");
            eprintln!("SKIPPED: {MISSING}");
            return None;
        }
        let directory = own_directory("perennial-redis");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { port: Port::of_ours(), options, directory, child: None };
        // Somebody who does not ask for a port as these tests do may have taken it in between.
        let started = (0..5).any(|_| {
            server.try_start().is_ok() || {
                server.port = Port::of_ours();
                false
            }
        });
        assert!(started, "redis-server does not start");
        Some(server)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Kills it, with all that it knew. Its port refuses connections from now on.
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

    /// Stops it in its tracks: connections are still accepted, by the system, and nobody answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
        self.wait_until(|state| state == 'T');
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
        self.wait_until(|state| state != 'T');
    }

    /// What `redis-cli` prints when it runs this, as the default user without a password.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let port = self.port().to_string();
        let output = Command::new("redis-cli").args(["-p", &port, "--raw"]).args(arguments).output();
        let output = output.expect("redis-cli runs");
        assert!(output.status.success(), "redis-cli {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Returns when the server says that it is ready.
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
            // Reads on to the end: a pipe that is full would stop the server.
            for line in lines.map_while(Result::ok) {
                if line.contains("Ready to accept connections") {
                    let _ = ready.send(());
                }
            }
        });
        self.child = Some(child);
        wait.recv_timeout(PATIENCE).map_err(|error| {
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

    /// Waits for what the system says of the process: `T` is stopped.
    fn wait_until(&self, expected: impl Fn(char) -> bool) {
        let file = format!("/proc/{}/stat", self.pid());
        let begun = Instant::now();
        loop {
            let text = fs::read_to_string(&file).expect("the server's state");
            let state = text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
            if state.is_some_and(&expected) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "the server's state is {state:?}");
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

/// A port of this machine for one who comes and goes: as long as this lives no other test gets it, whether or not
/// anybody listens on it.
///
/// It is below those that systems give to connections and to whoever takes any port, so nobody gets it by chance. Tests
/// know of each other, across processes, by a UDP socket on the port.
pub struct Port {
    reserved: UdpSocket,
}

impl Port {
    /// One that nobody has.
    pub fn of_ours() -> Self {
        // Where to begin is as good as random: processes that begin at the same place go on until they differ.
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

/// A directory that nobody had before, in the place for temporary ones.
pub fn own_directory(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("{name}-{}-{number}", process::id()));
        match fs::create_dir(&directory) {
            Ok(()) => return directory,
            // Of a process that was killed, and had this number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => panic!("a directory for a test: {error}"),
        }
    }
}
