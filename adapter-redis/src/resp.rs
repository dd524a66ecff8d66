//! RESP2, the protocol of Redis: commands are written and replies are parsed. Both carry secrets, so the buffers of both
//! are wiped when they are dropped.

use std::fmt;
use std::io::{self, Read};

use zeroize::Zeroizing;

use crate::command_error::ErrorCode;

/// The largest record, in bytes: 16 MiB. A session's has some kilobytes.
pub(crate) const MAX_RECORD: usize = 16 << 20;

/// How many bytes of memory one reply may take, so that a peer that is no Redis cannot fill the memory: a record and
/// 64 KiB.
const MAX_REPLY_MEMORY: usize = MAX_RECORD + (64 << 10);
/// How many of those bytes each element of an array counts for, beside its content.
const ELEMENT_MEMORY: i64 = 64;
/// The longest line, in bytes. The lines of Redis itself are far shorter.
const MAX_LINE: usize = 8 << 10;
/// How deep arrays may be nested.
const MAX_DEPTH: u8 = 4;
/// The size of the read buffer, in bytes.
const READ_BUFFER: usize = 8 << 10;

/// A command, encoded for sending.
pub(crate) struct Command {
    name: &'static str,
    bytes: Zeroizing<Vec<u8>>,
}

impl Command {
    pub(crate) fn new(name: &'static str, arguments: &[&[u8]]) -> Self {
        // The buffer never grows, because that would leave copies of secrets behind in freed memory. Beside its content
        // an argument takes at most 25 bytes: `$`, a length of 20 digits, and two line ends.
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

/// A reply of Redis.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Clone))]
pub(crate) enum Reply {
    /// A simple string or a bulk string.
    Bytes(Zeroizing<Vec<u8>>),
    Integer(i64),
    Array(Vec<Reply>),
    /// A null bulk string or a null array.
    Nil,
    Error(ErrorCode),
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Integer(number) => write!(f, "Integer({number})"),
            Self::Array(items) => f.debug_list().entries(items).finish(),
            Self::Nil => f.write_str("Nil"),
            Self::Error(code) => write!(f, "Error({code})"),
        }
    }
}

/// Reads replies from a connection. Keeps what was received and not parsed yet.
pub(crate) struct ReplyReader {
    buffer: Zeroizing<Vec<u8>>,
    start: usize,
    end: usize,
    /// How many bytes of memory the current reply may still take.
    memory_left: usize,
}

impl ReplyReader {
    pub(crate) fn new() -> Self {
        Self { buffer: Zeroizing::new(vec![0; READ_BUFFER]), start: 0, end: 0, memory_left: 0 }
    }

    /// Whether received bytes wait to be parsed.
    pub(crate) fn has_buffered(&self) -> bool {
        self.start < self.end
    }

    /// Waits for bytes and receives them. The end of the connection is an error.
    pub(crate) fn fill(&mut self, from: &mut impl Read) -> io::Result<()> {
        debug_assert!(!self.has_buffered(), "nothing is overwritten");
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

    /// Reads the next reply, whole. After an error the connection cannot be used any more, since it is unknown where the
    /// next reply begins.
    pub(crate) fn read_reply(&mut self, from: &mut impl Read) -> io::Result<Reply> {
        self.memory_left = MAX_REPLY_MEMORY;
        self.read_nested(from, 0)
    }

    /// Counts `size` bytes as used. An error if the reply would take too much memory, or if the size is negative.
    fn use_memory(&mut self, size: i64) -> io::Result<usize> {
        let size = usize::try_from(size).ok();
        let left = size.and_then(|size| self.memory_left.checked_sub(size));
        self.memory_left = left.ok_or_else(|| protocol_error("too much"))?;
        Ok(size.unwrap_or_default())
    }

    fn read_nested(&mut self, from: &mut impl Read, depth: u8) -> io::Result<Reply> {
        let line = self.read_line(from)?;
        let (kind, rest) = line.split_first().ok_or_else(|| protocol_error("an empty line"))?;
        match kind {
            b'+' => Ok(Reply::Bytes(Zeroizing::new(rest.to_vec()))),
            b'-' => Ok(Reply::Error(ErrorCode::parse(rest))),
            b':' => integer(rest).map(Reply::Integer),
            b'$' => match integer(rest)? {
                -1 => Ok(Reply::Nil),
                size => self.read_bulk_string(from, size).map(Reply::Bytes),
            },
            b'*' => match integer(rest)? {
                -1 => Ok(Reply::Nil),
                size if depth < MAX_DEPTH => {
                    self.use_memory(size.saturating_mul(ELEMENT_MEMORY))?;
                    (0..size).map(|_| self.read_nested(from, depth + 1)).collect::<io::Result<_>>().map(Reply::Array)
                }
                _ => Err(protocol_error("lists in lists in lists")),
            },
            _ => Err(protocol_error("something that is not of its protocol")),
        }
    }

    fn read_line(&mut self, from: &mut impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut line = Zeroizing::new(Vec::with_capacity(64));
        loop {
            if !self.has_buffered() {
                self.fill(from)?;
            }
            let here = &self.buffer[self.start..self.end];
            let end = here.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(here.len(), |end| end + 1);
            if line.len() + taken > MAX_LINE {
                return Err(protocol_error("a line that is too long"));
            }
            line.extend_from_slice(&here[..taken]);
            self.start += taken;
            if end.is_some() {
                if !line.ends_with(b"\r\n") {
                    return Err(protocol_error("a line that does not end as it should"));
                }
                let size = line.len() - 2;
                line.truncate(size);
                return Ok(line);
            }
        }
    }

    fn read_bulk_string(&mut self, from: &mut impl Read, size: i64) -> io::Result<Zeroizing<Vec<u8>>> {
        let size = self.use_memory(size)?;
        let mut text = Zeroizing::new(vec![0; size]);
        self.read_exact(from, &mut text)?;
        let mut end = [0; 2];
        self.read_exact(from, &mut end)?;
        if end == *b"\r\n" { Ok(text) } else { Err(protocol_error("a string that does not end as it should")) }
    }

    fn read_exact(&mut self, from: &mut impl Read, into: &mut [u8]) -> io::Result<()> {
        let here = into.len().min(self.end - self.start);
        into[..here].copy_from_slice(&self.buffer[self.start..self.start + here]);
        self.start += here;
        from.read_exact(&mut into[here..])
    }
}

fn integer(text: &[u8]) -> io::Result<i64> {
    let text = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    text.ok_or_else(|| protocol_error("a number that is none"))
}

fn protocol_error(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, ProtocolError(what))
}

/// What was received is not RESP2, so the peer is probably no Redis.
#[derive(Debug, thiserror::Error)]
#[error("redis answered {0}")]
struct ProtocolError(&'static str);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A connection that gives out its bytes in pieces of this size.
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
        ReplyReader::new().read_reply(&mut Pieces(bytes, piece))
    }

    fn text(bytes: &[u8]) -> Reply {
        Reply::Bytes(Zeroizing::new(bytes.to_vec()))
    }

    fn encode(reply: &Reply, into: &mut Vec<u8>) {
        match reply {
            Reply::Bytes(text) => {
                into.extend(format!("${}\r\n", text.len()).bytes());
                into.extend_from_slice(text);
                into.extend(b"\r\n");
            }
            Reply::Integer(number) => into.extend(format!(":{number}\r\n").bytes()),
            Reply::Array(items) => {
                into.extend(format!("*{}\r\n", items.len()).bytes());
                items.iter().for_each(|item| encode(item, into));
            }
            Reply::Nil => into.extend(b"$-1\r\n"),
            Reply::Error(code) => into.extend(format!("-{code} for a reason\r\n").bytes()),
        }
    }

    fn replies() -> impl Strategy<Value = Reply> {
        let leaf = prop_oneof![
            any::<Vec<u8>>().prop_map(|bytes| text(&bytes)),
            any::<i64>().prop_map(Reply::Integer),
            Just(Reply::Nil),
            Just(Reply::Error(ErrorCode::parse(b"NOPERM"))),
        ];
        leaf.prop_recursive(3, 32, 8, |item| prop::collection::vec(item, 0..8).prop_map(Reply::Array))
    }

    /// Pieces of the protocol in any order, between any bytes.
    fn malformed() -> impl Strategy<Value = Vec<u8>> {
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
        fn every_reply_is_read_in_pieces_of_any_size(reply in replies(), piece in 1_usize..40) {
            let mut bytes = Vec::new();
            encode(&reply, &mut bytes);
            prop_assert_eq!(read(&bytes, piece).unwrap(), reply);
            for end in 0..bytes.len().min(200) {
                prop_assert_eq!(read(&bytes[..end], piece).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            }
        }

        #[test]
        fn malformed_bytes_are_a_reply_or_an_error_that_shows_none_of_them(bytes in malformed(), piece in 1_usize..40) {
            // The size of the pieces makes no difference.
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
    fn two_replies_in_one_piece_are_read_one_after_another() {
        let (mut reader, mut from) = (ReplyReader::new(), Pieces(b"+OK\r\n$3\r\na\nb\r\n", 100));
        assert_eq!(reader.read_reply(&mut from).unwrap(), text(b"OK"));
        assert_eq!(reader.read_reply(&mut from).unwrap(), text(b"a\nb"));
        assert!(!reader.has_buffered());
    }

    #[test]
    fn what_is_not_resp2_or_too_large_is_an_error_before_it_takes_memory() {
        let long = [b"+".as_slice(), &[b'a'; MAX_LINE], b"\r\n"].concat();
        // Each string alone would be small enough.
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
    fn a_command_is_encoded_with_lengths_and_not_shown_by_debug() {
        let command = Command::new("SET", &[b"k", b"\r\n\0\xff"]);
        assert_eq!(command.bytes(), b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n\0\xff\r\n");
        assert_eq!(format!("{command:?}"), "Command(SET, 30 bytes)");
        assert_eq!(format!("{:?}", Reply::Array(vec![text(b"hunter2")])), "[Bytes(7 bytes)]");
    }
}
