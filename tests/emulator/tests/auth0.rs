//! What the emulated site with Auth0's sign-in pages does, seen by a client that makes every step by hand.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use perennial_emulator::{Auth0Settings, Emulator, Endpoint, Fault, RefusalPage, StateIn};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn cookies(&self) -> Vec<&str> {
        let set = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case("set-cookie"));
        set.map(|(_, value)| value.split(';').next().unwrap()).collect()
    }

    /// The value of an input, as it is written.
    fn input(&self, name: &str) -> String {
        let form = self.body.split_once("<form").unwrap().1;
        let named = ["", "'", "\""].map(|quote| format!("name={quote}{name}{quote}"));
        let tags = form.split("<input").filter_map(|tag| tag.split_once('>'));
        let tag = tags.map(|(tag, _)| tag).find(|tag| named.iter().any(|name| tag.contains(name))).unwrap();
        let value = tag.split_once("value=").unwrap().1;
        let end = value[1..].find(&value[..1]).unwrap();
        let text = value[1..=end].replace("&lt;", "<").replace("&quot;", "\"").replace("&#39;", "'");
        text.replace("&amp;", "&")
    }
}

fn ask(base: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let address = base.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    write!(socket, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut raw = String::new();
    socket.read_to_string(&mut raw).unwrap();
    let (head, body) = raw.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    Reply { status, headers: lines.filter_map(pair).collect(), body: body.to_owned() }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// A walk by hand.
struct Walk<'a> {
    emulator: &'a Emulator,
    session: String,
    form: (String, String),
    walk: String,
}

impl<'a> Walk<'a> {
    fn to_the_password(emulator: &'a Emulator) -> Self {
        let first = ask(&emulator.auth0_url(), "GET", "/auth/login", &[], "");
        assert_eq!(first.status, 200);
        let query = format!("email={}&state={}", encoded(Auth0Settings::EMAIL), encoded(&first.input("state")));
        let path = format!("/u/login/password?{query}");
        let second = ask(&emulator.auth0_auth_url(), "GET", &path, &[("cache-control", "no-cache")], "");
        assert_eq!(second.status, 200, "{}", second.body);
        Self {
            emulator,
            session: first.cookies()[0].to_owned(),
            form: (second.input("state"), second.input("_csrf_token")),
            walk: second.cookies()[0].to_owned(),
        }
    }

    fn submit(&self, password: &str, csrf_token: &str, cookies: &str) -> Reply {
        let state = encoded(&self.form.0);
        let body = format!(
            "email={}&password={}&state={state}&_csrf_token={}&has_agreed=true",
            encoded(Auth0Settings::EMAIL),
            encoded(password),
            encoded(csrf_token)
        );
        let path = format!("/u/login?state={state}");
        ask(&self.emulator.auth0_auth_url(), "POST", &path, &[("cookie", cookies)], &body)
    }
}

/// Signs in, and returns the cookies that the site sets.
fn sign_in(emulator: &Emulator) -> Vec<String> {
    let walk = Walk::to_the_password(emulator);
    let posted = walk.submit(Auth0Settings::PASSWORD, &walk.form.1, &walk.walk);
    let resume = posted.header("location").unwrap();
    let resumed = ask(&emulator.auth0_auth_url(), "GET", resume, &[("cookie", &walk.walk)], "");
    let callback = resumed.header("location").unwrap();
    let path = callback.strip_prefix(&emulator.auth0_url()).unwrap();
    let landed = ask(&emulator.auth0_url(), "GET", path, &[("cookie", &walk.session)], "");
    assert_eq!((landed.status, landed.header("location")), (302, Some("/home")));
    landed.cookies().iter().map(|cookie| (*cookie).to_owned()).collect()
}

#[test]
fn a_walk_over_both_hosts_brings_a_token_for_each_cookie() {
    let emulator = Emulator::builder().start().unwrap();
    assert_ne!(emulator.auth0_url(), emulator.auth0_auth_url());
    let cookies = sign_in(&emulator);
    let auth0 = emulator.auth0();
    let newest = |name| auth0.newest_token(Auth0Settings::EMAIL, name).unwrap();
    let expected = ["angel_jwt", "angel_jwt_v2"].map(|name| format!("{name}={}", newest(name)));
    assert_eq!(cookies, expected);
    assert_ne!(newest("angel_jwt"), newest("angel_jwt_v2"));
    assert_eq!((auth0.sign_ins(), auth0.broken_walks()), (1, 0));
}

#[test]
fn an_api_call_takes_the_token_as_bearer_or_as_cookie_until_it_ends() {
    let emulator = Emulator::builder().start().unwrap();
    let auth0 = emulator.auth0();
    let cookie = sign_in(&emulator).remove(0);
    let bearer = format!("Bearer {}", cookie.split_once('=').unwrap().1);
    let call = |name, value: &str| ask(&emulator.auth0_url(), "GET", "/api/me", &[(name, value)], "").status;
    assert_eq!((call("cookie", &cookie), call("authorization", &bearer)), (200, 200));
    assert_eq!((call("cookie", "angel_jwt=x"), call("authorization", "Bearer x")), (401, 401));
    emulator.advance(Duration::from_secs(24 * 3600));
    assert_eq!(call("cookie", &cookie), 401);
    let cookie = sign_in(&emulator).remove(0);
    assert_eq!(call("cookie", &cookie), 200);
    auth0.revoke_tokens(Auth0Settings::EMAIL);
    assert_eq!(call("cookie", &cookie), 401);
    assert_eq!((auth0.calls(), auth0.refused_calls()), (3, 4));
}

#[test]
fn state_csrf_token_and_cookie_are_checked_and_good_once() {
    let emulator = Emulator::builder().start().unwrap();
    let right = Auth0Settings::PASSWORD;
    let walk = Walk::to_the_password(&emulator);
    assert_eq!(walk.submit(right, "another", &walk.walk).status, 403);
    assert_eq!(walk.submit(right, &walk.form.1, &walk.walk).status, 403, "the state is spent");
    let walk = Walk::to_the_password(&emulator);
    assert_eq!(walk.submit(right, &walk.form.1, "auth0=another").status, 403);
    let walk = Walk::to_the_password(&emulator);
    let both = format!("{}; {}", walk.walk, walk.session);
    assert_eq!(walk.submit(right, &walk.form.1, &both).status, 400, "a cookie of the other host");
    let page = |headers: &[_]| ask(&emulator.auth0_auth_url(), "GET", "/u/login/password?email=a&state=b", headers, "");
    assert_eq!((page(&[]).status, page(&[("cache-control", "no-cache")]).status), (400, 400));
    assert_eq!((emulator.auth0().broken_walks(), emulator.auth0().refused_sign_ins()), (6, 0));
}

#[test]
fn a_wrong_password_is_a_page_with_an_error_and_another_form() {
    for (refusal, status) in [(RefusalPage::Ok, 200), (RefusalPage::BadRequest, 400)] {
        let settings = Auth0Settings { refusal, ..Auth0Settings::default() };
        let emulator = Emulator::builder().auth0(settings).start().unwrap();
        let mut walk = Walk::to_the_password(&emulator);
        let refused = walk.submit("wrong", &walk.form.1, &walk.walk);
        assert_eq!(refused.status, status);
        assert!(refused.body.contains("error-message\">\n  <span>Wrong email or password"));
        walk.form = (refused.input("state"), refused.input("_csrf_token"));
        assert_eq!(walk.submit(Auth0Settings::PASSWORD, &walk.form.1, &walk.walk).status, 302);
        emulator.auth0().lock_account(Auth0Settings::EMAIL);
        let walk = Walk::to_the_password(&emulator);
        assert!(walk.submit(Auth0Settings::PASSWORD, &walk.form.1, &walk.walk).body.contains("blocked"));
        assert_eq!(emulator.auth0().refused_sign_ins(), 2);
    }
}

#[test]
fn redirects_and_the_place_of_the_state_are_settings() {
    let settings = Auth0Settings { login_redirects: 2, redirect_status: 303, ..Auth0Settings::default() };
    let emulator = Emulator::builder().auth0(settings).start().unwrap();
    let at = |path| ask(&emulator.auth0_url(), "GET", path, &[], "");
    let first = at("/auth/login");
    assert_eq!((first.status, first.header("location")), (303, Some("login?hop=1")));
    assert_eq!(at("/auth/login?hop=1").header("location"), Some("login?hop=2"));
    assert_eq!(at("/auth/login?hop=2").status, 200);
    emulator.auth0().configure(|settings| settings.state_in = StateIn::Cookie);
    let bare = at("/auth/login?hop=2");
    assert!(!bare.body.contains("id=\"state\"") && bare.cookies()[0].starts_with("angelSession=s-"));
}

#[test]
fn faults_strike_on_both_hosts() {
    let emulator = Emulator::builder().start().unwrap();
    emulator.fault(Endpoint::Auth0LoginPage, Fault::Redirect(302));
    let sent_away = ask(&emulator.auth0_url(), "GET", "/auth/login", &[], "");
    assert!(sent_away.header("location").unwrap().starts_with(&emulator.trap_url()));
    emulator.fault(Endpoint::Auth0Submit, Fault::status(502));
    let walk = Walk::to_the_password(&emulator);
    assert_eq!(walk.submit("x", &walk.form.1, &walk.walk).status, 502);
    assert_eq!(emulator.requests_to(Endpoint::Auth0Submit).len(), 1);
}
