//! Requests as they were read, responses as they are to be written.

use serde_json::Value;
use std::fmt;

/// A request, read to its end. Its fields hold passwords and tokens in the clear; `Debug` shows none of them.
#[derive(Clone)]
#[non_exhaustive]
pub struct Request {
    /// Which connection it came on, from 1.
    pub connection: usize,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The method.
    pub method: String,
    /// The request target: path and query.
    pub path: String,
    /// Header names as sent, and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
    /// HTTP/1.1 and no `Connection: close`.
    pub(crate) keep_alive: bool,
}

impl Request {
    /// The first header of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The path without the query.
    #[must_use]
    pub fn route(&self) -> &str {
        route(&self.path)
    }

    /// The query, as it was sent; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.path.split_once('?').map_or("", |(_, query)| query)
    }

    /// The body as JSON, if it is JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &Shown::path(&self.path))
            .field("headers", &Shown::headers(&self.headers))
            .field("body", &Shown::body(&self.body))
            .finish_non_exhaustive()
    }
}

/// The value of the first header of that name, in any case.
pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A request target without its query.
pub(crate) fn route(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

/// What `Debug` shows of a message: no header's value, no query, of the body its length.
pub(crate) struct Shown(String);

impl Shown {
    pub(crate) fn path(path: &str) -> Self {
        Self(format!("{}{}", route(path), if path.contains('?') { "?…" } else { "" }))
    }

    pub(crate) fn headers(headers: &[(String, String)]) -> Self {
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        Self(names.join(", "))
    }

    pub(crate) fn body(body: &[u8]) -> Self {
        Self(format!("{} bytes", body.len()))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A response, whole. Faults change it or break it while it is sent. `Debug` shows no header's value and no body.
#[derive(Clone)]
#[non_exhaustive]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type`.
    pub content_type: String,
    /// Headers beyond `Content-Type`, `Content-Length`, `Date` and `Connection`, which the emulator adds.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// `None`: the time of the server's clock; an empty text: no `Date` at all.
    pub(crate) date: Option<String>,
}

impl Response {
    /// A response with a body of whatever type.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type: content_type.to_owned(), headers: Vec::new(), body: body.into(), date: None }
    }

    /// A response whose body is JSON.
    #[must_use]
    pub fn json(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json", value.to_string())
    }

    /// The same response with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The head up to and with the empty line. `length` is a `Content-Length`, or none for chunks.
    pub(crate) fn head(&self, date: &str, length: Option<usize>, keep_alive: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let mut line = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
        // RFC 9110 §8.6: an answer that hands the connection over has no content.
        if self.status != 101 {
            line("Content-Type", &self.content_type);
            match length {
                Some(length) => line("Content-Length", &length.to_string()),
                None => line("Transfer-Encoding", "chunked"),
            }
        }
        let date = self.date.as_deref().unwrap_or(date);
        if !date.is_empty() {
            line("Date", date);
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        if !keep_alive {
            line("Connection", "close");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("headers", &Shown::headers(&self.headers))
            .field("body", &Shown::body(&self.body))
            .finish_non_exhaustive()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
