//! Child processes, which run `tests/support/child_main.rs`.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::{env, thread};

use super::LONG;
use super::action::Action;

/// The path of the child's program. It is built with all tests of the crate, but not with one that is picked by `--test`.
pub(crate) fn program() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap(); // The test is in its `deps`.
    let program = profile.join("examples/perennial-file-child");
    assert!(program.is_file(), "missing: cargo build -p perennial-file --example perennial-file-child");
    program
}

/// The command of a child that does this with the session at this path.
pub(crate) fn command(action: Action, path: &Path) -> Command {
    command_of(&program(), action, path)
}

/// The same with a copy of the program, which is at `program`.
pub(crate) fn command_of(program: &Path, action: Action, path: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(format!("{action:?}")).arg(path);
    command
}

/// The same command as an argument of another one: `strace`, say.
pub(crate) fn under(wrapper: impl AsRef<OsStr>, options: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(wrapper);
    wrapped.args(options).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped
}

/// A running child. Dropping it kills it.
pub(crate) struct Child {
    process: Process,
    lines: Receiver<String>,
}

/// How a child ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) lines: Vec<String>,
}

impl Child {
    pub(crate) fn run(mut command: Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, lines) = mpsc::channel();
        let out = BufReader::new(process.stdout.take().unwrap());
        let mut errors = process.stderr.take().unwrap();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        // Read to the end, so that a full pipe does not block the child. Its text is dropped: a test notices a child that
        // failed by the lines that are missing.
        thread::spawn(move || io::copy(&mut errors, &mut io::sink()));
        Self { process, lines }
    }

    /// The next line that it prints. `None` if it has ended.
    pub(crate) fn next_line(&self) -> Option<String> {
        match self.lines.recv_timeout(LONG) {
            Ok(text) => Some(text),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the child prints nothing"),
        }
    }

    pub(crate) fn send_line(&mut self, line: &str) {
        let input = self.process.stdin.as_mut().unwrap();
        input.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn kill(&mut self) -> ExitStatus {
        self.process.kill().unwrap();
        self.process.wait().unwrap()
    }

    /// Closes its input and waits until it has ended. Returns the lines that were not read yet.
    pub(crate) fn end(mut self) -> Ended {
        drop(self.process.stdin.take());
        let lines = std::iter::from_fn(|| self.next_line()).collect();
        // It has closed its output, so it ends at once or has ended.
        let status = self.process.wait().unwrap();
        Ended { status, lines }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
