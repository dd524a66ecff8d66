//! A service that repeats what it is sent, wherever an answer has room for it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use perennial_core::wire::form_decode;
use serde_json::{Value, json};

use crate::canary::{WORD, canary};

/// One kind of answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) shape: Shape,
}

/// How the body of an answer repeats things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A grant, with secrets of its own, and words beside it.
    Granted,
    /// In every field that any service has for an error.
    Fields,
    /// In an object within `error`.
    Within,
    /// At the end of a text, where it is cut off.
    Cut,
    /// The whole request, as it came.
    Request,
    /// On a page.
    Page,
    /// In a form.
    Form,
    /// In plain text, and in JSON that is torn.
    Torn,
}

impl Answer {
    /// Each shape under the statuses that are read most closely; the others under some.
    pub(crate) fn all() -> Vec<Self> {
        use Shape::{Cut, Fields, Form, Granted, Page, Request, Torn, Within};
        let shapes = [Granted, Fields, Within, Cut, Request, Page, Form, Torn];
        let read = [200, 400, 401, 500].map(|status| shapes.map(|shape| Self { status, shape }));
        let rest = [302, 403, 404, 409, 422, 429, 503].map(|status| [Fields, Page].map(|shape| Self { status, shape }));
        read.into_iter().flatten().chain(rest.into_iter().flatten()).collect()
    }

    /// The bytes of the answer to a request.
    fn to(self, sent: &Sent) -> Vec<u8> {
        let secrets = sent.secrets();
        // One that was sent, whichever way the fields are dealt out.
        let one = |place: usize| secrets.get(place % secrets.len().max(1)).cloned().unwrap_or_default();
        let words = format!("not good: {}", secrets.join(", "));
        let quoted = format!("not \"{}\"", one(1));
        let granted = canary("granted");
        let body = match self.shape {
            Shape::Granted => {
                let mut tokens = json!({ "token_type": "Bearer", "expires_in": 3600, "scope": words });
                for name in ["access_token", "accessToken", "refresh_token", "refreshToken", "id_token", "idToken"] {
                    tokens[name] = json!(granted);
                }
                let mut body = tokens.clone();
                body["data"] = tokens.clone();
                body["data"]["token"] = tokens;
                (body["code"], body["msg"]) = (json!(200), json!(words));
                (body["token"], body["hosts"], body["unknown"]) = (json!(granted), json!(["h.example"]), json!(granted));
                (body["device_code"], body["user_code"]) = (json!(granted), json!("AB"));
                body["verification_uri"] = json!("https://h.example");
                body.to_string()
            }
            Shape::Fields => json!({
                "code": one(0), "msg": words, "message": quoted, "error": one(1), "error_description": words,
                "error_uri": format!("https://h.example/{}", one(0)), "errors": [{ "errorType": one(0), "message": words }],
                "type": one(1), "detail": words, "title": one(0),
            })
            .to_string(),
            Shape::Within => {
                json!({ "code": 401, "error": { "code": one(1), "type": one(0), "message": words } }).to_string()
            }
            Shape::Cut => {
                // Just before the place where words are cut, whatever stands around them.
                let filler = "no ".repeat(62) + &one(0);
                json!({ "code": 401, "msg": filler, "message": filler, "error": "no", "error_description": filler })
                    .to_string()
            }
            Shape::Request => json!({ "code": 400, "msg": sent.text, "message": sent.text, "error": sent.text }).to_string(),
            Shape::Page => {
                let page = canary("page");
                format!(
                    "<html><title>{page}</title><div class=\"error-message\">{words}</div><input name=a value='{}'>",
                    one(0)
                )
            }
            Shape::Form => {
                let encoded = perennial_core::wire::form_encode([("error", one(0).as_str()), ("error_description", &words)]);
                encoded.expose().to_owned()
            }
            Shape::Torn => format!("{{\"msg\":\"{words}\",\"access_token\":\"{granted}"),
        };
        let (reason, place) = (one(0), one(1));
        format!(
            "HTTP/1.1 {} {reason}\r\nContent-Length: {}\r\nLocation: https://trap.example/{place}?code={place}\r\n\
             WWW-Authenticate: Bearer error=\"{reason}\"\r\nSet-Cookie: session={}\r\nX-Any: {words}\r\n\r\n{body}",
            self.status,
            body.len(),
            canary("cookie")
        )
        .into_bytes()
    }
}

/// A request as it came.
struct Sent {
    text: String,
}

impl Sent {
    fn path(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    /// Every text in it that is a secret, plain.
    fn secrets(&self) -> Vec<String> {
        let (head, body) = self.text.split_once("\r\n\r\n").unwrap_or((&self.text, ""));
        let mut texts: Vec<String> = head.split(['\r', '\n', ' ', ';', '=', '&', '?']).map(str::to_owned).collect();
        match serde_json::from_str::<Value>(body) {
            Ok(Value::Object(fields)) => texts.extend(fields.values().filter_map(Value::as_str).map(str::to_owned)),
            _ => texts.extend(form_decode(body).flatten().map(|(_, value)| value)),
        }
        // An address is masked, and may be told.
        texts.retain(|text| text.contains(WORD) && !text.contains('@'));
        texts
    }
}

/// The service. Answers one request after another.
pub(crate) struct Service {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let answer = Arc::new(Mutex::new(Answer { status: 500, shape: Shape::Fields }));
        let thread = std::thread::spawn({
            let (over, answer) = (Arc::clone(&over), Arc::clone(&answer));
            move || {
                for stream in listener.incoming() {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    // Whoever hangs up does so on purpose.
                    let _ = stream.and_then(|stream| serve(stream, *answer.lock().unwrap()));
                }
            }
        });
        Self { address, answer, over, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on.
    pub(crate) fn answer_with(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        self.thread.take().into_iter().for_each(|thread| thread.join().unwrap());
    }
}

fn serve(mut stream: TcpStream, answer: Answer) -> std::io::Result<()> {
    stream.set_read_timeout(Some(perennial_tests::LONG))?;
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    let whole = |bytes: &[u8]| {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        Some(end + length.unwrap_or(0))
    };
    while whole(&bytes).is_none_or(|whole| bytes.len() < whole) {
        match stream.read(&mut block)? {
            0 => return Ok(()),
            read => bytes.extend_from_slice(&block[..read]),
        }
    }
    let sent = Sent { text: String::from_utf8_lossy(&bytes).into_owned() };
    stream.write_all(&match sent.path() {
        // The pages before the login, as they should be.
        "/auth/login" => page("<input name=state value=s>"),
        path if path.starts_with("/u/login/password") => {
            page("<input name=state value=s><input name=_csrf_token value=c>")
        }
        _ => answer.to(&sent),
    })
}

fn page(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
