//! The one connection that a call, or a lock, uses. It is opened when it is first needed, and again after it broke.

use std::sync::Arc;

use perennial_core::store::STORE_TIMEOUT;

use crate::command_error::CommandError;
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::resp::{Command, Reply};
use crate::shared::{PendingRelease, Shared};

/// A connection, or the place for one.
pub(crate) struct ConnectionSlot {
    pub(crate) shared: Arc<Shared>,
    connection: Option<Connection>,
}

impl ConnectionSlot {
    /// Without a connection yet.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, connection: None }
    }

    /// The connection. Opens one if there is none.
    pub(crate) fn connect(&mut self, deadline: Deadline) -> Result<&mut Connection, CommandError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.open(deadline)?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Opens a connection and releases on it the locks that earlier ones could not release.
    fn open(&self, deadline: Deadline) -> Result<Connection, CommandError> {
        let mut connection = Connection::open(&self.shared.settings, deadline)?;
        let mut pending = self.shared.take_pending_releases().into_iter();
        while let Some(PendingRelease { owner, expires }) = pending.next() {
            if let Err(error) = connection.execute(&self.shared.release_command(&owner), deadline) {
                self.shared.add_pending_release(owner, expires);
                pending.for_each(|release| self.shared.add_pending_release(release.owner, release.expires));
                // The caller's own command was not sent yet.
                return Err(match error {
                    CommandError::ReplyLost(error) => CommandError::NotSent(error),
                    error => error,
                });
            }
        }
        Ok(connection)
    }

    /// Executes an idempotent command. If a connection from earlier turns out to be dead, the command is sent once more
    /// on a new one.
    pub(crate) fn execute(&mut self, command: &Command, deadline: Deadline) -> Result<Reply, CommandError> {
        let was_open = self.connection.is_some();
        match self.execute_once(command, deadline) {
            Err(CommandError::ReplyLost(_)) if was_open && deadline.remaining().is_ok() => {
                self.execute_once(command, deadline).map_err(CommandError::after_lost_reply)
            }
            outcome => outcome,
        }
    }

    /// Executes a command on the connection there is, or on a new one, without a second attempt.
    pub(crate) fn execute_once(&mut self, command: &Command, deadline: Deadline) -> Result<Reply, CommandError> {
        let outcome = self.connect(deadline)?.execute(command, deadline);
        if !matches!(outcome, Ok(_) | Err(CommandError::Rejected { .. })) {
            self.connection = None;
        }
        outcome
    }
}

/// The deadline of one attempt within a longer wait for the lock: [`STORE_TIMEOUT`] (5 s) at most, so that a server that
/// hangs is noticed long before the wait ends.
pub(crate) fn attempt_deadline(whole: Deadline) -> Deadline {
    whole.min(Deadline::after(STORE_TIMEOUT))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_attempt_takes_no_longer_than_one_operation_may() {
        let (short, long) = (Deadline::after(Duration::from_secs(1)), Deadline::after(Duration::from_secs(40)));
        assert_eq!(attempt_deadline(short), short);
        assert!(attempt_deadline(long) <= Deadline::after(STORE_TIMEOUT));
    }
}
