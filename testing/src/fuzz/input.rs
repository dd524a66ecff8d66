//! Bytes as parts: clocks, answers, and what to do.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use perennial_core::wire::Body;
use perennial_core::{Now, Response, Timestamp};

/// Between two parts.
pub(super) const LINE: &[u8] = b"\n--\n";

/// The most parts that are looked at.
const MOST: usize = 200;

/// What the clocks may say: mostly what they do, and what broken ones have said.
const WALLS: [i64; 7] = [1_700_000_000_000, 0, -1, i64::MIN, i64::MAX, 253_402_300_799_999, 1_700_000_000_001];

/// A part.
pub(super) enum Part<'a> {
    /// What to do.
    Do(&'a [u8]),
    /// An answer.
    Answer(Response),
}

/// The clocks and all other parts.
pub(super) fn parts(data: &[u8]) -> Option<(Now, Vec<Part<'_>>)> {
    let (choice, mut rest) = data.split_first()?;
    let mut parts = Vec::new();
    rest = rest.strip_prefix(LINE).unwrap_or(rest);
    while !rest.is_empty() && parts.len() < MOST {
        let end = rest.windows(LINE.len()).position(|window| window == LINE);
        let part = &rest[..end.unwrap_or(rest.len())];
        rest = end.map_or(&[], |end| &rest[end + LINE.len()..]);
        parts.push(part.strip_prefix(b">").map_or_else(|| Part::Answer(answer(part)), Part::Do));
    }
    Some((clock(*choice), parts))
}

/// Both clocks, as one byte of an input chooses them: mostly a usual moment (`8`), and what broken clocks have said.
pub fn clock(choice: u8) -> Now {
    let wall = WALLS[usize::from(choice >> 2) % WALLS.len()];
    let monotonic = [Duration::from_secs(1000), Duration::ZERO, Duration::MAX, Duration::from_millis(1)];
    Now::new(Timestamp::from_unix_millis(wall), monotonic[usize::from(choice & 3)])
}

/// A status, headers, an empty line, a body. What is none of that is left out.
fn answer(part: &[u8]) -> Response {
    let (head, body) = match part.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (&part[..end], &part[end + 2..]),
        None => (part, &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut response = Response::new(Body::from(body.to_vec()));
    let status = lines.next().and_then(|line| StatusCode::from_bytes(line.trim_ascii()).ok());
    // Mostly 200, or nothing would be parsed.
    *response.status_mut() = status.unwrap_or_default();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(line[..colon].trim_ascii());
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// The same answer as a part.
pub(super) fn written(answer: &Response) -> Vec<u8> {
    let mut part = answer.status().as_str().as_bytes().to_vec();
    for (name, value) in answer.headers() {
        part.extend([b"\n", name.as_str().as_bytes(), b": ", value.as_bytes()].concat());
    }
    part.extend(b"\n\n");
    part.extend(answer.body().as_ref());
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_back_as_it_was_written() {
        let mut answer = Response::new(Body::from(b"{\"a\":\n\n1}".to_vec()));
        *answer.status_mut() = StatusCode::FOUND;
        answer.headers_mut().append("set-cookie", HeaderValue::from_static("a=b"));
        answer.headers_mut().append("set-cookie", HeaderValue::from_static("c=d"));
        let data = [b"8", LINE, b">0", LINE, &written(&answer)].concat();
        let (now, parts) = parts(&data).expect("it has parts");
        assert_eq!(now.wall, Timestamp::from_unix_seconds(1_700_000_000));
        let [Part::Do(b"0"), Part::Answer(read)] = &parts[..] else { panic!("{} parts", parts.len()) };
        assert_eq!((read.status(), read.headers()), (answer.status(), answer.headers()));
        assert_eq!(read.body().as_ref(), answer.body().as_ref());
    }

    #[test]
    fn any_bytes_are_parts() {
        for data in [&b"8"[..], b"8\n--\n", b"8x", b"\xff\n--\n>\n--\n\n\n\n--\n999999\n:\n\n\x00"] {
            assert!(parts(data).is_some());
        }
        assert!(parts(b"").is_none());
    }
}
