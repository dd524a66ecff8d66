//! Which system calls are made, and what they cannot be trusted with. Needs `strace`.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::fs;
use std::path::Path;

use perennial_file::FileStore;
use rustix::process::{Pid, Signal, kill_process};
use support::act::Act;
use support::record::{number_in, numbered};
use support::strace::{self, Call};
use support::{Scratch, save, set_mode, wait_for};

#[test]
fn a_save_is_synced_before_it_is_renamed_and_after() {
    if !strace::is_there("the order of system calls") {
        return;
    }
    let (room, saved) = (["pwrite"], ["pwrite", "fsync", "rename", "fsync"]);
    let saves = [&room[..], &saved, &room, &saved, &room, &["unlink"]].concat();
    let scratch = Scratch::new();
    assert_eq!(order(Act::MarksAndSaves, &there(&scratch)), saves);
    assert_eq!(order(Act::SetsAside, &there(&scratch)), ["pwrite", "rename", "fsync", "unlink"]);
    let made = ["mkdir", "mkdir", "fsync", "mkdir", "fsync"]; // the first finds that there is nothing above it
    let scratch = Scratch::new();
    assert_eq!(order(Act::MarksAndSaves, &missing(&scratch)), [&made[..], &saves].concat());
}

#[test]
fn a_lock_that_is_lost_while_a_record_is_synced_writes_nothing() {
    if !strace::is_there("a lock that is lost meanwhile") {
        return;
    }
    let scratch = Scratch::new();
    let (store, log) = (there(&scratch), scratch.join("log"));
    let stops = ["-e", "trace=fsync", "-e", "inject=fsync:signal=SIGSTOP:when=1"];
    let child = strace::run(Act::MarksAndSaves, &store, &log, &stops);
    let seen = || fs::read_to_string(&log).unwrap_or_default();
    wait_for("stop", || seen().contains("stopped by SIGSTOP"));
    fs::remove_file(store.path().with_extension("lock")).unwrap();
    let stopped = seen().split_whitespace().next().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
    kill_process(stopped.unwrap(), Signal::CONT).unwrap();
    assert_eq!(child.end().said, ["begin", "read: 1", "read: 1", "save: Lost", "end"]);
    assert_eq!(number_at(store.path()), 1);
}

#[test]
fn nothing_is_overwritten_where_a_rename_cannot_promise_that() {
    if !strace::is_there("a file system without RENAME_NOREPLACE") {
        return;
    }
    for error in ["EINVAL", "ENOSYS"] {
        let scratch = Scratch::new();
        let (store, log) = (there(&scratch), scratch.join("log"));
        let aside = |number: u32| store.path().with_extension(format!("aside-{number}"));
        fs::write(aside(1), "older").unwrap();
        let inject = format!("inject=renameat2:error={error}");
        let ended = strace::run(Act::SetsAside, &store, &log, &["-e", "trace=renameat2", "-e", &inject]).end();
        assert_eq!(ended.said, ["begin", "set aside", "end"]);
        assert!(fs::read_to_string(log).unwrap().contains("(INJECTED)"));
        assert_eq!(fs::read(aside(1)).unwrap(), b"older");
        assert_eq!(number_at(&aside(2)), 1);
    }
}

#[test]
fn a_file_system_that_keeps_no_modes_is_unusable() {
    if !strace::is_there("a file system that keeps no modes") {
        return;
    }
    let scratch = Scratch::new();
    let (store, log) = (there(&scratch), scratch.join("log"));
    set_mode(store.path(), 0o644);
    let ended =
        strace::run(Act::MarksAndSaves, &store, &log, &["-e", "trace=fchmod", "-e", "inject=fchmod:retval=0"]).end();
    assert_eq!(ended.said, ["begin", "read: Unusable", "end"]);
}

#[test]
fn a_directory_that_cannot_be_synced_is_good_enough() {
    if !strace::is_there("a file system that syncs no directories") {
        return;
    }
    let scratch = Scratch::new();
    let (store, log) = (there(&scratch), scratch.join("log"));
    let second = ["-e", "trace=fsync", "-e", "inject=fsync:error=EINVAL:when=2"];
    let ended = strace::run(Act::MarksAndSaves, &store, &log, &second).end();
    assert_eq!(ended.said, ["begin", "read: 1", "read: 1", "saved: 2", "saved: 3", "end"]);
    assert!(fs::read_to_string(log).unwrap().contains("(INJECTED)"));
}

/// A store whose directory is missing, and the one above it.
fn missing(scratch: &Scratch) -> FileStore {
    FileStore::new(scratch.join("state").join("app").join("session"))
}

/// A store with record number 1.
fn there(scratch: &Scratch) -> FileStore {
    let store = missing(scratch);
    save(&store, &numbered(1));
    store
}

fn order(act: Act, store: &FileStore) -> Vec<&'static str> {
    let scratch = Scratch::new();
    let steps = ["mkdir", "pwrite", "fsync", "rename", "unlink"];
    let step = |call: Call| steps.into_iter().find(|step| call.name.starts_with(step));
    strace::calls(act, store, &scratch.join("log")).into_iter().filter_map(step).collect()
}

fn number_at(path: &Path) -> u64 {
    number_in(fs::read(path).ok().as_deref())
}
