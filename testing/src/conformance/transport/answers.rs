//! What has to come of good answers, and of those that are too long.

use http::HeaderValue;

use super::peer::{Act, Script};
#[cfg(feature = "tls")]
use super::rig::over_tls;
use super::rig::{A, CAP, Cell, Outcome, Rig, SIZED, UNSIZED, cell, chunked, expect_outcome, headed, hello, said};
use super::rig::{SECRET, request};

const HINT: &[u8] = b"HTTP/1.1 103 Early Hints\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// 1xx apart: those are no answers.
const STATUSES: &[u16] = &[
    200, 201, 202, 203, 206, 226, 299, 305, 306, 399, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412,
    413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505,
    507, 508, 510, 511, 599, 600, 799, 999,
];

fn silent(status: u16) -> Outcome {
    Outcome::Answer(status, Vec::new())
}

pub(super) fn an_answer_of_every_status_is_an_answer(rig: &Rig<'_>) {
    let mut cells: Vec<Cell> = Vec::new();
    for status in STATUSES {
        let answer = format!("HTTP/1.1 {status} Oh\r\nContent-Length: 5\r\n\r\nhello");
        cells.push(said(format!("answers {status}"), answer, Outcome::Answer(*status, b"hello".to_vec())));
    }
    cells.push(said("answers 204", b"HTTP/1.1 204 No Content\r\n\r\n", silent(204)));
    cells.push(said("answers 205", b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", silent(205)));
    rig.expect(cells);
}

pub(super) fn an_answer_arrives_with_all_its_headers(rig: &Rig<'_>) {
    let peer = rig.saying(
        b"HTTP/1.1 503 No\r\nSet-Cookie: a=canary\r\nRetry-After: 7\r\nset-cookie:b=\xe9canary \r\n\
        Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Empty:\r\nContent-Length: 6\r\n\r\ncanary",
    );
    let answer = rig.answer(rig.request(&peer.url()));
    peer.finish();
    let shown = format!("{answer:?}");
    assert!(!shown.contains(SECRET), "`Debug` shows a cookie: {shown}");
    let values = |name| answer.headers().get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    assert_eq!(values("set-cookie"), [&b"a=canary"[..], b"b=\xe9canary"], "the cookies");
    assert_eq!(values("retry-after"), [b"7"], "Retry-After");
    assert_eq!(values("date"), [b"Sun, 06 Nov 1994 08:49:37 GMT"], "Date");
    assert_eq!(values("x-empty"), [b""], "a header without a value");
}

pub(super) fn a_body_is_read_to_its_end(rig: &Rig<'_>) {
    let bytes: Vec<u8> = (0..=255).cycle().take(40_000).collect();
    let whole = || Outcome::Answer(200, bytes.clone());
    let sized = [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len()).as_bytes(), &bytes].concat();
    let mut pieces = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in bytes.chunks(777) {
        pieces.extend([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
    }
    pieces.extend(b"0\r\n\r\n");
    let overlong = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello, world";
    let open = |bytes| Script::Plain(Act::SayAndStall(bytes));
    rig.expect(vec![
        said("answers with a length", SIZED, hello()),
        said("answers with a length and every byte", sized, whole()),
        said("answers in chunks of every byte", pieces, whole()),
        said("answers with every byte until it closes", [b"HTTP/1.1 200 OK\r\n\r\n", &bytes[..]].concat(), whole()),
        said("answers until it closes", UNSIZED, hello()),
        said("answers in HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nhello", hello()),
        chunked("answers in chunks", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", hello()),
        chunked("extends its chunks", "5;a=b;c=\"d\"\r\nhello\r\n0\r\n\r\n", hello()),
        chunked("adds trailers", "5\r\nhello\r\n0\r\nX-Trailer: a\r\n\r\n", hello()),
        chunked("adds a trailer that it must not", "5\r\nhello\r\n0\r\nContent-Length: 99\r\n\r\n", hello()),
        headed("has no body, in a length", "Content-Length: 0", silent(200)),
        chunked("has no body, in chunks", "0\r\n\r\n", silent(200)),
        said("has no body, and closes", b"HTTP/1.1 200 OK\r\n\r\n", silent(200)),
        headed("says identity", "Content-Encoding: identity\r\nContent-Length: 5", hello()),
        cell("answers and closes its half", Script::Plain(Act::SayAndShut(UNSIZED)), hello()),
        cell("answers and keeps the connection open", open(SIZED), hello()),
        // Only what belongs to the answer is read.
        headed("says more than it announced", "Content-Length: 5\r\n\r\nhello, world", hello()),
        cell("says more than it announced, and stays", open(overlong), hello()),
        headed("answers twice", "Content-Length: 5\r\n\r\nhelloHTTP/1.1 401 No\r\nContent-Length: 0", hello()),
        // RFC 9112 §6.3: these have no body, whatever they announce.
        said("says nothing and then something", b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello", silent(204)),
        said("has not modified something", b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nhello", silent(304)),
        cell("has not modified, and stays", open(b"HTTP/1.1 304 No\r\n\r\n"), silent(304)),
    ]);
    #[cfg(feature = "tls")]
    rig.expect(vec![
        over_tls("answers over TLS", Act::SayAndShut(SIZED), hello()),
        over_tls("ends TLS with `close_notify`", Act::SayAndNotify(UNSIZED), hello()),
        over_tls("ends TLS without `close_notify` after a whole answer", Act::Say(SIZED.to_vec()), hello()),
    ]);
}

pub(super) fn an_interim_answer_is_passed_over(rig: &Rig<'_>) {
    let before = |name: &str, interim: &str| {
        said(name, format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), hello())
    };
    rig.expect(vec![
        before("says to continue", "HTTP/1.1 100 Continue\r\n\r\n"),
        before("hints", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        before("processes", "HTTP/1.1 102 Processing\r\nX: a\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"),
        before("says something that nobody knows", "HTTP/1.1 199 Oh\r\nRetry-After: 9\r\n\r\n"),
        before("hints with a length", "HTTP/1.1 103 Hints\r\nContent-Length: 3\r\n\r\n"),
        before("hints twenty times", &"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(20)),
    ]);
}

pub(super) fn interim_answers_have_an_end(rig: &Rig<'_>) {
    // A client of somebody else's may listen until its deadline.
    if rig.transport.is_a_client {
        let slow = |name: &str, hint| cell(name, Script::Plain(Act::Drip(b"", hint)), Outcome::TimedOut).near();
        return rig.expect(vec![slow("hints slowly for ever", HINT), slow("says continue slowly for ever", CONTINUE)]);
    }
    let for_ever = |name: &str, hint| cell(name, Script::Plain(Act::Flood(b"", hint)), Outcome::MaybeSent);
    rig.expect(vec![for_ever("hints for ever", HINT), for_ever("says continue for ever", CONTINUE)]);
}

/// Many tries: which of the two comes first is chance.
pub(super) fn an_early_answer_is_heard(rig: &Rig<'_>) {
    let busy = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n";
    for act in [Act::SayFirst(busy), Act::SayFirstAndHangUp(busy)] {
        let Some(peer) = rig.peer(&Script::Plain(act)) else { continue };
        for number in 1..=300 {
            let result = rig.send(request(&peer.url(), rig.patience()));
            let got = Outcome::of(&result);
            if rig.transport.is_a_client && got == Outcome::MaybeSent {
                continue;
            }
            expect_outcome(&format!("at try {number}"), &result, &silent(429));
            let answer = result.expect("it is an answer");
            assert_eq!(answer.headers().get("retry-after").map(HeaderValue::as_bytes), Some(&b"30"[..]));
        }
        assert_eq!(peer.finish().connections, 300);
    }
    let early = |name: &str, script| {
        let cell = cell(name, script, hello());
        if rig.transport.is_a_client { cell.or(Outcome::MaybeSent) } else { cell }
    };
    rig.expect(vec![
        early("answers before it reads", Script::Plain(Act::SayFirst(SIZED))),
        early("answers before it reads, and hangs up", Script::Plain(Act::SayFirstAndHangUp(SIZED))),
        cell("answers once it has read the head", Script::Plain(Act::SayAfterTheHead(SIZED)), hello()),
        #[cfg(feature = "tls")]
        early("answers before it reads, over TLS", Script::Tls(super::tls::Certificate::Good, Act::SayFirst(SIZED))),
    ]);
}

pub(super) fn a_body_above_its_cap_is_too_large(rig: &Rig<'_>) {
    let of = |length: usize| vec![b'a'; length];
    let with = |head: &str, body: Vec<u8>| [format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").into_bytes(), body].concat();
    let pieces = |length: usize| {
        with("Transfer-Encoding: chunked", {
            let whole = format!("{length:x}\r\n").into_bytes();
            [whole, of(length), b"\r\n0\r\n\r\n".to_vec()].concat()
        })
    };
    let sized = |length: usize| with(&format!("Content-Length: {length}"), of(length));
    let full = || Outcome::Answer(200, of(CAP));
    let announced = |length: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    let flood = |first, then| Script::Plain(Act::Flood(first, then));
    let endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n";
    let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    rig.expect(vec![
        said("says as much as is allowed, with a length", sized(CAP), full()),
        said("says as much as is allowed, in a chunk", pieces(CAP), full()),
        said("says as much as is allowed, and closes", with("X: a", of(CAP)), full()),
        said("says a byte more, with a length", sized(CAP + 1), Outcome::TooLarge),
        said("says a byte more, in a chunk", pieces(CAP + 1), Outcome::TooLarge),
        said("says a byte more, and closes", with("X: a", of(CAP + 1)), Outcome::TooLarge),
        said("announces too much", announced("65537"), Outcome::TooLarge),
        said("announces the whole world", announced("9999999999999999999"), Outcome::TooLarge),
        cell("sends a body for ever", flood(b"HTTP/1.1 200 OK\r\n\r\n", A), Outcome::TooLarge),
        cell("sends chunks for ever", flood(chunks, b"8\r\naaaaaaaa\r\n"), Outcome::TooLarge),
        cell("sends a chunk for ever", flood(endless, A), Outcome::TooLarge),
    ]);
    #[cfg(feature = "tls")]
    rig.expect(vec![over_tls(
        "sends a body for ever over TLS",
        Act::Flood(b"HTTP/1.1 200 OK\r\n\r\n", A),
        Outcome::TooLarge,
    )]);
}
