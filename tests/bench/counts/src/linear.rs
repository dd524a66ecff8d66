//! Everything that reads what others wrote, at the most that it is given: twice as much to read is twice as much work.
//!
//! Each parser reads bodies of many shapes, among them those that made parsers slow: names that are compared with all
//! before them, names that begin alike, lists, depth, escapes, pages of nothing but tags.

use std::hint::black_box;

use http::{HeaderValue, StatusCode, header};
use perennial_core::credentials::{MAX_EXTRA, Secret};
use perennial_core::exchange::BODY_CAP;
use perennial_core::oauth2::{
    AuthorizationRequest, FieldCase, GrantType, PendingAuthorization, Profile, ResponseEncoding, parse_device,
    parse_metadata, parse_revocation, parse_token,
};
use perennial_core::providers::auth0::{self, Auth0, Page};
use perennial_core::providers::mosaia;
use perennial_core::providers::navien::{self, Navien};
use perennial_core::providers::settrade::{self, Settrade};
use perennial_core::store::{MAX_RECORD, StoreReply};
use perennial_core::wire::{BaseUrl, form_decode, read_login, retry_after, server_time};
use perennial_core::{
    AccessToken, Credentials, Exchange, Grant, Input, LeaseId, Now, Output, Policy, Provider, Response, SavedSession,
    ServiceError, ServiceErrorKind, Session, Step, Validity,
};

use crate::work::at;

/// Something that reads foreign bytes.
pub struct Parser {
    /// How it is called.
    pub name: &'static str,
    /// The most bytes that it is given.
    pub cap: usize,
    /// Makes input of so many bytes, and returns what reads it once.
    pub prepare: fn(usize) -> Box<dyn FnMut()>,
}

/// An Auth0 page may be larger than an answer.
const PAGE: usize = 1024 * 1024;

/// What is kept beside tokens, less what makes it an object of its own here.
const EXTRA: usize = MAX_EXTRA - 512;

/// The head of an answer, and a redirect.
const HEAD: usize = 64 * 1024;

/// A record of a store.
const RECORD: usize = MAX_RECORD - 512;

/// All of them.
pub const PARSERS: &[Parser] = &[
    Parser { name: "oauth: tokens as JSON", cap: BODY_CAP, prepare: |size| each(bodies(size), oauth_json()) },
    Parser { name: "oauth: tokens as a form", cap: BODY_CAP, prepare: |size| each(forms(size), oauth_form()) },
    Parser { name: "oauth: metadata", cap: BODY_CAP, prepare: |size| each(bodies(size), metadata) },
    Parser { name: "oauth: a device's codes", cap: BODY_CAP, prepare: |size| each(bodies(size), device()) },
    Parser { name: "oauth: a revocation", cap: BODY_CAP, prepare: |size| each(bodies(size), revocation()) },
    Parser { name: "oauth: a redirect", cap: HEAD, prepare: |size| each(forms(size), redirect) },
    Parser { name: "oauth: an exported sign-in", cap: RECORD, prepare: |size| each(bodies(size), exported()) },
    Parser { name: "navien: answers", cap: BODY_CAP, prepare: |size| each(bodies(size), navien_answers) },
    Parser { name: "navien: a saved file", cap: RECORD, prepare: |size| each(bodies(size), navien_saved) },
    Parser { name: "mosaia: answers", cap: BODY_CAP, prepare: |size| each(bodies(size), mosaia_answers()) },
    Parser { name: "mosaia: a bare token", cap: HEAD, prepare: |size| each(tokens(size), mosaia_token) },
    Parser { name: "settrade: answers", cap: BODY_CAP, prepare: |size| each(bodies(size), settrade_answers()) },
    Parser { name: "auth0: a page", cap: PAGE, prepare: |size| each(pages(size), page) },
    Parser { name: "auth0: cookies and places", cap: HEAD, prepare: |size| each(cookies(size), walk) },
    Parser { name: "auth0: a token", cap: HEAD, prepare: |size| each(tokens(size), auth0_token) },
    Parser { name: "store: a record", cap: RECORD, prepare: |size| each(records(size), record) },
    Parser { name: "credentials: an extra field", cap: EXTRA, prepare: |size| each(bodies(size), extra()) },
    Parser { name: "wire: addresses, dates and logins", cap: HEAD, prepare: |size| each(bodies(size), wire) },
    Parser { name: "errors: a service's words", cap: BODY_CAP, prepare: |size| each(bodies(size), words()) },
];

/// Reads each of these inputs.
fn each(inputs: Vec<Vec<u8>>, mut read: impl FnMut(&[u8]) + 'static) -> Box<dyn FnMut()> {
    Box::new(move || inputs.iter().for_each(|input| read(black_box(input))))
}

// ---- Inputs

/// Repeats what `part` makes of a count, until there are so many bytes.
fn filled(size: usize, part: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(size + 64);
    for count in 0.. {
        let next = part(count);
        if text.len() + next.len() > size {
            break;
        }
        text += &next;
    }
    text
}

/// What stands in an object: its fields, separated by commas.
fn fields(size: usize) -> Vec<String> {
    let list = |part: fn(usize) -> String| {
        let text = filled(size, part);
        text.trim_end_matches(',').to_owned()
    };
    let long = size / 250;
    vec![
        list(|count| format!("\"{count:x}\":1,")),
        list(|count| format!("\"\\u0061{count:x}\":\"\\n\",")),
        {
            let text = filled(size, |count| format!("\"{}{count:x}\":1,", "a".repeat(long.saturating_sub(8))));
            text.trim_end_matches(',').to_owned()
        },
        list(|count| if count % 2 == 0 { "\"message\":1,".into() } else { "\"code\":0,".into() }),
    ]
}

/// Values that are as large as they can be.
fn values(size: usize) -> Vec<String> {
    let list = |part: fn(usize) -> String| {
        let text = filled(size, part);
        format!("[{}]", text.trim_end_matches(','))
    };
    let depth = size / 2;
    let mut values: Vec<_> = fields(size).into_iter().map(|fields| format!("{{{fields}}}")).collect();
    values.extend([
        list(|count| format!("\"group{count:x}\",")),
        list(|count| format!("{{\"errorType\":\"e{count}\",\"message\":\"m\"}},")),
        list(|_| "[],".into()),
        format!("{}{}", "[".repeat(depth.min(100)), "]".repeat(depth.min(100))),
        "[".repeat(size),
        "{\"a\":".repeat(size / 5),
        format!("\"{}\"", "x".repeat(size)),
        format!("\"{}\"", "\\u00e9".repeat(size / 6)),
        format!("\"{}\"", "a@b ".repeat(size / 4)),
        format!("\"{}\"", "%25".repeat(size / 3)),
        "1".repeat(size),
        format!("\"{}\"", "1".repeat(size)),
    ]);
    values
}

/// Names under which something is looked for.
const NAMES: [&str; 11] =
    ["scope", "access_token", "error", "refresh_token", "message", "data", "token", "errors", "hosts", "exp", "legal"];

/// JSON of every kind.
fn bodies(size: usize) -> Vec<Vec<u8>> {
    let mut bodies: Vec<String> = Vec::new();
    for fields in fields(size) {
        bodies.push(format!("{{{fields}}}"));
        bodies.push(format!("{{\"access_token\":\"at\",\"token_type\":\"bearer\",{fields}}}"));
        bodies.push(format!("{{\"code\":200,\"data\":{{\"token\":{{\"accessToken\":\"at\",{fields}}}}}}}"));
    }
    for (count, value) in values(size).into_iter().enumerate() {
        let name = NAMES[count % NAMES.len()];
        let others = "\"access_token\":\"at\",\"refresh_token\":\"rt\"".replace(name, "other");
        bodies.push(match count % 3 {
            0 => format!("{{{others},\"{name}\":{value}}}"),
            1 => format!("{{\"data\":{{\"{name}\":{value}}}}}"),
            _ => value,
        });
    }
    bodies.into_iter().map(String::into_bytes).collect()
}

/// Forms and queries.
fn forms(size: usize) -> Vec<Vec<u8>> {
    let forms = [
        filled(size, |count| format!("{count:x}=&")),
        filled(size, |count| format!("{}{count:x}=1&", "a".repeat((size / 250).saturating_sub(8)))),
        format!("access_token={}", "%41".repeat(size / 3)),
        format!("scope={}", "a+".repeat(size / 2)),
        format!("state={}", "x".repeat(size)),
        format!("/done?code=1&error={}", "x@y+".repeat(size / 4)),
        "&".repeat(size),
        "=".repeat(size),
        "%".repeat(size),
    ];
    forms.into_iter().map(String::into_bytes).collect()
}

/// Three parts with dots between them, the middle one Base64 of JSON.
fn tokens(size: usize) -> Vec<Vec<u8>> {
    let json = |text: String| format!("e.{}.s", base64url(text.as_bytes()));
    let room = size / 4 * 3 - 64;
    let mut tokens: Vec<_> = fields(room).into_iter().map(|fields| json(format!("{{{fields}}}"))).collect();
    tokens.extend(values(room).into_iter().map(|value| json(format!("{{\"exp\":{value}}}"))));
    tokens.extend([".".repeat(size), "a".repeat(size)]);
    tokens.into_iter().map(String::into_bytes).collect()
}

fn base64url(bytes: &[u8]) -> String {
    const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        let digits = (0..=chunk.len()).map(|digit| bits >> (18 - 6 * digit) & 63);
        text.extend(digits.map(|digit| char::from(CHARACTERS[digit])));
    }
    text
}

/// Pages of nothing but one thing.
fn pages(size: usize) -> Vec<Vec<u8>> {
    let pages = [
        filled(size, |count| format!("<input name=\"n{count}\" value=\"v\">")),
        format!("<input {}>", filled(size, |count| format!("a{count:x}=1 "))),
        "<div>".repeat(size / 5),
        format!("<div class=\"error-message\">{}", "<div>".repeat(size / 5)),
        format!("<div class=\"error-message\">{}", "x ".repeat(size / 2)),
        format!("<div class=\"{}\">", "a ".repeat(size / 2)),
        "<template>".repeat(size / 10),
        format!("<!--{}", "-".repeat(size)),
        "<".repeat(size),
        "&".repeat(size),
        "&notit;".repeat(size / 7),
        format!("&#{};", "1".repeat(size)),
        format!("<script>{}", "</scrip>".repeat(size / 8)),
        format!("<textarea>{}", "</".repeat(size / 2)),
        format!("<{}", "a".repeat(size)),
        format!("<a {}", "=".repeat(size)),
        format!("<!DOCTYPE {}", "x ".repeat(size / 2)),
    ];
    pages.into_iter().map(String::into_bytes).collect()
}

/// Heads: one line is one header.
fn cookies(size: usize) -> Vec<Vec<u8>> {
    let heads = [
        filled(size, |count| format!("set-cookie: c{count:x}=v\n")),
        filled(size, |count| format!("set-cookie: c{}=v{count}; Max-Age=0\n", count % 70)),
        format!("set-cookie: a={}", "x".repeat(size)),
        format!("set-cookie: a=b{}", "; domain=films.example".repeat(size / 22)),
        format!("set-cookie: a=b{}", ";".repeat(size)),
        format!("set-cookie: a=b; expires={}", "-".repeat(size)),
        format!("location: {}", "/..".repeat(size / 3)),
        format!("location: {}", "/a".repeat(size / 2)),
        format!("location: {}", "\u{7f}".repeat(size)),
        format!("location: ?{}", "%".repeat(size)),
        format!("date: {}", "x".repeat(size)),
    ];
    heads.into_iter().map(String::into_bytes).collect()
}

fn records(size: usize) -> Vec<Vec<u8>> {
    let head = "\"perennial\":1,\"provider\":\"navien\",\"namespace\":\"r\"";
    let access = "\"access\":{\"token_type\":\"Bearer\",\"token\":\"at\",\"validity\":{\"issued_at\":1}}";
    let mut records: Vec<String> = Vec::new();
    for fields in fields(size) {
        records.push(format!("{{{head},{access},{fields}}}"));
        records.push(format!("{{{head},{access},\"account\":{{{fields}}}}}"));
    }
    for (count, value) in values(size).into_iter().enumerate() {
        let name = ["extra", "login", "refresh_token", "failures", "written", "account"][count / 2 % 6];
        records.push(match count % 2 {
            0 => format!("{{{head},{access},\"{name}\":{value}}}"),
            _ => format!("{{{head},{access},\"account\":{{\"legal\":{value}}}}}"),
        });
    }
    records.into_iter().map(String::into_bytes).collect()
}

// ---- Parsers

const NOW: u64 = 5;

fn now() -> Now {
    at(NOW)
}

fn answer(status: StatusCode, body: &[u8]) -> Response {
    let mut response = Response::new(body.to_vec().into());
    *response.status_mut() = status;
    response
}

/// Under a success, and under a refusal.
fn both(body: &[u8], mut read: impl FnMut(&Response)) {
    [StatusCode::OK, StatusCode::BAD_REQUEST].into_iter().for_each(|status| read(&answer(status, body)));
}

fn profile() -> Profile {
    Profile::new("https://auth.example/token", "app").expect("an address")
}

fn oauth_json() -> impl FnMut(&[u8]) {
    let plain = profile();
    let within = profile().with_response_wrapper("data").with_field_case(FieldCase::Camel).with_absolute_expiry("exp");
    move |body| {
        for profile in [&plain, &within] {
            both(body, |answer| {
                let _ = black_box(parse_token(profile, GrantType::Password, answer, now(), now()));
            });
        }
    }
}

fn oauth_form() -> impl FnMut(&[u8]) {
    let profile = profile().with_response_encoding(ResponseEncoding::Form);
    move |body| {
        both(body, |answer| {
            let _ = black_box(parse_token(&profile, GrantType::RefreshToken, answer, now(), now()));
        });
    }
}

fn metadata(body: &[u8]) {
    let _ = black_box(parse_metadata("https://auth.example", &answer(StatusCode::OK, body), now()));
}

fn device() -> impl FnMut(&[u8]) {
    let profile = profile();
    move |body| both(body, |answer| drop(black_box(parse_device(&profile, answer, now(), now()))))
}

fn revocation() -> impl FnMut(&[u8]) {
    let profile = profile();
    move |body| both(body, |answer| drop(black_box(parse_revocation(&profile, answer, now()))))
}

fn pending() -> PendingAuthorization {
    let profile = profile().with_authorization_endpoint("https://auth.example/").expect("an address");
    let begun = profile.authorize([7; 64], &AuthorizationRequest::new("http://127.0.0.1/done"), now());
    begun.expect("all is there").into_pending()
}

/// With the state in front, so that the rest is looked at.
fn redirect(query: &[u8]) {
    let query = std::str::from_utf8(query).expect("made of text");
    let state = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
    let room = query.len().min(HEAD - 128);
    let redirect = format!("/done?state={state}&{}", &query[..room]);
    black_box(pending().matches(&redirect));
    let _ = black_box(pending().exchange_code(&redirect, now()));
}

fn exported() -> impl FnMut(&[u8]) {
    let profile = profile();
    move |text| {
        let text = Secret::from(std::str::from_utf8(text).expect("made of text"));
        let _ = black_box(PendingAuthorization::restore(&profile, text, now()));
    }
}

fn navien_answers(body: &[u8]) {
    both(body, |answer| {
        let _ = black_box(navien::parse_sign_in(answer, "user", now(), now()));
        let _ = black_box(navien::parse_refresh(answer, now(), now()));
        let _ = black_box(navien::parse_session_refresh(answer, now(), now()));
        let _ = black_box(navien::parse_secured_sign_in(answer, "user", now(), now()));
    });
}

fn navien_saved(text: &[u8]) {
    let _ = black_box(Navien::default().read_saved_session(text, now()));
}

fn mosaia_answers() -> impl FnMut(&[u8]) {
    let login = mosaia::Login::password("ann@example.com", "pass").expect("a login");
    move |body| {
        both(body, |answer| {
            let _ = black_box(mosaia::parse_sign_in(answer, &login, now(), now()));
            let _ = black_box(mosaia::parse_self(answer, now()));
            let _ = black_box(mosaia::parse_sign_out(answer, now()));
        });
    }
}

fn mosaia_token(token: &[u8]) {
    let _ = black_box(mosaia::bare_token(std::str::from_utf8(token).expect("made of text"), now()));
}

fn settrade_answers() -> impl FnMut(&[u8]) {
    let settrade = Settrade::new("broker", "app").expect("settings");
    let access = AccessToken::new("Bearer", "at", Validity::unknown(now())).expect("a token");
    move |body| {
        both(body, |answer| {
            let _ = black_box(settrade::parse_sign_in(answer, "id", now(), now()));
            let _ = black_box(settrade.parse_ticket(answer, &access, now()));
            black_box(settrade::server_clock(answer, now()));
        });
    }
}

fn page(body: &[u8]) {
    black_box(Page::read(body));
    black_box(auth0::parse_refusal(&answer(StatusCode::FORBIDDEN, body), now()));
}

/// A walk that stays at its first page: redirects and cookies, then the cookies go back.
fn walk(head: &[u8]) {
    let login = auth0::Login::new("ann@example.com", "pass").expect("a login");
    let mut exchange = Auth0::builder("https://www.films.example").build().expect("settings").sign_in(&login);
    let _ = exchange.start(now());
    for _ in 0..3 {
        let mut answer = answer(StatusCode::FOUND, b"");
        for line in head.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let at = line.iter().position(|byte| *byte == b':').expect("a header");
            let name = header::HeaderName::from_bytes(&line[..at]).expect("a name");
            if let Ok(value) = HeaderValue::from_bytes(&line[at + 2..]) {
                answer.headers_mut().append(name, value);
            }
        }
        if !answer.headers().contains_key(header::LOCATION) {
            answer.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/auth/login"));
        }
        match exchange.receive(answer, now()) {
            Ok(Step::Send(request)) => drop(black_box(request)),
            other => return drop(black_box(other)),
        }
    }
}

fn auth0_token(token: &[u8]) {
    black_box(auth0::validate(std::str::from_utf8(token).expect("made of text"), now()));
}

/// As a session finds it.
fn record(record: &[u8]) {
    let login = navien::Login::new("ann@example.com", "pass").expect("a login");
    let mut session = Session::new(Navien::default(), login, Policy::default().persist_login(), 7).with_store();
    session.demand(LeaseId::Access, now());
    loop {
        match session.poll_output() {
            Output::Store(op) => {
                let found = StoreReply::Read(Some(record.to_vec().into()));
                return session.handle_input(Input::Store(op.id, Ok(found)), now());
            }
            Output::Sleep(_) => unreachable!("it looks into its store"),
            _ => {}
        }
    }
}

fn extra() -> impl FnMut(&[u8]) {
    let access = AccessToken::new("Bearer", "at", Validity::unknown(now())).expect("a token");
    move |json| {
        let extra = Some(Secret::from(std::str::from_utf8(json).expect("made of text")));
        let grant = Grant { access: Some(access.clone()), extra, ..Grant::default() };
        let credentials = Credentials::from_grant(grant, None).expect("a token");
        black_box(credentials.extra("nothing of that name"));
        let saved = SavedSession::new("navien", "r", credentials).to_json();
        let _ = black_box(SavedSession::parse(saved.expose().as_bytes(), now()));
    }
}

fn wire(text: &[u8]) {
    let text = std::str::from_utf8(text).expect("made of text");
    let _ = black_box(BaseUrl::parse(text));
    let _ = black_box(BaseUrl::parse(&format!("https://a.example/{}", text.replace(['"', '{', '}', '\\', ' '], "/"))));
    black_box(form_decode(text).count());
    black_box(read_login("kind", text, ["key"]));
    let mut headers = http::HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(header::RETRY_AFTER, value.clone());
        headers.insert(header::DATE, value);
    }
    black_box((retry_after(&headers, now()), server_time(&headers)));
}

fn words() -> impl FnMut(&[u8]) {
    let secrets = ["s3cret".repeat(10_000), "two words ".repeat(6_000)];
    move |text| {
        let text = std::str::from_utf8(text).expect("made of text");
        let error = ServiceError::new(ServiceErrorKind::Service).with_code(text).with_message(text);
        black_box(error.without_echo(secrets.iter().map(String::as_str)).without_echo([text]));
    }
}
