//! A listener on 127.0.0.1 that gives every request the same answer, and tells what came. Include this file with
//! `#[path]`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use perennial_core::Request;
use perennial_core::wire::Body;

/// What may take long and has to happen takes no longer than this.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Listener {
    pub(crate) url: String,
    /// The head of each request, when it is there.
    pub(crate) heads: Receiver<String>,
    /// Tells of each connection that the client has ended it.
    pub(crate) ends: Receiver<()>,
}

impl Listener {
    /// Answers with these bytes, and waits until the client is gone.
    pub(crate) fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let ((told, heads), (over, ends)) = (mpsc::channel(), mpsc::channel());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                if told.send(head(&mut stream)).is_err() {
                    return;
                }
                let _ = stream.write_all(answer.as_bytes());
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
                let _ = over.send(());
            }
        });
        Self { url, heads, ends }
    }

    /// A request to it, with secrets in all the places in which secrets are.
    pub(crate) fn request(&self, body: &str) -> Request {
        let http = http::Request::post(format!("{}/token?code=canary", self.url))
            .header("Authorization", "Bearer canary")
            .body(Body::from(body.as_bytes().to_vec()))
            .unwrap();
        let mut request = Request::new(http);
        request.timeout = LONG;
        request
    }
}

fn head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// The head of a request over a transport of ours, to the letter.
#[allow(dead_code, reason = "asked where there is a transport of ours")]
pub(crate) fn it_says_who_sends_it_and_no_more(send: impl Fn(Request)) {
    let listener = Listener::start("HTTP/1.1 204 No\r\n\r\n");
    let host = listener.url.replace("http://", "");
    for (body, own, user_agent) in [
        ("a=b", None, concat!("user-agent: perennial/", env!("CARGO_PKG_VERSION"))),
        ("", Some("mine"), "user-agent: mine"),
    ] {
        let mut request = listener.request(body);
        if let Some(own) = own {
            request.http.headers_mut().insert("user-agent", own.parse().unwrap());
        }
        send(request);
        let head = listener.heads.recv_timeout(LONG).unwrap().to_lowercase();
        let mut lines: Vec<_> = head.trim().lines().collect();
        lines.sort_unstable();
        let (host, length) = (format!("host: {host}"), format!("content-length: {}", body.len()));
        let mut expected = [
            "accept-encoding: identity",
            "authorization: bearer canary",
            "connection: close",
            "post /token?code=canary http/1.1",
            &host,
            &length,
            user_agent,
        ];
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }
}
