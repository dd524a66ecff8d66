//! Faults that are a matter of bytes: answers by somebody else, and right answers spoiled. No I/O here.

use crate::faults::Fault;
use crate::message::{Request, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};
use std::io::Write;

/// The answer of faults that do not let the service answer; none for those that break the connection.
pub(crate) fn instead(fault: &Fault, request: &Request, trap_url: &str) -> Option<Response> {
    match fault {
        Fault::CaptivePortal => Some(Response::new(200, "text/html; charset=utf-8", PORTAL)),
        Fault::Status { code, retry_after } => {
            let answer = if *code >= 500 {
                let page = format!("<html><body><h1>{code} from a gateway</h1></body></html>\n");
                Response::new(*code, "text/html", page)
            } else {
                Response::json(*code, &json!({"code": code, "msg": "scripted fault", "data": null}))
            };
            Some(match retry_after {
                Some(value) => answer.with_header("Retry-After", value),
                None => answer,
            })
        }
        Fault::CodeInEnvelope(code) => {
            Some(Response::json(200, &json!({"code": code, "msg": "scripted fault", "data": null})))
        }
        Fault::Redirect(status) => Some(
            Response::new(*status, "text/plain", "").with_header("Location", format!("{trap_url}{}", request.path)),
        ),
        Fault::Body { status, content_type, bytes } => Some(Response::new(*status, content_type, bytes.as_slice())),
        _ => None,
    }
}

const PORTAL: &str = "<!doctype html><html><head><title>Welcome to Hotel WiFi</title></head>\
<body><form action=\"/login\">Room number <input name=\"room\"></form></body></html>\n";

/// Spoils a right answer. Faults of the connection leave it as it is.
pub(crate) fn spoil(fault: &Fault, mut answer: Response) -> Response {
    match fault {
        Fault::EmptyBody => answer.body.clear(),
        Fault::NoData => answer.body = br#"{"code":200}"#.to_vec(),
        Fault::WrongTypes => edit(&mut answer, |envelope| match envelope.get_mut("data") {
            Some(data) => change_types(data),
            None => change_types(envelope),
        }),
        Fault::MissingField(name) => edit(&mut answer, |envelope| remove(envelope, name)),
        Fault::EmptyTokens => edit(&mut answer, |envelope| change_tokens(envelope, &|_| String::new())),
        Fault::Lifetime { field, json } => edit(&mut answer, |envelope| set(envelope, field, json)),
        Fault::LifetimeText { field, text } => {
            edit(&mut answer, |envelope| set(envelope, field, &json!(PLACEHOLDER)));
            rewrite(&mut answer, |body| body.replace(&format!("\"{PLACEHOLDER}\""), text));
        }
        Fault::ControlCharacters => edit(&mut answer, |envelope| {
            change_tokens(envelope, &|token| {
                let middle = token.len() / 2;
                format!("{}\r\nX-Injected: 1\0{}", &token[..middle], &token[middle..])
            });
        }),
        Fault::DuplicateKeys => rewrite(&mut answer, |body| {
            TOKEN_FIELDS.iter().fold(body, |body, field| {
                body.replace(&format!("\"{field}\":"), &format!("\"{field}\":\"duplicate\",\"{field}\":"))
            })
        }),
        Fault::DeepJson => answer.body = vec![b'['; 100_000],
        Fault::Gzip => {
            answer.body = gzip(&answer.body);
            answer = answer.with_header("Content-Encoding", "gzip");
        }
        Fault::GzipGarbage => answer = answer.with_header("Content-Encoding", "gzip"),
        Fault::Utf16 => {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            answer.body = [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        }
        Fault::Bom => {
            answer.body.splice(..0, [0xEF, 0xBB, 0xBF]);
        }
        Fault::InvalidUtf8 => rewrite_bytes(&mut answer),
        Fault::Date(date) => answer.date = Some(date.clone()),
        _ => {}
    }
    answer
}

/// The fields that are secrets, at any depth.
const TOKEN_FIELDS: [&str; 9] = [
    "access_token",
    "id_token",
    "refresh_token",
    "idToken",
    "accessToken",
    "refreshToken",
    "accessKeyId",
    "secretKey",
    "sessionToken",
];

const PLACEHOLDER: &str = "@literal@";

fn edit(answer: &mut Response, change: impl FnOnce(&mut Value)) {
    if let Ok(mut envelope) = serde_json::from_slice(&answer.body) {
        change(&mut envelope);
        answer.body = envelope.to_string().into_bytes();
    }
}

fn rewrite(answer: &mut Response, change: impl FnOnce(String) -> String) {
    answer.body = change(String::from_utf8_lossy(&answer.body).into_owned()).into_bytes();
}

/// Puts an overlong encoding and half a surrogate into the first token, or into `msg`.
fn rewrite_bytes(answer: &mut Response) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let names = TOKEN_FIELDS.iter().copied().chain(["msg"]);
    let place = names.filter_map(|field| {
        let key = format!("\"{field}\":\"");
        text.find(&key).map(|at| at + key.len())
    });
    if let Some(at) = place.min() {
        answer.body.splice(at..at, [0xC0, 0xAF, 0xED, 0xA0, 0x80, 0xFF]);
    }
}

fn change_types(value: &mut Value) {
    match value {
        Value::String(text) => *value = json!(text.len()),
        Value::Number(number) => *value = json!([number]),
        Value::Array(_) | Value::Bool(_) | Value::Null => *value = json!("another type"),
        Value::Object(fields) => {
            // An object of plain values keeps its shape, so that the values are what is wrong.
            for field in fields.values_mut() {
                change_types(field);
            }
        }
    }
}

fn remove(value: &mut Value, name: &str) {
    if let Value::Object(fields) = value {
        fields.remove(name);
    }
    each_inside(value, &mut |inner| remove(inner, name));
}

fn change_tokens(value: &mut Value, change: &dyn Fn(&str) -> String) {
    if let Value::Object(fields) = value {
        for (name, field) in fields.iter_mut() {
            if TOKEN_FIELDS.contains(&name.as_str())
                && let Value::String(token) = field
            {
                *token = change(token);
            }
        }
    }
    each_inside(value, &mut |inner| change_tokens(inner, change));
}

/// Sets the field where it stands; where it stands nowhere, beside the tokens.
fn set(envelope: &mut Value, name: &str, to: &Value) {
    if !replace(envelope, name, to) {
        add_beside_tokens(envelope, name, to);
    }
}

fn replace(value: &mut Value, name: &str, to: &Value) -> bool {
    let mut found = false;
    if let Value::Object(fields) = value
        && let Some(field) = fields.get_mut(name)
    {
        *field = to.clone();
        found = true;
    }
    each_inside(value, &mut |inner| found |= replace(inner, name, to));
    found
}

fn add_beside_tokens(value: &mut Value, name: &str, to: &Value) {
    if let Value::Object(fields) = value
        && has_token(fields)
    {
        fields.insert(name.to_owned(), to.clone());
    }
    each_inside(value, &mut |inner| add_beside_tokens(inner, name, to));
}

fn has_token(fields: &Map<String, Value>) -> bool {
    fields.keys().any(|name| TOKEN_FIELDS.contains(&name.as_str()))
}

fn each_inside(value: &mut Value, command: &mut dyn FnMut(&mut Value)) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(command),
        Value::Array(items) => items.iter_mut().for_each(command),
        _ => {}
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail; if it did, the answer would be garbage, which gzip faults may be.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
