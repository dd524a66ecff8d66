//! Command-line tools, run over and over as real processes at a service that ends a session whose refresh token is shown
//! twice. Each run reads a file, prints a token and ends: one sign-in is enough for all of them, and nothing is left
//! over.
//!
//! `PERENNIAL_RUNS=200 cargo test -p perennial-tests --test tool -- --nocapture` runs each of them so often.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, fs, process};

use perennial_emulator::{Emulator, NavienSettings};
use perennial_tests::tool::Later;

/// How long access tokens live. The last quarter is the margin.
const LIFETIME: Duration = Duration::from_secs(400);

/// How much later each run is. Of a token that is two runs old 80 s are left: enough for a run on a busy machine.
const STEP: Duration = Duration::from_secs(160);

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn a_tool_signs_in_once_in_two_hundred_runs() {
    let runs = run_over_and_over(&Tool::threaded("ahead"), 200);
    assert!(runs.refreshes >= runs.count / 4, "it hardly ever renewed: {}", runs.refreshes);
}

#[test]
fn a_lazy_tool_signs_in_once() {
    run_over_and_over(&Tool::threaded("lazy"), 40);
}

#[test]
fn a_one_shot_tool_signs_in_once_and_renews_before_its_token_ends() {
    let runs = run_over_and_over(&Tool::threaded("one-shot"), 40);
    assert!(runs.refreshes > runs.count / 3, "in every second run a token is near its end: {}", runs.refreshes);
}

#[test]
fn a_tool_with_tokio_that_finishes_signs_in_once() {
    run_over_and_over(&Tool::with_tokio("ahead", After::Finish), 40);
    run_over_and_over(&Tool::with_tokio("lazy", After::Finish), 40);
}

#[test]
fn a_one_shot_tool_with_tokio_that_returns_from_main_at_once_signs_in_once() {
    run_over_and_over(&Tool::with_tokio("one-shot", After::Return), 40);
}

#[test]
fn a_tool_whose_clock_was_a_day_ahead_never_prints_a_token_that_is_over() {
    for tool in [
        Tool::threaded("ahead"),
        Tool::threaded("lazy"),
        Tool::threaded("one-shot"),
        Tool::with_tokio("one-shot", After::Return),
    ] {
        let place = Place::new(HOUR);
        place.print_token(&tool, DAY, Login::Given);
        // The clock is set right, and the token is over at the service.
        place.service.advance(2 * HOUR);
        for _ in 0..4 {
            let token = place.print_token(&tool, 2 * HOUR, Login::Left);
            assert!(place.service.navien().is_access_valid(&token), "{tool:?}");
        }
        place.expect_one_sign_in();
    }
}

/// What a program does when it has printed its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Finish,
    Return,
}

#[derive(Debug)]
struct Tool {
    program: &'static str,
    words: Vec<&'static str>,
}

impl Tool {
    fn threaded(policy: &'static str) -> Self {
        Self { program: env!("CARGO_BIN_EXE_perennial-token"), words: vec![policy] }
    }

    fn with_tokio(policy: &'static str, after: After) -> Self {
        let after = if after == After::Return { "return" } else { "finish" };
        Self { program: env!("CARGO_BIN_EXE_perennial-token-async"), words: vec![policy, after] }
    }

    /// Whether it gives the lock back before it ends.
    fn finishes(&self) -> bool {
        !self.words.contains(&"return")
    }
}

struct Runs {
    count: usize,
    refreshes: usize,
}

fn run_over_and_over(tool: &Tool, usual: u32) -> Runs {
    let runs = env::var("PERENNIAL_RUNS").map_or(usual, |runs| runs.parse().unwrap());
    let place = Place::new(LIFETIME);
    let navien = place.service.navien();
    let mut left_over = 0;
    for number in 0..runs {
        // A renewal that is lost cannot be made good by a sign-in: nobody has the login any more.
        let login = if number == 0 { Login::Given } else { Login::Left };
        let token = place.print_token(tool, STEP * number, login);
        assert!(navien.is_access_valid(&token), "{tool:?}, run {number}: what it printed is over");
        left_over += place.left_over().len();
        place.service.advance(STEP);
    }
    let refreshes = navien.refreshes();
    println!("{:?}: {runs} runs, {refreshes} refreshes, {left_over} files left over", tool.words);
    place.expect_one_sign_in();
    if tool.finishes() {
        assert_eq!(left_over, 0, "{tool:?}");
    }
    Runs { count: runs.try_into().unwrap(), refreshes }
}

/// Whether a run knows e-mail address and password.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Login {
    Given,
    Left,
}

/// A service, and a file.
struct Place {
    service: Emulator,
    directory: PathBuf,
}

impl Place {
    fn new(access_lifetime: Duration) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tool-{}-{number}", process::id()));
        let settings = NavienSettings { access_lifetime, ..NavienSettings::default() };
        Self { service: Emulator::builder().navien(settings).start().unwrap(), directory }
    }

    /// Runs the program, so much later than now.
    fn print_token(&self, tool: &Tool, later: Duration, login: Login) -> String {
        let mut command = Command::new(tool.program);
        command.arg(self.directory.join("tool.session")).args(&tool.words).stdin(Stdio::null());
        command.env(Later::VARIABLE, later.as_millis().to_string()).env("NAVIEN_BASE_URL", self.service.navien_url());
        for (name, value) in [("NAVIEN_EMAIL", NavienSettings::EMAIL), ("NAVIEN_PASSWORD", NavienSettings::PASSWORD)] {
            match login {
                Login::Given => command.env(name, value),
                Login::Left => command.env_remove(name),
            };
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{tool:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What is in the directory besides the record and its lock.
    fn left_over(&self) -> Vec<PathBuf> {
        let kept = ["tool.session", "tool.session.lock"].map(|name| self.directory.join(name));
        let entries = fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| !kept.contains(path)).collect()
    }

    fn expect_one_sign_in(&self) {
        let navien = self.service.navien();
        assert_eq!(navien.sign_ins(), 1, "sign-ins");
        assert_eq!((navien.reuse_detected(), navien.refused_refreshes()), (0, 0), "a token was shown twice");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
