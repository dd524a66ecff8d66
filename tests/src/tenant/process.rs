//! One tenant, from outside.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use super::{Orders, Said};

/// A tenant that runs. Killed when it is dropped.
pub struct Process {
    child: Child,
}

/// What a running tenant is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Renew in every cell, again and again.
    Renew,
    /// Leave off.
    Stop,
    /// Look into the stores: somebody may have written.
    Look,
    /// Ask every session for credentials, and tell what callers get.
    Show,
}

impl Order {
    const ALL: [Self; 4] = [Self::Renew, Self::Stop, Self::Look, Self::Show];

    fn word(self) -> &'static str {
        match self {
            Order::Renew => "renew",
            Order::Stop => "stop",
            Order::Look => "look",
            Order::Show => "show",
        }
    }

    /// From a line.
    pub fn parse(line: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.word() == line)
    }
}

impl Process {
    /// Starts this program, with more environment if need be. What it says goes to `listener`, line by line, and
    /// `None` at its end.
    pub fn start(
        program: &Path,
        orders: &Orders,
        environment: &[(&str, &str)],
        listener: impl Fn(Option<Said>) + Send + 'static,
    ) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(orders.arguments())
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).lines();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                match line.parse() {
                    Ok(said) => listener(Some(said)),
                    Err(_) => eprintln!("a tenant says: {line}"),
                }
            }
            listener(None);
        });
        Ok(Self { child })
    }

    /// Tells it something.
    pub fn tell(&mut self, order: Order) -> io::Result<()> {
        let input = self.child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(format!("{}\n", order.word()).as_bytes())
    }

    /// Kills it, as it is.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Nothing more to tell: it ends by itself.
    pub fn end_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Whether it ended well. Asked when it has said its last word: waits for its end.
    pub fn ended_well(mut self) -> io::Result<bool> {
        Ok(self.child.wait()?.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
