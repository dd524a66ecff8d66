//! Requests as read, answers as to be written.

use serde_json::Value;

/// A request, read to its end.
pub(crate) struct Request {
    pub(crate) connection: usize,
    pub(crate) tls: bool,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// HTTP/1.1 and no `Connection: close`.
    pub(crate) keep_alive: bool,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The path without the query.
    pub(crate) fn route(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// An answer, whole. Faults change it or break it while it is sent.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    /// Beyond `Content-Type`, `Content-Length`, `Date` and `Connection`.
    pub(crate) headers: Vec<(String, String)>,
    /// `None`: the server's clock; an empty string: no `Date` at all.
    pub(crate) date: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type: content_type.to_owned(), headers: Vec::new(), date: None, body: body.into() }
    }

    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json", value.to_string())
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
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
