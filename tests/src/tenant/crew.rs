//! Several tenants, and one ear for all of them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};

use super::{Order, Orders, Process, Said};
use crate::LONG;

/// Tenants that run, by number. A number is given once, so that whoever replaces another has one of its own.
pub struct Crew {
    program: PathBuf,
    running: BTreeMap<usize, Process>,
    started: usize,
    tongue: Sender<Line>,
    ear: Receiver<Line>,
}

/// What one of them has said.
#[derive(Clone, Debug)]
pub struct Line {
    /// Who.
    pub process: usize,
    /// `None`: it has ended.
    pub said: Option<Said>,
}

impl Crew {
    /// Nobody yet. All of them will run this program.
    pub fn of(program: impl AsRef<Path>) -> Self {
        let (tongue, ear) = mpsc::channel();
        Self { program: program.as_ref().to_owned(), running: BTreeMap::new(), started: 0, tongue, ear }
    }

    /// Starts one, with more environment if need be: its number.
    pub fn start(&mut self, orders: &Orders, environment: &[(&str, &str)]) -> io::Result<usize> {
        let (process, tongue) = (self.started, self.tongue.clone());
        let listener = move |said| {
            let _ = tongue.send(Line { process, said });
        };
        self.running.insert(process, Process::start(&self.program, orders, environment, listener)?);
        self.started += 1;
        Ok(process)
    }

    /// The numbers of those that run.
    pub fn running(&self) -> Vec<usize> {
        self.running.keys().copied().collect()
    }

    /// Tells one of them something.
    pub fn tell(&mut self, process: usize, order: Order) -> io::Result<()> {
        self.running.get_mut(&process).ok_or(io::ErrorKind::NotFound)?.tell(order)
    }

    /// Tells all of them something.
    pub fn tell_all(&mut self, order: Order) -> io::Result<()> {
        self.running.values_mut().try_for_each(|process| process.tell(order))
    }

    /// Kills one, as it is.
    pub fn kill(&mut self, process: usize) -> io::Result<()> {
        self.running.remove(&process).ok_or(io::ErrorKind::NotFound)?.kill()
    }

    /// The next line of anybody; `None` when nobody says anything for long.
    pub fn hear(&self) -> Option<Line> {
        self.ear.recv_timeout(LONG).ok()
    }

    /// Ends the input of all of them, and waits until they have ended: how many did not end well, or not in time.
    pub fn end(&mut self) -> io::Result<usize> {
        let mut open = Vec::new();
        for (number, mut process) in std::mem::take(&mut self.running) {
            process.end_input();
            open.push((number, process));
        }
        let mut bad = 0;
        while !open.is_empty() {
            let Some(line) = self.hear() else { return Ok(bad + open.len()) };
            if line.said.is_none()
                && let Some(place) = open.iter().position(|(number, _)| *number == line.process)
            {
                bad += usize::from(!open.swap_remove(place).1.ended_well()?);
            }
        }
        Ok(bad)
    }
}
