//! The pages, written as people write HTML, and forms and cookies read.

use super::RefusalPage;
use crate::message::{Request, Response};

/// What the password page holds.
pub(super) struct Form {
    pub(super) state: String,
    pub(super) csrf_token: String,
    pub(super) walk: String,
}

/// The first page.
pub(super) fn login(state: Option<&str>) -> Response {
    let input = state.map_or_else(String::new, |state| {
        format!("<input type=\"hidden\" id=\"state\" name=\"state\" value=\"{}\">", escaped(state))
    });
    page(
        200,
        &format!(
            "<!-- <input name=\"state\" value=\"of-a-comment\"> -->\n\
             <script>window.form = '<input name=\"state\" value=\"of-a-script\">';</script>\n\
             <form method=\"post\">{input}<input name=\"email\" type=\"email\"></form>"
        ),
    )
}

/// The second page, with or without words against the login.
pub(super) fn password(email: &str, form: &Form, words: Option<&str>) -> Response {
    let words = words.unwrap_or_default();
    page(
        200,
        &format!(
            "<div class=\"ulp-error error-message\">\n  <span>{}</span>\n</div>\n\
             <form method=post action='/u/login?state={state}'>\n\
             <input value='{state}' type=hidden name='state' />\n\
             <input type=hidden value=\"{}\" name=_csrf_token>\n\
             <input name=email value=\"{}\"><input name=password type=password value>\n</form>",
            escaped(words),
            escaped(&form.csrf_token),
            escaped(email),
            state = escaped(&form.state),
        ),
    )
}

/// The second page again, after a wrong login.
pub(super) fn refusal(refusal: RefusalPage, email: &str, form: &Form, words: &str) -> Response {
    let mut answer = password(email, form, Some(words));
    answer.status = match refusal {
        RefusalPage::Ok => 200,
        RefusalPage::BadRequest => 400,
    };
    answer
}

/// Where a sign-in ends.
pub(super) fn home() -> Response {
    page(200, "<h1>Welcome back</h1>")
}

/// A page that says nothing about a login.
pub(super) fn problem(status: u16) -> Response {
    page(status, &format!("<h1>{status}</h1><p>Oops, something is not right here."))
}

fn page(status: u16, body: &str) -> Response {
    let html =
        format!("<!DOCTYPE html>\n<html lang=en><head><title>Films &amp; more</title></head>\n<body>{body}</body>");
    Response::new(status, "text/html; charset=utf-8", html)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// The pairs of a query or a form.
pub(super) fn fields(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// A field that is there once; said twice, it is as good as missing.
pub(super) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = fields.iter().filter(|(known, _)| known == name);
    found.next().filter(|_| found.next().is_none()).map(|(_, value)| value.as_str())
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escape = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        (rest, _) = match (byte, escape) {
            (b'%', Some(escaped)) => (&after[2..], bytes.push(escaped)),
            (b'+', _) => (after, bytes.push(b' ')),
            _ => (after, bytes.push(byte)),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Request {
    /// A cookie's value.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let mut pairs = self.header("cookie")?.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}
