//! The way to Redis of one call, or of one lock: a connection that is made when it is needed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use perennial_core::store::STORE_TIMEOUT;
use perennial_core::wire::Body;

use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::keys::RELEASE;
use crate::random::Owner;
use crate::refusal::{Failure, unexpected};
use crate::resp::{Command, Reply};
use crate::settings::Settings;

/// What all clones of a store have in common.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    /// Locks that may still be ours in Redis although nobody here holds them: given back with the next connection.
    owed: Mutex<Vec<Owed>>,
}

struct Owed {
    owner: Owner,
    /// Then Redis has ended it by itself.
    until: Instant,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, owed: Mutex::default() }
    }

    /// Notes a lock that could not be given back.
    pub(crate) fn owe(&self, owner: Owner, until: Instant) {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner).push(Owed { owner, until });
    }

    fn take_owed(&self) -> Vec<Owed> {
        let mut owed = std::mem::take(&mut *self.owed.lock().unwrap_or_else(PoisonError::into_inner));
        let now = Instant::now();
        owed.retain(|owed| owed.until > now);
        owed
    }

    /// The command that gives a lock back.
    pub(crate) fn release(&self, owner: &Owner) -> Command {
        script(RELEASE, &[&self.settings.keys.lock], &[owner.as_bytes()])
    }
}

/// Runs a script. Its text goes along each time: it is short, and a server forgets.
pub(crate) fn script(text: &str, keys: &[&str], arguments: &[&[u8]]) -> Command {
    let count = keys.len().to_string();
    let mut parts = vec![text.as_bytes(), count.as_bytes()];
    parts.extend(keys.iter().map(|key| key.as_bytes()));
    parts.extend(arguments);
    Command::new("EVAL", &parts)
}

pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    connection: Option<Connection>,
}

impl Link {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, connection: None }
    }

    /// The connection, made if there is none.
    pub(crate) fn connected(&mut self, deadline: Deadline) -> Result<&mut Connection, Failure> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.open(deadline)?,
        };
        Ok(self.connection.insert(connection))
    }

    fn open(&self, deadline: Deadline) -> Result<Connection, Failure> {
        let mut connection = Connection::open(&self.shared.settings, deadline)?;
        let mut owed = self.shared.take_owed().into_iter();
        while let Some(Owed { owner, until }) = owed.next() {
            if let Err(failure) = connection.ask(&self.shared.release(&owner), deadline) {
                self.shared.owe(owner, until);
                owed.for_each(|owed| self.shared.owe(owed.owner, owed.until));
                return Err(match failure {
                    Failure::Cut(error) => Failure::NotSent(error),
                    failure => failure,
                });
            }
        }
        Ok(connection)
    }

    /// Asks what may be asked twice. A connection that was kept may have ended meanwhile, so there is a second try.
    pub(crate) fn ask(&mut self, command: &Command, deadline: Deadline) -> Result<Reply, Failure> {
        let was_kept = self.connection.is_some();
        match self.ask_once(command, deadline) {
            Err(Failure::Cut(_)) if was_kept && deadline.left().is_ok() => {
                self.ask_once(command, deadline).map_err(Failure::after_a_cut)
            }
            outcome => outcome,
        }
    }

    /// Asks on the connection there is, or on a new one.
    pub(crate) fn ask_once(&mut self, command: &Command, deadline: Deadline) -> Result<Reply, Failure> {
        let outcome = self.connected(deadline)?.ask(command, deadline);
        if !matches!(outcome, Ok(_) | Err(Failure::Refused { .. })) {
            self.connection = None;
        }
        outcome
    }
}

/// A record, if there is one.
pub(crate) fn record(reply: Reply) -> Result<Option<Body>, Failure> {
    match reply {
        Reply::Text(mut text) => Ok(Some(Body::from(std::mem::take(&mut *text)))),
        Reply::Nothing => Ok(None),
        _ => Err(unexpected()),
    }
}

/// The end of one conversation within a longer call: a server that hangs is found out sooner.
pub(crate) fn conversation(whole: Deadline) -> Deadline {
    whole.min(Deadline::after(STORE_TIMEOUT))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_conversation_takes_no_longer_than_an_operation_may() {
        let (short, long) = (Deadline::after(Duration::from_secs(1)), Deadline::after(Duration::from_secs(40)));
        assert_eq!(conversation(short), short);
        assert!(conversation(long) <= Deadline::after(STORE_TIMEOUT));
    }
}
