//! Fault injection: every system call of a read and two writes under one lock fails once with each error, and the process
//! is killed once at it. The same for a quarantine. Each time the record is whole and where it should be, and what the
//! store reports is true.
//!
//! `cargo test -p perennial-file any_failing -- --nocapture` prints the table. Needs `strace`.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use perennial_file::FileStore;
use support::action::Action;
use support::child::Ended;
use support::record::{number_in, numbered};
use support::strace::{self, Call};
use support::{TestDir, body, lock, save, temp_files, try_lock};

const ERRORS: [&str; 5] = ["ENOSPC", "EIO", "EINTR", "EROFS", "EACCES"];
const WORKERS: usize = 2;
const SIGKILL: i32 = 9;

/// System calls that are not the store's: memory, and what the child prints. No error is injected into them, but the
/// process is killed at them.
const OTHERS: [&str; 11] =
    ["write", "mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "futex", "getpid", "geteuid", "getegid"];

#[test]
fn any_failing_system_call_leaves_a_whole_record_and_a_true_report() {
    if !strace::is_installed("the sweep over system calls") {
        return;
    }
    let queue = Mutex::new(Vec::new());
    for scenario in [Scenario::Saving, Scenario::Beginning, Scenario::Quarantining] {
        for call in scenario.calls() {
            let fails = !OTHERS.contains(&call.name.as_str());
            let errors = ERRORS.into_iter().map(Fault::Error).filter(|_| fails);
            let cells = errors.chain([Fault::Kill]).map(|fault| (scenario, call.clone(), fault));
            queue.lock().unwrap().extend(cells);
        }
    }
    let table = Mutex::new(Table::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some((scenario, call, fault)) = queue.lock().unwrap().pop() else { break };
                    let outcome = scenario.check(&call, fault);
                    *table.lock().unwrap().entry((call.name, fault.name())).or_default().entry(outcome).or_default() +=
                        1;
                }
            });
        }
    });
    print(&table.into_inner().unwrap());
}

/// What the directory holds, and what the child does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scenario {
    /// The file holds record 1; the child writes 2 and 3.
    Saving,
    /// There is not even a directory; the child writes 1 and 2.
    Beginning,
    /// The file holds record 1; the child quarantines it.
    Quarantining,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Error(&'static str),
    /// The process is killed before the call.
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

impl Scenario {
    fn old(self) -> u64 {
        u64::from(self != Self::Beginning)
    }

    fn set(self, dir: &TestDir) -> FileStore {
        let store = FileStore::new(dir.join("state").join("app").join("session"));
        if self.old() == 1 {
            save(&store, &numbered(1));
        }
        store
    }

    fn action(self) -> Action {
        if self == Self::Quarantining { Action::Quarantine } else { Action::SaveTwice }
    }

    fn calls(self) -> Vec<Call> {
        let dir = TestDir::in_memory();
        strace::calls(self.action(), &self.set(&dir), &dir.join("log"))
    }

    /// Runs the child with this fault. Returns the outcome in a word.
    fn check(self, call: &Call, fault: Fault) -> String {
        let Call { name, ordinal } = call;
        let what = match fault {
            Fault::Error(error) => format!("error={error}"),
            Fault::Kill => "signal=SIGKILL".to_owned(),
        };
        let dir = TestDir::in_memory();
        let (store, log) = (self.set(&dir), dir.join("log"));
        let inject = format!("inject={name}:{what}:when={ordinal}");
        let ended = strace::run(self.action(), &store, &log, &["-e", &format!("trace={name}"), "-e", &inject]).end();
        let context = format!("{self:?} {call:?} {fault:?}: {:?}", ended.lines);

        assert_eq!(ended.lines.first().map(String::as_str), Some("begin"), "{context}");
        if fault == Fault::Kill {
            assert_eq!(ended.status.signal(), Some(SIGKILL), "{context}");
        } else {
            assert!(ended.status.success(), "{context}");
            assert_eq!(ended.lines.last().map(String::as_str), Some("end"), "{context}");
            let log = fs::read_to_string(log).unwrap();
            assert_eq!(log.matches("(INJECTED)").count(), 1, "{context}\n{log}");
        }
        let outcome = match self {
            Self::Quarantining => judge_quarantine(&store, &ended, call, fault),
            Self::Saving | Self::Beginning => judge_save(self.old(), &store, &ended, call, fault),
        };
        recovers(&store);
        outcome.unwrap_or_else(|| panic!("{} {context}", number_at(store.path())))
    }
}

/// Whether the child's lines and the file agree, and the outcome in a word; `None` if they do not.
fn judge_save(old: u64, store: &FileStore, ended: &Ended, call: &Call, fault: Fault) -> Option<String> {
    let found = number_at(store.path());
    let (mut sure, mut failed) = (old, None);
    for line in &ended.lines {
        match line.split_once(": ") {
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

/// The same for a quarantine.
fn judge_quarantine(store: &FileStore, ended: &Ended, call: &Call, fault: Fault) -> Option<String> {
    let found = (number_at(store.path()), number_at(&quarantined(store, 1)));
    let (stays, moved) = (found == (1, 0), found == (0, 1));
    let failed = ended.lines.iter().find_map(|line| line.split_once(": "));
    match (fault, failed) {
        (Fault::Kill, None) if ended.lines.len() == 1 => (stays || moved).then(|| "died before or after".to_owned()),
        (_, None) => moved.then(|| "done".to_owned()),
        (_, Some((_, kind @ "MaybeWritten"))) => ((stays || moved) && fits(kind, call, fault)).then(|| kind.to_owned()),
        (_, Some((_, kind))) => (stays && fits(kind, call, fault)).then(|| kind.to_owned()),
    }
}

/// Whether this kind of error may be reported for this fault.
fn fits(kind: &str, call: &Call, fault: Fault) -> bool {
    let late = call.name.starts_with("rename") || call.name.starts_with("fsync");
    match fault {
        Fault::Error("ENOSPC" | "EIO") => kind == "Unavailable" || kind == "MaybeWritten" && late,
        Fault::Error("EROFS" | "EACCES") => kind == "Unusable" || kind == "MaybeWritten" && call.name == "fsync",
        // An interrupted call is repeated, and a killed process reports nothing.
        Fault::Error(_) | Fault::Kill => false,
    }
}

/// Asserts that the next process finds a free lock, removes temporary files, and can write.
fn recovers(store: &FileStore) {
    let found = number_at(store.path());
    drop(try_lock(store).unwrap());
    assert_eq!(temp_files(store.path().parent().unwrap()), Vec::<String>::new());
    let mut lock = lock(store);
    assert_eq!(number_in(lock.read(support::LONG).unwrap().as_ref().map(AsRef::as_ref)), found);
    lock.write(&body(&numbered(found + 1)), support::LONG).unwrap();
    assert_eq!(number_at(store.path()), found + 1);
}

fn number_at(path: &Path) -> u64 {
    number_in(fs::read(path).ok().as_deref())
}

fn quarantined(store: &FileStore, number: u32) -> PathBuf {
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
