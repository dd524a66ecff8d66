//! Answers that no tidy server gives. Whatever is wrong with one, the request was sent, so that is all there is to say
//! about it. What is right in spite of looking odd is taken.

use super::peer::{Act, Script};
use super::rig::{A, Cell, Outcome, Rig, SIZED, cell, chunked, headed, hello, said};

fn wrong(name: &str, bytes: impl Into<Vec<u8>>) -> Cell {
    said(name, bytes, Outcome::MaybeSent)
}

/// An answer with this among its headers.
fn header(name: &str, line: &str, outcome: Outcome) -> Cell {
    headed(name, &format!("Content-Length: 5\r\n{line}"), outcome)
}

/// An answer that begins with this line.
fn begun(name: &str, line: &str, outcome: Outcome) -> Cell {
    said(name, format!("{line}\r\nContent-Length: 5\r\n\r\nhello"), outcome)
}

pub(super) fn what_is_odd_and_clear_is_taken(rig: &Rig<'_>) {
    let capitals = b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let two = "00000a\r\nhellohello\r\n0A\r\nhellohello\r\n0\r\n\r\n";
    // RFC 9112 §6.3: the chunks count.
    let both = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0";
    rig.expect(vec![
        said("ends lines with LF alone", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", hello()),
        begun("gives no reason", "HTTP/1.1 200", hello()),
        header("says bytes that are no text in a header", "X: \u{e9}", hello()),
        header("offers another protocol", "Upgrade: h2c\r\nConnection: Upgrade", hello()),
        headed("counts the same twice", "Content-Length: 5\r\nContent-Length: 5", hello()),
        headed("counts and chunks", both, hello()).or(Outcome::MaybeSent),
        said("chunks in capitals", capitals, hello()),
        chunked("chunks with zeros in front", "0005\r\nhello\r\n0\r\n\r\n", hello()),
        chunked("counts chunks in capitals", two, Outcome::Answer(200, b"hello".repeat(4))),
        // The body is whole; what is missing is the end of no trailers.
        chunked("ends in the middle of the end", "5\r\nhello\r\n0\r\n", hello()).or(Outcome::MaybeSent),
        // Many parsers of numbers take the sign.
        chunked("chunks with a sign", "+5\r\nhello\r\n0\r\n\r\n", hello()).or(Outcome::MaybeSent),
    ]);
}

pub(super) fn what_is_not_http_is_maybe_sent(rig: &Rig<'_>) {
    let bad = |name: &str, line: &str| begun(name, line, Outcome::MaybeSent);
    let bad_header = |name: &str, line: &str| header(name, line, Outcome::MaybeSent);
    rig.expect(vec![
        wrong("speaks SMTP", b"220 mail.example ESMTP\r\n"),
        wrong("speaks noise", b"\x00\xff\x16\x03\x01\x00\r\n\r\n\x80"),
        wrong("speaks HTTP/0.9", b"hello"),
        wrong("speaks HTTP/2", b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\x01\0\0\0\x02\0\0\0\0"),
        wrong("says the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        bad("has a status of two digits", "HTTP/1.1 20 OK"),
        bad("has a status of four digits", "HTTP/1.1 2000 OK"),
        bad("has a status in words", "HTTP/1.1 two OK"),
        bad("has no status", "HTTP/1.1"),
        bad("speaks HTTP/2 in words", "HTTP/2.0 200 OK"),
        bad("speaks HTTP/1.9", "HTTP/1.9 200 OK"),
        bad("speaks HTTP in small letters", "http/1.1 200 OK"),
        bad("begins with a blank", " HTTP/1.1 200 OK"),
        bad("speaks ICY", "ICY 200 OK"),
        bad_header("says a NUL in a header", "X: a\0b"),
        bad_header("says a bare CR in a header", "X: a\rb"),
        bad_header("folds a header", "X: a\r\n b"),
        bad_header("names no header", ": a"),
        bad_header("blanks before a colon", "X : a"),
        bad_header("forgets a colon", "X"),
    ]);
}

pub(super) fn a_length_with_two_meanings_is_maybe_sent(rig: &Rig<'_>) {
    let framed = |name: &str, lines: &str| headed(name, lines, Outcome::MaybeSent);
    let chunks = |name: &str, chunks: &str| chunked(name, chunks, Outcome::MaybeSent);
    rig.expect(vec![
        framed("counts in words", "Content-Length: five"),
        framed("counts twice", "Content-Length: 5\r\nContent-Length: 4"),
        framed("counts below zero", "Content-Length: -5"),
        framed("counts with a sign", "Content-Length: +5"),
        framed("counts in hexadecimal", "Content-Length: 0x5"),
        framed("counts nothing", "Content-Length: "),
        framed("counts a list", "Content-Length: 5, 4"),
        framed("announces what no number holds", "Content-Length: 99999999999999999999"),
        chunks("counts chunks in words", "five\r\nhello\r\n0\r\n\r\n"),
        chunks("miscounts a chunk", "3\r\nhello\r\n0\r\n\r\n"),
        chunks("chunks below zero", "-5\r\nhello\r\n0\r\n\r\n"),
        chunks("chunks with a prefix", "0x5\r\nhello\r\n0\r\n\r\n"),
        chunks("chunks nothing", "\r\nhello\r\n0\r\n\r\n"),
        chunks("chunks beyond all numbers", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        chunks("adds garbage for trailers", "5\r\nhello\r\n0\r\n\0\0\0\0"),
    ]);
}

pub(super) fn a_head_without_an_end_is_given_up(rig: &Rig<'_>) {
    let megabyte = "a".repeat(1024 * 1024);
    let long = format!("X: {megabyte}");
    let many = |line: &str| line.repeat(10_000).trim_end().to_owned();
    let header = |name: &str, lines: &str| header(name, lines, Outcome::MaybeSent);
    let extended = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(128 * 1024));
    let flood = |name: &str, first, then| cell(name, Script::Plain(Act::Flood(first, then)), Outcome::MaybeSent);
    rig.expect(vec![
        header("sends a header of a megabyte", &long),
        header("sends ten thousand headers", &many("X-Header: value\r\n")),
        header("sends ten thousand tiny headers", &many("a:\r\n")),
        wrong("sends a status line of a megabyte", format!("HTTP/1.1 200 {megabyte}\r\n\r\nhello")),
        chunked("extends a chunk by far", &extended, Outcome::MaybeSent),
        flood("sends one header for ever", b"HTTP/1.1 200 OK\r\nX: ", A),
        flood("sends headers for ever", b"HTTP/1.1 200 OK\r\n", b"X-Header: value\r\n"),
        flood("extends a chunk for ever", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", A),
        flood(
            "sends trailers for ever",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
            b"X-Trailer: value\r\n",
        ),
        flood(
            "sends one trailer for ever",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: ",
            A,
        ),
    ]);
}

pub(super) fn a_compressed_answer_is_refused(rig: &Rig<'_>) {
    // What gzip makes of `hello`.
    let packed: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";
    let gzip = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n");
    let coded = |name: &str, lines: &str| headed(name, lines, Outcome::MaybeSent);
    rig.expect(vec![
        wrong("compresses uninvited", [gzip(packed.len()).as_bytes(), packed].concat()),
        wrong("says that it compresses, and does not", format!("{}hello", gzip(5))),
        coded("names its compression br", "Content-Length: 5\r\nContent-Encoding: br"),
        coded("compresses twice", "Content-Length: 5\r\nContent-Encoding: identity, gzip"),
        coded("codes its transfer in gzip", "Transfer-Encoding: gzip"),
        coded("codes its transfer in something after the chunks", "Transfer-Encoding: chunked, gzip"),
    ]);
}

pub(super) fn a_switch_of_protocols_is_refused(rig: &Rig<'_>) {
    let switching = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    rig.expect(vec![
        wrong("switches protocols uninvited", *switching),
        cell("switches protocols and stays", Script::Plain(Act::SayAndStall(switching)), Outcome::MaybeSent),
        wrong("switches protocols and answers", [switching, SIZED].concat()),
    ]);
}
