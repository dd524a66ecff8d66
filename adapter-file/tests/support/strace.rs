//! A child under `strace`, which logs its system calls and lets them fail.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use perennial_file::FileStore;

use super::action::Action;
use super::child::{Child, command, under};
use super::skipped;

/// The `ordinal`-th call of this name that a child makes, from 1.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) ordinal: usize,
}

/// Whether this machine has `strace`. If not, prints which test is skipped.
pub(crate) fn is_installed(what: &str) -> bool {
    let missing = Command::new("strace").arg("--version").output().err();
    if let Some(error) = &missing {
        skipped(what, &format!("strace: {error}"));
    }
    missing.is_none()
}

/// A child under `strace` with these options. The system calls are logged to `log`.
pub(crate) fn run(action: Action, store: &FileStore, log: &Path, options: &[&str]) -> Child {
    let mut all = vec!["-f", "-qq", "-o", log.to_str().unwrap()];
    all.extend(options);
    all.push("--");
    Child::run(under("strace", &all, &command(action, store.path())))
}

/// The system calls between the lines "begin" and "end" that a child prints, without those that print.
pub(crate) fn calls(action: Action, store: &FileStore, log: &Path) -> Vec<Call> {
    let ended = run(action, store, log, &[]).end();
    assert!(ended.status.success(), "{:?}", ended.lines);
    assert_eq!(ended.lines.last().map(String::as_str), Some("end"), "{:?}", ended.lines);
    let log = fs::read_to_string(log).unwrap();
    let (mut counts, mut calls, mut inside) = (BTreeMap::<&str, usize>::new(), Vec::new(), false);
    for line in log.lines() {
        // "123 openat(…"; the child has one thread.
        let call = line.split_once(' ').and_then(|(_, call)| call.trim_start().split_once('('));
        let Some((name, arguments)) = call else { continue };
        let ordinal = counts.entry(name).or_default();
        *ordinal += 1;
        let says = |what: &str| name == "write" && arguments.starts_with(&format!("1, \"{what}\\n\""));
        if says("end") {
            return calls;
        }
        if inside && name != "write" {
            calls.push(Call { name: name.to_owned(), ordinal: *ordinal });
        }
        inside |= says("begin");
    }
    panic!("no end in {} lines", log.lines().count());
}
