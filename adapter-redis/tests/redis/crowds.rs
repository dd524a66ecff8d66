//! Many threads, many stores, many processes: no update is lost.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::{env, thread};

use super::*;

/// Adds one to the number that is saved, under the lock.
fn count(store: &RedisStore) {
    let mut lock = lock(store);
    let number: u32 = text(lock.read(LONG).unwrap()).map_or(0, |text| text.parse().unwrap());
    lock.write(&body(&(number + 1).to_string()), LONG).unwrap();
}

#[test]
fn eight_threads_lose_no_update() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let stores = [store(&server), store(&server), store(&server)];
    thread::scope(|scope| {
        for store in stores.iter().cycle().take(8) {
            scope.spawn(|| (0..50).for_each(|_| count(store)));
        }
    });
    assert_eq!(saved(&stores[0]).as_deref(), Some("400"));
}

#[test]
fn four_processes_lose_no_update() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let processes: Vec<_> = (0..4).map(|_| Process::start(&server, "count")).collect();
    processes.into_iter().for_each(Process::ends_well);
    assert_eq!(saved(&store(&server)).as_deref(), Some("100"));
}

#[test]
fn a_process_waits_for_the_lock_of_another() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let mut locked = lock(&store(&server));
    let mut process = Process::start(&server, "wait");
    process.says("busy");
    locked.write(&body("handed over"), LONG).unwrap();
    drop(locked);
    process.says("handed over");
    process.ends_well();
}

#[test]
fn a_process_that_is_killed_keeps_the_lock_no_longer_than_its_lease() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let mut process = Process::start(&server, "hold");
    process.says("held");
    process.child.kill().unwrap();
    drop(lock(&store(&server)));
}

/// This test program once more, with a part to play.
struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

const URL: &str = "PERENNIAL_TEST_REDIS";
const PART: &str = "PERENNIAL_TEST_PART";
const MARK: &str = "it says: ";

impl Process {
    fn start(server: &RedisServer, part: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "crowds::a_part_in_another_test", "--ignored", "--nocapture"])
            .envs([(URL, server.url().as_str()), (PART, part)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The test harness prints, too, and not always a whole line.
    #[track_caller]
    fn says(&mut self, expected: &str) {
        let said = self.lines.find_map(|line| Some(line.unwrap().split_once(MARK)?.1.to_owned()));
        assert_eq!(said.as_deref(), Some(expected));
    }

    #[track_caller]
    fn ends_well(mut self) {
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
fn a_part_in_another_test() {
    let Ok(url) = env::var(URL) else { return };
    let store = RedisStore::new(&url, "navien:home").unwrap();
    match env::var(PART).unwrap().as_str() {
        "count" => (0..25).for_each(|_| count(&store)),
        "wait" => {
            busy(&store);
            println!("{MARK}busy");
            println!("{MARK}{}", text(lock(&store).read(LONG).unwrap()).unwrap());
        }
        "hold" => {
            let _lock = store.lock(LONG, Duration::from_millis(500)).unwrap();
            println!("{MARK}held");
            // Until it is killed, or its parent is gone.
            let _ = std::io::stdin().lines().count();
        }
        part => panic!("{part} is no part"),
    }
}
