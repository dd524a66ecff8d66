//! Why something did not work, and what a session makes of it.

use std::{fmt, io};

use perennial_core::store::{StoreError, StoreErrorKind};

/// Why Redis said no. Its own text is not kept: it may repeat what it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(&'static str);

/// What Redis and Valkey put first into their errors, with what a session makes of it.
///
/// `Unusable` is where somebody has to do something: give a password or a right, take another address, make room.
/// `Unavailable` is what passes: a server that starts, is busy, or was just replaced as the primary.
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

/// Said in words only, and passes.
const TOO_MANY_CLIENTS: &str = "max number of clients";
/// How Redis up to 7.0 says `NOPERM` of a command in a script.
const NO_RIGHT_IN_SCRIPT: &str = "The user executing the script can't";
/// Everything else: an unknown command, a database that does not exist.
const OTHER: &str = "ERR";

impl Code {
    /// Redis 6 puts what went wrong in a script behind the name of the script, so every word counts.
    pub(crate) fn of(line: &[u8]) -> Self {
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

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing reached Redis.
    #[error("redis was not reached")]
    NotSent(#[source] io::Error),
    /// It may have been done or not.
    #[error("the answer of redis was lost")]
    Cut(#[source] io::Error),
    /// It was not done.
    #[error("redis answered {code} to {command}")]
    Refused { code: Code, command: &'static str },
}

impl Failure {
    /// For what leaves everything as it was, and for what is undone by itself.
    pub(crate) fn of_reading(self) -> StoreError {
        let kind = match &self {
            // Whoever answers is not whom we trust.
            #[cfg(feature = "tls")]
            Self::NotSent(error) if crate::tls::is_mistrust(error) => StoreErrorKind::Unusable,
            Self::NotSent(_) | Self::Cut(_) => StoreErrorKind::Unavailable,
            Self::Refused { code, .. } => code.kind(),
        };
        StoreError::new(kind).with_source(self)
    }

    /// For what changes something.
    pub(crate) fn of_writing(self) -> StoreError {
        match self {
            Self::Cut(_) => StoreError::new(StoreErrorKind::MaybeWritten).with_source(self),
            Self::NotSent(_) | Self::Refused { .. } => self.of_reading(),
        }
    }

    /// The same after an earlier attempt that may have been carried out.
    pub(crate) fn after_a_cut(self) -> Self {
        match self {
            Self::NotSent(error) | Self::Cut(error) => Self::Cut(error),
            Self::Refused { .. } => Self::Cut(io::Error::other(self)),
        }
    }
}

/// An answer that no script of ours gives.
pub(crate) fn unexpected() -> Failure {
    Failure::Cut(io::Error::new(io::ErrorKind::InvalidData, "redis answered something else than what was asked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(line: &str) -> StoreErrorKind {
        Failure::Refused { code: Code::of(line.as_bytes()), command: "EVAL" }.of_writing().kind()
    }

    #[test]
    fn a_refusal_says_whether_somebody_has_to_act() {
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
    fn what_redis_repeats_is_not_shown() {
        let line = b"ERR unknown command 'EVAL', with args beginning with: 'hunter2'";
        let failure = Failure::Refused { code: Code::of(line), command: "EVAL" };
        assert_eq!(failure.to_string(), "redis answered ERR to EVAL");
    }

    #[test]
    fn only_what_may_have_been_done_may_have_been_written() {
        let gone = || io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(Failure::NotSent(gone()).of_writing().kind(), StoreErrorKind::Unavailable);
        assert_eq!(Failure::Cut(gone()).of_writing().kind(), StoreErrorKind::MaybeWritten);
        assert_eq!(Failure::Cut(gone()).of_reading().kind(), StoreErrorKind::Unavailable);
        let refused = Failure::Refused { code: Code::of(b"LOADING"), command: "EVAL" };
        assert_eq!(refused.after_a_cut().of_writing().kind(), StoreErrorKind::MaybeWritten);
        assert_eq!(Failure::NotSent(gone()).after_a_cut().of_writing().kind(), StoreErrorKind::MaybeWritten);
    }
}
