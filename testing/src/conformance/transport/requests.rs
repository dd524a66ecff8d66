//! What arrives at the service, and what must not.

use std::time::Instant;

use http::{HeaderName, HeaderValue, Method};
use perennial_core::wire::Body;

use super::peer::{Act, Script};
use super::rig::{Outcome, Rig, SECRET, SIZED, expect_outcome, hello, said, told};
#[cfg(feature = "tls")]
use super::tls::Certificate;

/// A target that a transport might want to write in another way. Without dot segments: RFC 3986 §6.2.2.3 lets those be
/// removed, and clients that keep to the URL standard of browsers do.
const TARGET: &str = "/a%2Fb/~x//y;z=1?q=%20+a&b=%C3%A9&empty=&c=a:b@c/?";

/// Every byte that there is.
fn all_bytes() -> Vec<u8> {
    (0..=255).collect()
}

pub(super) fn the_request_arrives_as_it_was_built(rig: &Rig<'_>) {
    let peer = rig.saying(SIZED);
    let host = peer.url().replace("http://", "");
    let built = |method: Method, body: Vec<u8>| {
        let mut request = rig.request(&peer.url());
        *request.http.uri_mut() = format!("{}{TARGET}", peer.url()).parse().expect("an address");
        *request.http.method_mut() = method;
        *request.http.body_mut() = Body::from(body);
        let headers = request.http.headers_mut();
        headers.insert("x-bytes", HeaderValue::from_bytes(b"a\xe9 b=\"c\", d").expect("a value"));
        headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.append("x-twice", HeaderValue::from_static("one"));
        headers.append("x-twice", HeaderValue::from_static("two"));
        headers.insert(HeaderName::from_static("user-agent"), HeaderValue::from_static("mine/1"));
        request
    };
    let requests = [
        (Method::POST, all_bytes(), Some("content-length: 256")),
        (Method::POST, Vec::new(), Some("content-length: 0")),
        (Method::GET, Vec::new(), None),
        (Method::PUT, b"x".to_vec(), Some("content-length: 1")),
        (Method::DELETE, Vec::new(), None),
    ];
    for (method, body, _) in &requests {
        rig.answer(built(method.clone(), body.clone()));
    }
    let seen = peer.finish().requests;
    assert_eq!(seen.len(), requests.len(), "of {} requests so many arrive", requests.len());
    for ((head, came), (method, body, length)) in seen.iter().zip(&requests) {
        let mut lines = head.lines();
        let line = lines.next().unwrap_or_default();
        assert_eq!(line, format!("{method} {TARGET} HTTP/1.1"), "the first line of a request");
        let must = [
            &format!("host: {host}"),
            "authorization: Bearer canary",
            "accept-encoding: identity",
            "x-bytes: a\u{e9} b=\"c\", d",
            "content-type: application/x-www-form-urlencoded",
            "x-twice: one",
            "x-twice: two",
            "user-agent: mine/1",
        ];
        let lines: Vec<_> = lines.map(small_name).collect();
        for line in must.into_iter().chain(*length) {
            let times = lines.iter().filter(|known| *known == line).count();
            assert_eq!(times, 1, "so often arrives `{line}` in\n{head}");
        }
        let lengths = lines.iter().filter(|line| line.starts_with("content-length:")).count();
        let right = lengths == usize::from(length.is_some());
        // RFC 9112 §6.3 makes no difference between no length and a length of nothing.
        assert!(right || lines.iter().any(|line| line == "content-length: 0"), "another length in\n{head}");
        assert!(!lines.iter().any(|line| line.starts_with("transfer-encoding:")), "a transfer coding in\n{head}");
        assert!(came == body, "a body of {} bytes arrives as {} other ones", body.len(), came.len());
    }
}

/// The line of a header, with its name in small letters.
fn small_name(line: &str) -> String {
    line.split_once(':').map_or_else(|| line.to_owned(), |(name, value)| format!("{}:{value}", name.to_lowercase()))
}

pub(super) fn no_header_is_added_that_matters(rig: &Rig<'_>) {
    let peer = rig.saying(SIZED);
    for body in [Body::from(b"a=b".to_vec()), Body::empty()] {
        let mut request = rig.request(&peer.url());
        *request.http.body_mut() = body;
        rig.answer(request);
    }
    let known = ["host", "connection", "accept", "accept-encoding", "user-agent", "content-length", "authorization"];
    for (head, _) in peer.finish().requests {
        let names: Vec<_> = head.lines().skip(1).filter_map(|line| line.split_once(':')).collect();
        for (name, value) in &names {
            let name = name.to_lowercase();
            assert!(known.contains(&name.as_str()), "`{name}:{value}` is added");
            let times = names.iter().filter(|(other, _)| other.eq_ignore_ascii_case(&name)).count();
            assert_eq!(times, 1, "`{name}` arrives more than once");
        }
    }
}

pub(super) fn no_cookie_is_kept(rig: &Rig<'_>) {
    let peer = rig.saying(b"HTTP/1.1 200 OK\r\nSet-Cookie: session=canary; Path=/\r\nContent-Length: 0\r\n\r\n");
    for _ in 0..2 {
        rig.answer(rig.request(&peer.url()));
    }
    for (head, _) in peer.finish().requests {
        assert!(!head.to_lowercase().contains("\r\ncookie:"), "a cookie of the answer before is sent:\n{head}");
    }
}

pub(super) fn nothing_is_sent_again(rig: &Rig<'_>) {
    let busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
    let late = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let who = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\"\r\nContent-Length: 0\r\n\r\n";
    let early = b"HTTP/1.1 425 Too Early\r\nContent-Length: 0\r\n\r\n";
    rig.expect(vec![
        said("closes without an answer", b"", Outcome::MaybeSent),
        said("is busy, and says to come back at once", busy, Outcome::Answer(503, Vec::new())),
        said("waited for too long", late, Outcome::Answer(408, Vec::new())),
        said("wants to know who asks", who, Outcome::Answer(401, Vec::new())),
        said("finds it too early", early, Outcome::Answer(425, Vec::new())),
    ]);
}

pub(super) fn no_connection_is_used_twice(rig: &Rig<'_>) {
    let keeps_open: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello";
    let scripts = [
        Script::Plain(Act::SayAndStall(keeps_open)),
        #[cfg(feature = "tls")]
        Script::Tls(Certificate::Good, Act::SayAndStall(keeps_open)),
    ];
    for script in scripts {
        let Some(peer) = rig.peer(&script) else { continue };
        for _ in 0..3 {
            rig.answer(rig.request(&peer.url()));
        }
        let seen = peer.finish();
        assert_eq!((seen.connections, seen.requests.len()), (3, 3), "connections and requests of three sendings");
        assert!(seen.hung_up, "the connection outlives its request");
    }
}

pub(super) fn a_redirect_is_an_answer(rig: &Rig<'_>) {
    let elsewhere = rig.saying(SIZED);
    for status in [300, 301, 302, 303, 307, 308] {
        for to in [elsewhere.url(), "/elsewhere".to_owned()] {
            let answer = format!("HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 5\r\n\r\nhello");
            let peer = rig.saying(answer.as_bytes());
            let answer = rig.answer(rig.request(&peer.url()));
            let at = peer.finish().requests.len();
            assert_eq!((answer.status().as_u16(), at), (status, 1), "the status, and how often the peer was asked");
            assert_eq!(answer.headers().get("location").map(HeaderValue::as_bytes), Some(to.as_bytes()));
            assert_eq!(answer.body().as_ref(), b"hello");
        }
    }
    assert_eq!(elsewhere.finish().connections, 0, "so often is the other place connected to");
}

pub(super) fn only_https_leaves_this_machine(rig: &Rig<'_>) {
    for address in ["http://192.0.2.1", "http://a.example", "ftp://127.0.0.1"] {
        let begun = Instant::now();
        let result = rig.send(rig.request(address));
        expect_outcome(address, &result, &Outcome::NotSent);
        assert!(begun.elapsed() < rig.patience() / 2, "{address}: it takes {:?} to say no", begun.elapsed());
        assert!(!told(&result).contains(SECRET), "{}", told(&result));
    }
    // A transport that says no to all is told apart.
    let peer = rig.saying(SIZED);
    let result = rig.send(rig.request(&peer.url()));
    expect_outcome("http to this machine", &result, &hello());
    peer.finish();
}

/// The machine knows `127.1` for itself, the rules do not.
pub(super) fn a_host_that_was_named_is_spoken_to_in_the_clear(rig: &Rig<'_>) {
    let peer = rig.saying(SIZED);
    let address = peer.url().replace("127.0.0.1", "127.1");
    let result = rig.send(rig.request(&address));
    expect_outcome("a host that was not named", &result, &Outcome::NotSent);
    let result = rig.send(rig.admitted(&address, "127.1"));
    expect_outcome("a host that was named", &result, &hello());
    assert_eq!(peer.finish().requests.len(), 1);
}

pub(super) fn a_port_that_is_none_is_not_sent_to(rig: &Rig<'_>) {
    for address in ["http://127.0.0.1:80800", "https://127.0.0.1:80800", "http://127.0.0.1:0", "https://127.0.0.1:"] {
        let result = rig.send(rig.request(address));
        expect_outcome(address, &result, &Outcome::NotSent);
    }
}
