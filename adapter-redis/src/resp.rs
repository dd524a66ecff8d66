//! What Redis speaks: version 2 of its protocol, as much as is needed here. Both directions carry secrets, so the
//! buffers of both are wiped.

use std::fmt;
use std::io::{self, Read};

use zeroize::Zeroizing;

use crate::refusal::Code;

/// The largest record. A session's has some kilobytes.
pub(crate) const MAX_RECORD: usize = 16 << 20;

/// What one answer may take in memory, and what of that each of its parts takes at least.
const BUDGET: usize = MAX_RECORD + (64 << 10);
const PART: i64 = 64;
/// Redis's own lines are far shorter.
const MAX_LINE: usize = 8 << 10;
const MAX_DEPTH: u8 = 4;
const BUFFER: usize = 8 << 10;

/// A command, ready to be sent.
pub(crate) struct Command {
    name: &'static str,
    bytes: Zeroizing<Vec<u8>>,
}

impl Command {
    pub(crate) fn new(name: &'static str, arguments: &[&[u8]]) -> Self {
        // Sized once: growing would leave copies of secrets behind. A length has at most 20 digits.
        let size = arguments.iter().map(|argument| argument.len() + 26).sum::<usize>() + name.len() + 64;
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.extend_from_slice(format!("*{}\r\n", arguments.len() + 1).as_bytes());
        for part in std::iter::once(name.as_bytes()).chain(arguments.iter().copied()) {
            bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
        }
        Self { name, bytes }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({}, {} bytes)", self.name, self.bytes.len())
    }
}

/// What Redis answers.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Clone))]
pub(crate) enum Reply {
    /// A status or a string.
    Text(Zeroizing<Vec<u8>>),
    Number(i64),
    List(Vec<Reply>),
    Nothing,
    Refused(Code),
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Number(number) => write!(f, "Number({number})"),
            Self::List(items) => f.debug_list().entries(items).finish(),
            Self::Nothing => f.write_str("Nothing"),
            Self::Refused(code) => write!(f, "Refused({code})"),
        }
    }
}

/// What came and was not looked at yet.
pub(crate) struct Incoming {
    buffer: Zeroizing<Vec<u8>>,
    start: usize,
    end: usize,
    /// What is left of it for this answer.
    budget: usize,
}

impl Incoming {
    pub(crate) fn new() -> Self {
        Self { buffer: Zeroizing::new(vec![0; BUFFER]), start: 0, end: 0, budget: 0 }
    }

    /// Whether the beginning of an answer is here.
    pub(crate) fn has_some(&self) -> bool {
        self.start < self.end
    }

    /// Takes in what there is; the end of the connection is an error.
    pub(crate) fn fill(&mut self, from: &mut impl Read) -> io::Result<()> {
        debug_assert!(!self.has_some(), "nothing is overwritten");
        (self.start, self.end) = (0, 0);
        loop {
            match from.read(&mut self.buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(size) => {
                    self.end = size;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next answer, whole. After an error the connection is of no more use.
    pub(crate) fn reply(&mut self, from: &mut impl Read) -> io::Result<Reply> {
        self.budget = BUDGET;
        self.reply_at(from, 0)
    }

    fn spend(&mut self, size: i64) -> io::Result<usize> {
        let size = usize::try_from(size).ok();
        let left = size.and_then(|size| self.budget.checked_sub(size));
        self.budget = left.ok_or_else(|| broken("too much"))?;
        Ok(size.unwrap_or_default())
    }

    fn reply_at(&mut self, from: &mut impl Read, depth: u8) -> io::Result<Reply> {
        let line = self.line(from)?;
        let (kind, rest) = line.split_first().ok_or_else(|| broken("an empty line"))?;
        match kind {
            b'+' => Ok(Reply::Text(Zeroizing::new(rest.to_vec()))),
            b'-' => Ok(Reply::Refused(Code::of(rest))),
            b':' => number(rest).map(Reply::Number),
            b'$' => match number(rest)? {
                -1 => Ok(Reply::Nothing),
                size => self.text(from, size).map(Reply::Text),
            },
            b'*' => match number(rest)? {
                -1 => Ok(Reply::Nothing),
                size if depth < MAX_DEPTH => {
                    self.spend(size.saturating_mul(PART))?;
                    (0..size).map(|_| self.reply_at(from, depth + 1)).collect::<io::Result<_>>().map(Reply::List)
                }
                _ => Err(broken("lists in lists in lists")),
            },
            _ => Err(broken("something that is not of its protocol")),
        }
    }

    fn line(&mut self, from: &mut impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut line = Zeroizing::new(Vec::with_capacity(64));
        loop {
            if !self.has_some() {
                self.fill(from)?;
            }
            let here = &self.buffer[self.start..self.end];
            let end = here.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(here.len(), |end| end + 1);
            if line.len() + taken > MAX_LINE {
                return Err(broken("a line that is too long"));
            }
            line.extend_from_slice(&here[..taken]);
            self.start += taken;
            if end.is_some() {
                if !line.ends_with(b"\r\n") {
                    return Err(broken("a line that does not end as it should"));
                }
                let size = line.len() - 2;
                line.truncate(size);
                return Ok(line);
            }
        }
    }

    fn text(&mut self, from: &mut impl Read, size: i64) -> io::Result<Zeroizing<Vec<u8>>> {
        let size = self.spend(size)?;
        let mut text = Zeroizing::new(vec![0; size]);
        self.exactly(from, &mut text)?;
        let mut end = [0; 2];
        self.exactly(from, &mut end)?;
        if end == *b"\r\n" { Ok(text) } else { Err(broken("a string that does not end as it should")) }
    }

    fn exactly(&mut self, from: &mut impl Read, into: &mut [u8]) -> io::Result<()> {
        let here = into.len().min(self.end - self.start);
        into[..here].copy_from_slice(&self.buffer[self.start..self.start + here]);
        self.start += here;
        from.read_exact(&mut into[here..])
    }
}

fn number(text: &[u8]) -> io::Result<i64> {
    let text = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    text.ok_or_else(|| broken("a number that is none"))
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Broken(what))
}

/// Whoever answers is no Redis.
#[derive(Debug, thiserror::Error)]
#[error("redis answered {0}")]
struct Broken(&'static str);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives its bytes out in pieces.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let size = self.0.len().min(into.len()).min(self.1);
            into[..size].copy_from_slice(&self.0[..size]);
            self.0 = &self.0[size..];
            Ok(size)
        }
    }

    fn read(bytes: &[u8], piece: usize) -> io::Result<Reply> {
        Incoming::new().reply(&mut Pieces(bytes, piece))
    }

    fn text(bytes: &[u8]) -> Reply {
        Reply::Text(Zeroizing::new(bytes.to_vec()))
    }

    fn written(reply: &Reply, into: &mut Vec<u8>) {
        match reply {
            Reply::Text(text) => {
                into.extend(format!("${}\r\n", text.len()).bytes());
                into.extend_from_slice(text);
                into.extend(b"\r\n");
            }
            Reply::Number(number) => into.extend(format!(":{number}\r\n").bytes()),
            Reply::List(items) => {
                into.extend(format!("*{}\r\n", items.len()).bytes());
                items.iter().for_each(|item| written(item, into));
            }
            Reply::Nothing => into.extend(b"$-1\r\n"),
            Reply::Refused(code) => into.extend(format!("-{code} for a reason\r\n").bytes()),
        }
    }

    fn replies() -> impl Strategy<Value = Reply> {
        let leaf = prop_oneof![
            any::<Vec<u8>>().prop_map(|bytes| text(&bytes)),
            any::<i64>().prop_map(Reply::Number),
            Just(Reply::Nothing),
            Just(Reply::Refused(Code::of(b"NOPERM"))),
        ];
        leaf.prop_recursive(3, 32, 8, |item| prop::collection::vec(item, 0..8).prop_map(Reply::List))
    }

    /// Pieces of the protocol, in any order, between any bytes.
    fn nonsense() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            "[+$:*-][0-9-]{0,12}\r\n".prop_map(String::into_bytes),
            "[+$:*0-9\r\n-]{0,8}".prop_map(String::into_bytes),
            Just(b"-NOAUTH CANARY\r\n".to_vec()),
            Just(b"$6\r\nCANARY\r\n".to_vec()),
            Just(b"+CANARY\r\n".to_vec()),
            Just(b"CANARY".to_vec()),
            prop::collection::vec(any::<u8>(), 0..16),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn every_answer_is_read_however_it_is_cut(reply in replies(), piece in 1_usize..40) {
            let mut bytes = Vec::new();
            written(&reply, &mut bytes);
            prop_assert_eq!(read(&bytes, piece).unwrap(), reply);
            for end in 0..bytes.len().min(200) {
                prop_assert_eq!(read(&bytes[..end], piece).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            }
        }

        #[test]
        fn nonsense_is_an_error_that_repeats_nothing_or_an_answer(bytes in nonsense(), piece in 1_usize..40) {
            // However it is cut, it is the same.
            match (read(&bytes, piece), read(&bytes, usize::MAX)) {
                (Ok(one), Ok(other)) => {
                    prop_assert!(one == other);
                    let shown = format!("{one:?}");
                    prop_assert!(!shown.contains("CANARY"), "{}", shown);
                }
                (Err(one), Err(other)) => {
                    prop_assert_eq!(one.kind(), other.kind());
                    let shown = format!("{one:?} {one}");
                    prop_assert!(!shown.contains("CANARY"), "{}", shown);
                }
                (one, other) => prop_assert!(false, "{:?} and {:?}", one, other),
            }
        }
    }

    #[test]
    fn two_answers_in_one_piece_are_two() {
        let (mut incoming, mut from) = (Incoming::new(), Pieces(b"+OK\r\n$3\r\na\nb\r\n", 100));
        assert_eq!(incoming.reply(&mut from).unwrap(), text(b"OK"));
        assert_eq!(incoming.reply(&mut from).unwrap(), text(b"a\nb"));
        assert!(!incoming.has_some());
    }

    #[test]
    fn what_is_no_redis_is_refused_before_it_costs_memory() {
        let long = [b"+".as_slice(), &[b'a'; MAX_LINE], b"\r\n"].concat();
        // More and more of what would be fine alone.
        let many = format!("*3\r\n{}", format!("${}\r\n{}\r\n", 6 << 20, "x".repeat(6 << 20)).repeat(3));
        let deep = b"*1\r\n".repeat(usize::from(MAX_DEPTH) + 1);
        for bytes in [
            b"HTTP/1.1 400 Bad Request\r\n".as_slice(),
            b"\r\n",
            b"+OK\n",
            b"$99999999999\r\n",
            b"$-2\r\n",
            b"$x\r\n",
            b"$1\r\nabc",
            b"*9223372036854775807\r\n",
            b"*262144\r\n*262144\r\n",
            many.as_bytes(),
            b"*-2\r\n",
            b":\r\n",
            &long,
            &deep,
        ] {
            let error = read(bytes, 100).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_command_counts_its_bytes_and_hides_them() {
        let command = Command::new("SET", &[b"k", b"\r\n\0\xff"]);
        assert_eq!(command.bytes(), b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n\0\xff\r\n");
        assert_eq!(format!("{command:?}"), "Command(SET, 30 bytes)");
        assert_eq!(format!("{:?}", Reply::List(vec![text(b"hunter2")])), "[Text(7 bytes)]");
    }
}
