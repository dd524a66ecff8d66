//! Why a command failed, and which kind of store error that is.

use std::{fmt, io};

use perennial_core::store::{StoreError, StoreErrorKind};

/// The code at the beginning of an error reply: `NOAUTH`, say. The text behind it is not kept, because Redis may repeat
/// in it what it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ErrorCode(&'static str);

/// The codes of Redis and Valkey, and the kind of store error that each becomes.
///
/// `Unusable` means that a person has to act: give a password or a right, choose another address, make room.
/// `Unavailable` passes by itself: the server starts, is busy, or has just been replaced as the primary.
const CODES: &[(&str, StoreErrorKind)] = &[
    ("ASK", StoreErrorKind::Unusable),
    ("BUSY", StoreErrorKind::Unavailable),
    ("CLUSTERDOWN", StoreErrorKind::Unavailable),
    ("CROSSSLOT", StoreErrorKind::Unusable),
    ("DENIED", StoreErrorKind::Unusable),
    ("LOADING", StoreErrorKind::Unavailable),
    ("MASTERDOWN", StoreErrorKind::Unavailable),
    ("MISCONF", StoreErrorKind::Unusable),
    ("MOVED", StoreErrorKind::Unusable),
    ("NOAUTH", StoreErrorKind::Unusable),
    ("NOPERM", StoreErrorKind::Unusable),
    ("NOREPLICAS", StoreErrorKind::Unavailable),
    ("OOM", StoreErrorKind::Unusable),
    ("READONLY", StoreErrorKind::Unavailable),
    ("TRYAGAIN", StoreErrorKind::Unavailable),
    ("WRONGPASS", StoreErrorKind::Unusable),
    ("WRONGTYPE", StoreErrorKind::Unusable),
];

/// An error reply without a code of its own. It passes by itself.
const TOO_MANY_CLIENTS: &str = "max number of clients";
/// How Redis up to 7.0 says `NOPERM` if a script runs a command that the user may not run.
const NO_RIGHT_IN_SCRIPT: &str = "The user executing the script can't";
/// The code of everything else: an unknown command, a database that does not exist.
const OTHER: &str = "ERR";

impl ErrorCode {
    /// The code in an error reply. All words are searched, because Redis 6 puts the code of an error in a script behind
    /// the name of the script.
    pub(crate) fn parse(line: &[u8]) -> Self {
        let line = String::from_utf8_lossy(line);
        if line.contains(TOO_MANY_CLIENTS) {
            return Self(TOO_MANY_CLIENTS);
        }
        if line.contains(NO_RIGHT_IN_SCRIPT) {
            return Self("NOPERM");
        }
        let known = |word: &str| CODES.iter().find(|(code, _)| *code == word).map(|(code, _)| *code);
        Self(line.split(' ').find_map(known).unwrap_or(OTHER))
    }

    fn kind(self) -> StoreErrorKind {
        let listed = CODES.iter().find(|(code, _)| *code == self.0).map(|(_, kind)| *kind);
        match (listed, self.0) {
            (Some(kind), _) => kind,
            (None, TOO_MANY_CLIENTS) => StoreErrorKind::Unavailable,
            (None, _) => StoreErrorKind::Unusable,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The command was not sent, so it was surely not executed.
    #[error("redis was not reached")]
    NotSent(#[source] io::Error),
    /// The command was sent and no reply came: it may have been executed or not.
    #[error("the answer of redis was lost")]
    ReplyLost(#[source] io::Error),
    /// Redis answered with an error: the record was not changed.
    #[error("redis answered {code} to {command}")]
    Rejected { code: ErrorCode, command: &'static str },
}

impl CommandError {
    /// The store error of a command that changes nothing, or whose change ends by itself, as a lock does.
    pub(crate) fn into_read_error(self) -> StoreError {
        let kind = match &self {
            // A person has to look at this: the server is not one that the settings trust.
            #[cfg(feature = "tls")]
            Self::NotSent(error) if crate::tls::is_certificate_error(error) => StoreErrorKind::Unusable,
            Self::NotSent(_) | Self::ReplyLost(_) => StoreErrorKind::Unavailable,
            Self::Rejected { code, .. } => code.kind(),
        };
        StoreError::new(kind).with_source(self)
    }

    /// The store error of a command that changes the record.
    pub(crate) fn into_write_error(self) -> StoreError {
        match self {
            Self::ReplyLost(_) => StoreError::new(StoreErrorKind::MaybeWritten).with_source(self),
            Self::NotSent(_) | Self::Rejected { .. } => self.into_read_error(),
        }
    }

    /// The error of a second attempt, made because the reply to the first was lost. The first may have been executed, so
    /// even a second that was surely not executed leaves that open.
    pub(crate) fn after_lost_reply(self) -> Self {
        match self {
            Self::NotSent(error) | Self::ReplyLost(error) => Self::ReplyLost(error),
            Self::Rejected { .. } => Self::ReplyLost(io::Error::other(self)),
        }
    }
}

/// The error of a reply that this command never has.
pub(crate) fn unexpected_reply() -> CommandError {
    CommandError::ReplyLost(io::Error::new(
        io::ErrorKind::InvalidData,
        "redis answered something else than what was asked",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(line: &str) -> StoreErrorKind {
        CommandError::Rejected { code: ErrorCode::parse(line.as_bytes()), command: "EVAL" }.into_write_error().kind()
    }

    #[test]
    fn an_error_reply_is_unusable_where_a_person_has_to_act_and_unavailable_where_it_passes() {
        for line in [
            "NOAUTH Authentication required.",
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOPERM this user has no permissions to run the 'eval' command",
            "ERR The user executing the script can't run this command or subcommand script: 5f8, on @user_script:1.",
            "WRONGTYPE Operation against a key holding the wrong kind of value script: 5f8, on @user_script:1.",
            "ERR Error running script (call to f_5f8): @user_script:3: WRONGTYPE Operation against a key",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist on disk.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MOVED 3999 127.0.0.1:6381",
            "DENIED Redis is running in protected mode",
            "ERR DB index is out of range",
            "",
        ] {
            assert_eq!(kind(line), StoreErrorKind::Unusable, "{line}");
        }
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "BUSY Redis is busy running a script.",
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down",
            "NOREPLICAS Not enough good replicas to write.",
            "ERR max number of clients reached",
        ] {
            assert_eq!(kind(line), StoreErrorKind::Unavailable, "{line}");
        }
    }

    #[test]
    fn the_text_of_an_error_reply_is_not_shown() {
        let line = b"ERR unknown command 'EVAL', with args beginning with: 'hunter2'";
        let error = CommandError::Rejected { code: ErrorCode::parse(line), command: "EVAL" };
        assert_eq!(error.to_string(), "redis answered ERR to EVAL");
    }

    #[test]
    fn a_write_is_maybe_written_only_if_it_was_sent_and_not_answered() {
        let gone = || io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(CommandError::NotSent(gone()).into_write_error().kind(), StoreErrorKind::Unavailable);
        assert_eq!(CommandError::ReplyLost(gone()).into_write_error().kind(), StoreErrorKind::MaybeWritten);
        assert_eq!(CommandError::ReplyLost(gone()).into_read_error().kind(), StoreErrorKind::Unavailable);
        let rejected = CommandError::Rejected { code: ErrorCode::parse(b"LOADING"), command: "EVAL" };
        assert_eq!(rejected.after_lost_reply().into_write_error().kind(), StoreErrorKind::MaybeWritten);
        assert_eq!(
            CommandError::NotSent(gone()).after_lost_reply().into_write_error().kind(),
            StoreErrorKind::MaybeWritten
        );
    }
}
