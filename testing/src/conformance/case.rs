//! What the suites share: a case, a case that failed, and how one is run so that it cannot hang.

use std::any::Any;
use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// A case: what an implementation has to do, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Case {
    /// Its name, by which it is found and run.
    pub name: &'static str,
    /// What a session relies on it for.
    pub reason: &'static str,
}

/// A case that failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The case.
    pub case: Case,
    /// What the implementation did.
    pub found: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found.replace('\n', "\n         ");
        write!(f, "{}\n  found: {found}\n  why:   {}", self.case.name, self.case.reason)
    }
}

impl std::error::Error for Failure {}

impl Case {
    pub(super) fn failure(self, found: impl Into<String>) -> Failure {
        Failure { case: self, found: found.into() }
    }

    /// Runs the test of this case in a thread of its own, so that one that hangs fails too.
    pub(super) fn outcome(self, longest: Duration, test: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
        let (running, ended) = mpsc::channel::<()>();
        let thread = thread::Builder::new().name(self.name.into()).spawn(move || {
            let _running = running;
            test();
        });
        let thread = thread.map_err(|error| self.failure(format!("no thread to run it: {error}")))?;
        if ended.recv_timeout(longest) == Err(RecvTimeoutError::Timeout) {
            return Err(self.failure(format!("a call has not ended after {longest:?}")));
        }
        thread.join().map_err(|panic| self.failure(message(&*panic)))
    }

    /// The case of this name.
    #[track_caller]
    pub(super) fn named(name: &str, cases: &[Self]) -> Self {
        *cases.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("there is no case {name}"))
    }
}

/// Panics with all that failed.
#[track_caller]
pub(super) fn report(failed: &[Failure], of: usize) {
    let list: Vec<String> = failed.iter().map(|failure| format!("\n\n{failure}")).collect();
    assert!(failed.is_empty(), "{} of {of} cases failed:{}\n", failed.len(), list.concat());
}

/// Panics with this failure, if it is one.
#[track_caller]
pub(super) fn expect_passed(outcome: Result<(), Failure>) {
    assert!(outcome.is_ok(), "{}\n", outcome.err().map_or_else(String::new, |failure| failure.to_string()));
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_else(|| "a panic".into())
}

/// Says that a case tests what this implementation does not promise.
pub(super) fn does_not_apply(why: &str) {
    println!("does not apply: {why}");
}
