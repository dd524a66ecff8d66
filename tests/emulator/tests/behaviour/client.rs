//! The raw client.

use perennial_emulator::{Emulator, NavienSettings};
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Long enough for a busy machine. Nothing waits that long when all is well.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(120);

pub(crate) const SIGN_IN: &str = "/api/v2.1/user/sign-in";
pub(crate) const REFRESH: &str = "/api/v2.1/auth/refresh";
pub(crate) const SESSION_REFRESH: &str = "/api/v2.1/auth/session/refresh";
pub(crate) const SECURED_SIGN_IN: &str = "/api/v2.1/user/secured-sign-in";
pub(crate) const DEVICE_LIST: &str = "/api/v2.1/device/list";

/// All that came back until the end, and how it ended.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) raw: Vec<u8>,
    pub(crate) end: Option<io::ErrorKind>,
}

impl Reply {
    pub(crate) fn head(&self) -> String {
        String::from_utf8_lossy(&self.raw[..self.split()]).into_owned()
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.raw[self.split()..]
    }

    pub(crate) fn status(&self) -> u16 {
        self.head().split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = self.head();
        let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    }

    pub(crate) fn length(&self) -> usize {
        self.header("content-length").unwrap().parse().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.body()).unwrap()
    }

    pub(crate) fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    fn split(&self) -> usize {
        self.raw.windows(4).position(|window| window == b"\r\n\r\n").map_or(self.raw.len(), |at| at + 4)
    }
}

pub(crate) fn connect(url: &str) -> TcpStream {
    let address = url.trim_start_matches("http://").trim_start_matches("https://");
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    socket
}

pub(crate) fn request(path: &str, authorization: Option<&str>, close: bool, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let authorization = authorization.map_or(String::new(), |value| format!("authorization: {value}\r\n"));
    let connection = if close { "Connection: close\r\n" } else { "" };
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: emulator\r\n{authorization}{connection}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Reads until the end, or until so many bytes have come.
pub(crate) fn read(stream: &mut impl Read, at_most: usize) -> Reply {
    let mut reply = Reply { raw: Vec::new(), end: None };
    let mut scratch = vec![0; 64 * 1024];
    while reply.raw.len() < at_most {
        match stream.read(&mut scratch) {
            Ok(0) => break,
            Ok(read) => reply.raw.extend_from_slice(&scratch[..read]),
            Err(error) => {
                reply.end = Some(error.kind());
                break;
            }
        }
    }
    reply
}

/// One request on its own connection.
pub(crate) fn ask(emulator: &Emulator, path: &str, authorization: Option<&str>, body: &Value) -> Reply {
    let mut socket = connect(&emulator.http_url());
    let _ = socket.write_all(&request(path, authorization, true, body));
    read(&mut socket, usize::MAX)
}

pub(crate) fn login() -> Value {
    json!({"userId": NavienSettings::EMAIL, "password": NavienSettings::PASSWORD})
}

pub(crate) fn sign_in(emulator: &Emulator) -> Value {
    let reply = ask(emulator, SIGN_IN, None, &login());
    assert_eq!(reply.status(), 200, "{reply:?}");
    reply.data()["token"].clone()
}

pub(crate) fn refresh(emulator: &Emulator, token: &Value) -> Reply {
    ask(emulator, REFRESH, None, &json!({"refreshToken": token}))
}

pub(crate) fn call(emulator: &Emulator, authorization: &str) -> u16 {
    let body = json!({"offset": 0, "count": 20, "userId": NavienSettings::EMAIL});
    ask(emulator, DEVICE_LIST, Some(authorization), &body).status()
}

pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}
