//! The process, from outside.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A process that plays one scene. Killed when it is dropped.
pub struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it, and waits until it holds all that the scene has.
    pub fn start(program: &Path, scene: &str, seed: u64) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let mut process = Self { child, input, output: BufReader::new(output) };
        process.tell(&format!("{scene} {seed}"), "holding")?;
        Ok(process)
    }

    /// Lets it drop all that it holds, and waits until that is done.
    pub fn drop_all(&mut self) -> io::Result<()> {
        self.tell("drop", "dropped")
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn tell(&mut self, order: &str, answer: &str) -> io::Result<()> {
        writeln!(self.input, "{order}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.trim() == answer { Ok(()) } else { Err(io::Error::other(format!("it says {line:?} to {order:?}"))) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
