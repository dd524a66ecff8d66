//! The order of the system calls, and file systems on which some of them are missing. Needs `strace`.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::fs;
use std::path::Path;

use perennial_file::FileStore;
use rustix::process::{Pid, Signal, kill_process};
use support::action::Action;
use support::record::{number_in, numbered};
use support::strace::{self, Call};
use support::{TestDir, save, set_mode, wait_for};

#[test]
fn a_write_syncs_the_file_then_renames_it_then_syncs_the_directory() {
    if !strace::is_installed("the order of system calls") {
        return;
    }
    let (room, saved) = (["pwrite"], ["pwrite", "fsync", "rename", "fsync"]);
    let saves = [&room[..], &saved, &room, &saved, &room, &["unlink"]].concat();
    let dir = TestDir::new();
    assert_eq!(order(Action::SaveTwice, &store_with_record(&dir)), saves);
    assert_eq!(order(Action::Quarantine, &store_with_record(&dir)), ["pwrite", "rename", "fsync", "unlink"]);
    let made = ["mkdir", "mkdir", "fsync", "mkdir", "fsync"]; // the first fails, because the parent is missing too
    let dir = TestDir::new();
    assert_eq!(order(Action::SaveTwice, &empty_store(&dir)), [&made[..], &saves].concat());
}

#[test]
fn a_lock_that_is_lost_during_the_sync_writes_nothing() {
    if !strace::is_installed("a lock that is lost meanwhile") {
        return;
    }
    let dir = TestDir::new();
    let (store, log) = (store_with_record(&dir), dir.join("log"));
    let stops = ["-e", "trace=fsync", "-e", "inject=fsync:signal=SIGSTOP:when=1"];
    let child = strace::run(Action::SaveTwice, &store, &log, &stops);
    let seen = || fs::read_to_string(&log).unwrap_or_default();
    wait_for("stop", || seen().contains("stopped by SIGSTOP"));
    fs::remove_file(store.path().with_extension("lock")).unwrap();
    let stopped = seen().split_whitespace().next().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
    kill_process(stopped.unwrap(), Signal::CONT).unwrap();
    assert_eq!(child.end().lines, ["begin", "read: 1", "read: 1", "save: Lost", "end"]);
    assert_eq!(number_at(store.path()), 1);
}

#[test]
fn a_quarantine_overwrites_nothing_on_a_file_system_without_rename_noreplace() {
    if !strace::is_installed("a file system without RENAME_NOREPLACE") {
        return;
    }
    for error in ["EINVAL", "ENOSYS"] {
        let dir = TestDir::new();
        let (store, log) = (store_with_record(&dir), dir.join("log"));
        let quarantined = |number: u32| store.path().with_extension(format!("aside-{number}"));
        fs::write(quarantined(1), "older").unwrap();
        let inject = format!("inject=renameat2:error={error}");
        let ended = strace::run(Action::Quarantine, &store, &log, &["-e", "trace=renameat2", "-e", &inject]).end();
        assert_eq!(ended.lines, ["begin", "quarantined", "end"]);
        assert!(fs::read_to_string(log).unwrap().contains("(INJECTED)"));
        assert_eq!(fs::read(quarantined(1)).unwrap(), b"older");
        assert_eq!(number_at(&quarantined(2)), 1);
    }
}

#[test]
fn a_file_system_that_keeps_no_modes_is_unusable() {
    if !strace::is_installed("a file system that keeps no modes") {
        return;
    }
    let dir = TestDir::new();
    let (store, log) = (store_with_record(&dir), dir.join("log"));
    set_mode(store.path(), 0o644);
    let ended =
        strace::run(Action::SaveTwice, &store, &log, &["-e", "trace=fchmod", "-e", "inject=fchmod:retval=0"]).end();
    assert_eq!(ended.lines, ["begin", "read: Unusable", "end"]);
}

#[test]
fn a_file_system_that_cannot_sync_directories_is_accepted() {
    if !strace::is_installed("a file system that syncs no directories") {
        return;
    }
    let dir = TestDir::new();
    let (store, log) = (store_with_record(&dir), dir.join("log"));
    let second = ["-e", "trace=fsync", "-e", "inject=fsync:error=EINVAL:when=2"];
    let ended = strace::run(Action::SaveTwice, &store, &log, &second).end();
    assert_eq!(ended.lines, ["begin", "read: 1", "read: 1", "saved: 2", "saved: 3", "end"]);
    assert!(fs::read_to_string(log).unwrap().contains("(INJECTED)"));
}

/// A store whose directory is missing, and the one above it.
fn empty_store(dir: &TestDir) -> FileStore {
    FileStore::new(dir.join("state").join("app").join("session"))
}

/// A store with record number 1.
fn store_with_record(dir: &TestDir) -> FileStore {
    let store = empty_store(dir);
    save(&store, &numbered(1));
    store
}

fn order(action: Action, store: &FileStore) -> Vec<&'static str> {
    let dir = TestDir::new();
    let steps = ["mkdir", "pwrite", "fsync", "rename", "unlink"];
    let step = |call: Call| steps.into_iter().find(|step| call.name.starts_with(step));
    strace::calls(action, store, &dir.join("log")).into_iter().filter_map(step).collect()
}

fn number_at(path: &Path) -> u64 {
    number_in(fs::read(path).ok().as_deref())
}
