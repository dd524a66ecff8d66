//! Many threads, stores and processes on one session: no update is lost.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::*;

/// Adds 1 to the number in the record, under the lock.
fn increment(store: &RedisStore) {
    let mut lock = lock(store);
    let number: u32 = text(lock.read(LONG).unwrap()).map_or(0, |text| text.parse().unwrap());
    lock.write(&body(&(number + 1).to_string()), LONG).unwrap();
}

#[test]
fn four_processes_lose_no_update() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let processes: Vec<_> = (0..4).map(|_| Process::start(&server, "increment")).collect();
    processes.into_iter().for_each(Process::expect_success);
    assert_eq!(saved(&store(&server)).as_deref(), Some("100"));
}

#[test]
fn a_process_waits_for_the_lock_of_another() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let mut locked = lock(&store(&server));
    let mut process = Process::start(&server, "wait");
    process.expect_line("busy");
    locked.write(&body("handed over"), LONG).unwrap();
    drop(locked);
    process.expect_line("handed over");
    process.expect_success();
}

#[test]
fn a_killed_process_keeps_the_lock_no_longer_than_its_time_to_live() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let mut process = Process::start(&server, "hold");
    process.expect_line("held");
    process.child.kill().unwrap();
    drop(lock(&store(&server)));
}

/// Another process of this test program, with a role of its own.
struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

const URL: &str = "PERENNIAL_TEST_REDIS";
const ROLE: &str = "PERENNIAL_TEST_ROLE";
const PREFIX: &str = "child: ";

impl Process {
    fn start(server: &RedisServer, role: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "concurrency::child_process", "--ignored", "--nocapture"])
            .envs([(URL, server.url().as_str()), (ROLE, role)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads on to the next line with the prefix: the test harness prints too, and not always a whole line.
    #[track_caller]
    fn expect_line(&mut self, expected: &str) {
        let found = self.lines.find_map(|line| Some(line.unwrap().split_once(PREFIX)?.1.to_owned()));
        assert_eq!(found.as_deref(), Some(expected));
    }

    #[track_caller]
    fn expect_success(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "a process that other tests start"]
fn child_process() {
    let Ok(url) = env::var(URL) else { return };
    let store = RedisStore::new(&url, "navien:home").unwrap();
    match env::var(ROLE).unwrap().as_str() {
        "increment" => (0..25).for_each(|_| increment(&store)),
        "wait" => {
            assert_busy(&store);
            println!("{PREFIX}busy");
            println!("{PREFIX}{}", text(lock(&store).read(LONG).unwrap()).unwrap());
        }
        "hold" => {
            let _lock = store.lock(LONG, Duration::from_millis(500)).unwrap();
            println!("{PREFIX}held");
            // Until it is killed, or its parent has ended.
            let _ = std::io::stdin().lines().count();
        }
        role => panic!("unknown role {role}"),
    }
}
