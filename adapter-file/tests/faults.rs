//! Every system call of a read and two saves under one lock fails once with each error, and is the last one once.
//! The same for setting aside. Whatever happens, each record is whole and where it should be, and what the store
//! reports is true.
//!
//! `cargo test -p perennial-file --test faults -- --nocapture` prints the table. Needs `strace`.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use perennial_file::FileStore;
use support::act::Act;
use support::child::Ended;
use support::record::{number_in, numbered};
use support::strace::{self, Call};
use support::{Scratch, body, lock, save, temporaries, try_lock};

const ERRORS: [&str; 5] = ["ENOSPC", "EIO", "EINTR", "EROFS", "EACCES"];
const WORKERS: usize = 2;
const SIGKILL: i32 = 9;

/// Calls that are no business of a store: memory, and what the child says to the test. They only kill.
const OTHERS: [&str; 11] =
    ["write", "mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "futex", "getpid", "geteuid", "getegid"];

#[test]
fn every_system_call_may_fail() {
    if !strace::is_there("the sweep over system calls") {
        return;
    }
    let queue = Mutex::new(Vec::new());
    for scene in [Scene::Saving, Scene::Beginning, Scene::Aside] {
        for call in scene.calls() {
            let fails = !OTHERS.contains(&call.name.as_str());
            let errors = ERRORS.into_iter().map(Fault::Error).filter(|_| fails);
            let cells = errors.chain([Fault::Kill]).map(|fault| (scene, call.clone(), fault));
            queue.lock().unwrap().extend(cells);
        }
    }
    let table = Mutex::new(Table::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some((scene, call, fault)) = queue.lock().unwrap().pop() else { break };
                    let outcome = scene.check(&call, fault);
                    *table.lock().unwrap().entry((call.name, fault.name())).or_default().entry(outcome).or_default() +=
                        1;
                }
            });
        }
    });
    print(&table.into_inner().unwrap());
}

/// What there is, and what the child does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scene {
    /// Record number 1 is there; 2 and 3 are saved.
    Saving,
    /// Not even a directory is there; 1 and 2 are saved.
    Beginning,
    /// Record number 1 is there, and is set aside.
    Aside,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Error(&'static str),
    /// Dies before this call.
    Kill,
}

type Table = BTreeMap<(String, &'static str), BTreeMap<String, usize>>;

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Error(name) => name,
            Self::Kill => "SIGKILL",
        }
    }
}

impl Scene {
    fn old(self) -> u64 {
        u64::from(self != Self::Beginning)
    }

    fn set(self, scratch: &Scratch) -> FileStore {
        let store = FileStore::new(scratch.join("state").join("app").join("session"));
        if self.old() == 1 {
            save(&store, &numbered(1));
        }
        store
    }

    fn act(self) -> Act {
        if self == Self::Aside { Act::SetsAside } else { Act::MarksAndSaves }
    }

    fn calls(self) -> Vec<Call> {
        let scratch = Scratch::in_memory();
        strace::calls(self.act(), &self.set(&scratch), &scratch.join("log"))
    }

    /// Runs the child with this fault; says what came of it, in a word.
    fn check(self, call: &Call, fault: Fault) -> String {
        let Call { name, ordinal } = call;
        let what = match fault {
            Fault::Error(error) => format!("error={error}"),
            Fault::Kill => "signal=SIGKILL".to_owned(),
        };
        let scratch = Scratch::in_memory();
        let (store, log) = (self.set(&scratch), scratch.join("log"));
        let inject = format!("inject={name}:{what}:when={ordinal}");
        let ended = strace::run(self.act(), &store, &log, &["-e", &format!("trace={name}"), "-e", &inject]).end();
        let context = format!("{self:?} {call:?} {fault:?}: {:?}", ended.said);

        assert_eq!(ended.said.first().map(String::as_str), Some("begin"), "{context}");
        if fault == Fault::Kill {
            assert_eq!(ended.status.signal(), Some(SIGKILL), "{context}");
        } else {
            assert!(ended.status.success(), "{context}");
            assert_eq!(ended.said.last().map(String::as_str), Some("end"), "{context}");
            let log = fs::read_to_string(log).unwrap();
            assert_eq!(log.matches("(INJECTED)").count(), 1, "{context}\n{log}");
        }
        let outcome = match self {
            Self::Aside => judge_aside(&store, &ended, call, fault),
            Self::Saving | Self::Beginning => judge_save(self.old(), &store, &ended, call, fault),
        };
        recovers(&store);
        outcome.unwrap_or_else(|| panic!("{} {context}", number_at(store.path())))
    }
}

/// What the child said, and what is there: `None` where that is not right.
fn judge_save(old: u64, store: &FileStore, ended: &Ended, call: &Call, fault: Fault) -> Option<String> {
    let found = number_at(store.path());
    let (mut sure, mut failed) = (old, None);
    for said in &ended.said {
        match said.split_once(": ") {
            None => {}
            Some(("saved", number)) => sure = number.parse().ok()?,
            // A record that cannot be read is an error, never "nothing there".
            Some(("read", number)) if number.parse() == Ok(old) => {}
            Some((_, kind)) => failed = Some(kind),
        }
    }
    let last = old + 2;
    let right = match (fault, failed) {
        (Fault::Kill, None) => (sure..=(sure + 1).min(last)).contains(&found),
        (Fault::Error(_), None) => sure == last && found == last,
        (Fault::Error(_), Some("MaybeWritten")) => (sure..=sure + 1).contains(&found),
        (_, Some(_)) => found == sure,
    };
    match failed {
        None if fault == Fault::Kill => right.then(|| format!("{} of 2 there", found - old)),
        None => right.then(|| "done".to_owned()),
        Some(kind) => (right && fits(kind, call, fault)).then(|| kind.to_owned()),
    }
}

/// The same for setting aside.
fn judge_aside(store: &FileStore, ended: &Ended, call: &Call, fault: Fault) -> Option<String> {
    let found = (number_at(store.path()), number_at(&aside(store, 1)));
    let (stays, moved) = (found == (1, 0), found == (0, 1));
    let failed = ended.said.iter().find_map(|said| said.split_once(": "));
    match (fault, failed) {
        (Fault::Kill, None) if ended.said.len() == 1 => (stays || moved).then(|| "died before or after".to_owned()),
        (_, None) => moved.then(|| "done".to_owned()),
        (_, Some((_, kind @ "MaybeWritten"))) => ((stays || moved) && fits(kind, call, fault)).then(|| kind.to_owned()),
        (_, Some((_, kind))) => (stays && fits(kind, call, fault)).then(|| kind.to_owned()),
    }
}

/// Whether this kind of error is right for this fault.
fn fits(kind: &str, call: &Call, fault: Fault) -> bool {
    let late = call.name.starts_with("rename") || call.name.starts_with("fsync");
    match fault {
        Fault::Error("ENOSPC" | "EIO") => kind == "Unavailable" || kind == "MaybeWritten" && late,
        Fault::Error("EROFS" | "EACCES") => kind == "Unusable" || kind == "MaybeWritten" && call.name == "fsync",
        // Interrupted calls are made again, and the dead say nothing.
        Fault::Error(_) | Fault::Kill => false,
    }
}

/// The next process finds a free lock, sweeps, and goes on.
fn recovers(store: &FileStore) {
    let found = number_at(store.path());
    drop(try_lock(store).unwrap());
    assert_eq!(temporaries(store.path().parent().unwrap()), Vec::<String>::new());
    let mut lock = lock(store);
    assert_eq!(number_in(lock.read(support::LONG).unwrap().as_ref().map(AsRef::as_ref)), found);
    lock.write(&body(&numbered(found + 1)), support::LONG).unwrap();
    assert_eq!(number_at(store.path()), found + 1);
}

fn number_at(path: &Path) -> u64 {
    number_in(fs::read(path).ok().as_deref())
}

fn aside(store: &FileStore, number: u32) -> PathBuf {
    store.path().with_extension(format!("aside-{number}"))
}

fn print(table: &Table) {
    let mut totals = BTreeMap::<_, usize>::new();
    for ((call, fault), outcomes) in table {
        let cell: Vec<_> = outcomes.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
        println!("{call:<12} {fault:<8} {}", cell.join(", "));
        outcomes.iter().for_each(|(outcome, count)| *totals.entry((fault, outcome)).or_default() += count);
    }
    println!("{} runs:", totals.values().sum::<usize>());
    totals.iter().for_each(|((fault, outcome), count)| println!("{fault:<8} {outcome}: {count}"));
}
