//! What a tenant says: one line for each thing that happens.

use std::fmt;
use std::str::FromStr;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Its sessions are there.
    Ready,
    /// It has left off renewing, and nothing that it asked for is on its way any longer.
    Stopped,
    /// What happened in one cell.
    Of(usize, News),
}

/// What happened in a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The lock is ours, and this is what was found.
    Locked(Mark),
    /// A record is about to be written.
    Writes(Mark),
    /// A record was found that is none.
    Torn,
    /// The session asks the service, on this method.
    Asks(String),
    /// The service issued this generation.
    Issued(u64),
    /// This generation was found in the store: another session has renewed.
    TookUp(u64),
    /// The session has told of a trouble.
    Trouble(String),
    /// A caller got an error.
    Failed(String),
    /// Callers get this access token. Said when asked, on a pipe to who asked.
    Holds(String),
}

/// Whether a record says that its one-use token was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It does.
    Sent,
    /// It does not.
    Clean,
    /// There is no record.
    Nothing,
}

impl Mark {
    /// Of this record.
    pub fn of(record: Option<&[u8]>) -> Self {
        let sent = b"\"refresh_sent_at\":";
        match record {
            None => Mark::Nothing,
            Some(record) if record.windows(sent.len()).any(|part| part == sent) => Mark::Sent,
            Some(_) => Mark::Clean,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Mark::Sent => "sent",
            Mark::Clean => "clean",
            Mark::Nothing => "nothing",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Mark::Sent, Mark::Clean, Mark::Nothing].into_iter().find(|mark| mark.name() == name)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Said::Ready => f.write_str("ready"),
            Said::Stopped => f.write_str("stopped"),
            Said::Of(cell, news) => {
                write!(f, "{cell} ")?;
                match news {
                    News::Locked(mark) => write!(f, "locked {}", mark.name()),
                    News::Writes(mark) => write!(f, "writes {}", mark.name()),
                    News::Torn => f.write_str("torn"),
                    News::Asks(method) => write!(f, "asks {method}"),
                    News::Issued(generation) => write!(f, "issued {generation}"),
                    News::TookUp(generation) => write!(f, "took-up {generation}"),
                    News::Trouble(what) => write!(f, "trouble {what}"),
                    News::Failed(what) => write!(f, "failed {what}"),
                    News::Holds(token) => write!(f, "holds {token}"),
                }
            }
        }
    }
}

/// It is no line of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSaid;

impl FromStr for Said {
    type Err = NotSaid;

    fn from_str(line: &str) -> Result<Self, NotSaid> {
        let (cell, rest) = match line {
            "ready" => return Ok(Said::Ready),
            "stopped" => return Ok(Said::Stopped),
            _ => line.split_once(' ').ok_or(NotSaid)?,
        };
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let mark = || Mark::named(rest).ok_or(NotSaid);
        let generation = || rest.parse().map_err(|_| NotSaid);
        let news = match word {
            "locked" => News::Locked(mark()?),
            "writes" => News::Writes(mark()?),
            "torn" => News::Torn,
            "asks" => News::Asks(rest.to_owned()),
            "issued" => News::Issued(generation()?),
            "took-up" => News::TookUp(generation()?),
            "trouble" => News::Trouble(rest.to_owned()),
            "failed" => News::Failed(rest.to_owned()),
            "holds" => News::Holds(rest.to_owned()),
            _ => return Err(NotSaid),
        };
        Ok(Said::Of(cell.parse().map_err(|_| NotSaid)?, news))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let news = [
            News::Locked(Mark::Sent),
            News::Writes(Mark::Clean),
            News::Locked(Mark::Nothing),
            News::Torn,
            News::Asks("sign-in".into()),
            News::Issued(7),
            News::TookUp(8),
            News::Trouble("access token: no".into()),
            News::Failed("the store of the session failed".into()),
            News::Holds("a.b.c".into()),
        ];
        for news in news {
            let said = Said::Of(3, news);
            assert_eq!(said.to_string().parse(), Ok(said));
        }
        assert_eq!("ready".parse(), Ok(Said::Ready));
        assert_eq!("stopped".parse(), Ok(Said::Stopped));
        assert_eq!("x locked sent".parse::<Said>(), Err(NotSaid));
        assert_eq!("0 locked".parse::<Said>(), Err(NotSaid));
    }
}
