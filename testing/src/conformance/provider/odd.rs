//! Answers that no service should give, and many do.

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use perennial_core::Response;
use perennial_core::wire::{BODY_CAP, Body};
use serde_json::Value;

/// What gateways, captive portals and error pages look like.
const PAGE: &str = "<!doctype html><html><head><title>Sign in to the guest network</title></head><body>\
    <form method=post action=/login><input name=user><input name=password type=password></form></body></html>";

/// Statuses that are no success.
const STATUSES: &[u16] = &[
    100, 101, 102, 199, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410,
    411, 412, 413, 415, 418, 422, 423, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 507, 511, 520, 599,
    600, 799, 999,
];

/// Statuses that say nothing of a login or a refresh token, whatever stands beside them.
pub(super) const SILENT: &[u16] =
    &[300, 301, 302, 303, 304, 307, 308, 404, 405, 408, 429, 500, 501, 502, 503, 504, 507, 511, 520, 599];

/// An answer, and what it is called where it is told of.
pub(super) type Odd = (String, Response);

pub(super) fn answer(status: u16, body: impl Into<Vec<u8>>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn page(status: u16) -> Response {
    let mut response = answer(status, PAGE);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// Bodies that grant nothing, with a status that says success.
pub(super) fn bodies() -> Vec<Odd> {
    let deep = |open: &str| open.repeat(100_000.min(BODY_CAP / open.len()));
    let mut odd: Vec<Odd> = [
        ("an empty body", String::new()),
        ("a blank body", " \r\n\t ".into()),
        ("`null`", "null".into()),
        ("`true`", "true".into()),
        ("a number", "1e400".into()),
        ("a text", "\"access_token\"".into()),
        ("an empty list", "[]".into()),
        ("an empty object", "{}".into()),
        ("a list of an object", "[{}]".into()),
        ("half an object", "{\"".into()),
        ("a mark of byte order", "\u{feff}".into()),
        ("XML", "<?xml version=\"1.0\"?><Error><Code>No</Code></Error>".into()),
        ("plain text", "upstream connect error or disconnect/reset before headers".into()),
        ("deep lists", deep("[")),
        ("deep objects", deep("{\"a\":")),
        ("a huge body", "a".repeat(BODY_CAP)),
        ("a huge text", format!("\"{}\"", "a".repeat(BODY_CAP - 2))),
        ("a huge number", "9".repeat(BODY_CAP)),
    ]
    .into_iter()
    .map(|(name, body)| (name.to_owned(), answer(200, body)))
    .collect();
    odd.push(("bytes that are no text".into(), answer(200, b"{\"a\":\"\xff\xfe\x00\"}".to_vec())));
    odd.push(("nothing but NUL".into(), answer(200, vec![0; 1000])));
    odd.push(("a page".into(), page(200)));
    odd.push(("204".into(), answer(204, "")));
    odd
}

/// Every other status, empty, with a page, and with the right body. Without the right headers.
pub(super) fn statuses(right: &Response) -> Vec<Odd> {
    let of = |status: &u16| {
        let right = (format!("{status} with the right body"), answer(*status, right.body().as_ref().to_vec()));
        [
            right,
            (format!("{status} without a body"), answer(*status, "")),
            (format!("{status} with a page"), page(*status)),
        ]
    };
    STATUSES.iter().flat_map(of).collect()
}

/// The right answer, with one value of its JSON in another type, or gone.
pub(super) fn values(right: &Response) -> Vec<Odd> {
    let Ok(json) = serde_json::from_slice::<Value>(right.body().as_ref()) else { return Vec::new() };
    let mut pointers = Vec::new();
    paths(&json, String::new(), &mut pointers);
    let others = [
        Value::Null,
        Value::Bool(true),
        Value::from(-1),
        Value::from(1e300),
        Value::from(""),
        Value::from("\r\nx: y"),
        Value::from("\u{e9}\u{0}"),
        Value::Array(Vec::new()),
        Value::Object(serde_json::Map::new()),
    ];
    let mut odd = Vec::new();
    for pointer in pointers {
        for other in &others {
            let mut changed = json.clone();
            let Some(value) = changed.pointer_mut(&pointer) else { continue };
            *value = other.clone();
            let mut response = right.clone();
            *response.body_mut() = Body::from(changed.to_string().into_bytes());
            let field = pointer.trim_start_matches('/').replace('/', ".");
            odd.push((format!("{other} in the field `{field}`"), response));
        }
    }
    odd
}

fn paths(json: &Value, at: String, found: &mut Vec<String>) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                paths(value, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(at_item, item)| {
            paths(item, format!("{at}/{at_item}"), found);
        }),
        _ => {}
    }
    found.push(at);
}

/// The right answer with its body cut off, at up to 300 places.
pub(super) fn torn(right: &Response) -> Vec<Odd> {
    let body = right.body().as_ref();
    let cuts = (0..body.trim_ascii_end().len()).step_by(1 + body.len() / 300);
    let cut = |end: usize| {
        let mut response = right.clone();
        *response.body_mut() = Body::from(body[..end].to_vec());
        (format!("the first {end} of {} bytes", body.len()), response)
    };
    cuts.map(cut).collect()
}

/// An answer that asks for a pause.
pub(super) fn pause(status: u16, value: &str, body: &str) -> Response {
    let mut response = answer(status, body);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static("1")));
    response
}

/// Errors as services write them, in which this is quoted.
pub(super) fn quoting(secret: &str) -> Vec<Response> {
    let quoted = Value::from(format!("{secret} is not right: {secret}"));
    let plain = Value::from(secret);
    let mut answers = Vec::new();
    for status in [400, 401, 403, 422, 429, 500, 200] {
        for text in [&quoted, &plain] {
            let json = serde_json::json!({
                "error": text, "error_description": text, "code": text, "message": text, "msg": text, "detail": text,
                "errors": [{ "code": text, "message": text }], "title": text,
            });
            answers.push(answer(status, json.to_string()));
            answers.push(answer(status, serde_json::json!({ "error": json, "data": null }).to_string()));
        }
        answers.push(answer(status, secret));
    }
    answers
}
