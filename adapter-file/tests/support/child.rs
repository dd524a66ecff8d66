//! A process of its own: `tests/support/process.rs`.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use super::LONG;
use super::act::Act;

/// The program that a child runs.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_perennial-file-child");

/// The command that makes a child do this.
pub(crate) fn command(act: Act, place: &Path) -> Command {
    command_of(PROGRAM.as_ref(), act, place)
}

/// The same with a copy of the program.
pub(crate) fn command_of(program: &Path, act: Act, place: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(format!("{act:?}")).arg(place);
    command
}

/// The same command, run by another one.
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

/// A child that runs. Killed when it is dropped.
pub(crate) struct Child {
    process: Process,
    said: Receiver<String>,
}

/// How a child ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) said: Vec<String>,
}

impl Child {
    pub(crate) fn run(mut command: Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, said) = mpsc::channel();
        let out = BufReader::new(process.stdout.take().unwrap());
        let mut errors = process.stderr.take().unwrap();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        // Read to its end, so that nobody blocks on it; a child that fails is noticed by what it does not say.
        thread::spawn(move || io::copy(&mut errors, &mut io::sink()));
        Self { process, said }
    }

    /// What it says next; `None` once it has ended.
    pub(crate) fn hear(&self) -> Option<String> {
        match self.said.recv_timeout(LONG) {
            Ok(text) => Some(text),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the child hangs"),
        }
    }

    pub(crate) fn tell(&mut self, line: &str) {
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

    /// Ends its input, and waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        drop(self.process.stdin.take());
        let said = std::iter::from_fn(|| self.hear()).collect();
        // It has closed its output: it ends now, or has.
        let status = self.process.wait().unwrap();
        Ended { status, said }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
