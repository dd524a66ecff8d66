//! The sign-in through the pages, answer by answer.

mod provider;

use base64ct::{Base64UrlUnpadded, Encoding};
use http::{HeaderValue, StatusCode};

use super::*;
use crate::credentials::{Now, Secret, Timestamp};
use crate::error::{Error, Outcome, ServiceError, ServiceErrorKind};
use crate::exchange::{Exchange as _, Request, Response, Step};

const EMAIL: &str = "viewer@example.com";
const PASSWORD: &str = "correct horse & staple";
const START: u64 = 1_700_000_000;

fn now(seconds: u64) -> Now {
    let wall = Timestamp::from_unix_seconds(1_700_000_000).saturating_add(Duration::from_secs(seconds));
    Now::new(wall, Duration::from_secs(1000 + seconds))
}

fn login() -> Login {
    Login::new(EMAIL, PASSWORD).unwrap()
}

fn jwt(name: &str, exp: u64) -> String {
    let payload = format!(r#"{{"sub":"{name}","exp":{exp}}}"#);
    format!("e30.{}.c2ln", Base64UrlUnpadded::encode_string(payload.as_bytes()))
}

fn page(status: u16, body: &str) -> Response {
    let mut response = Response::new(body.as_bytes().to_vec().into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn with(mut response: Response, headers: &[(&'static str, &str)]) -> Response {
    for (name, value) in headers {
        response.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
    }
    response
}

fn to(location: &str) -> Response {
    with(page(302, ""), &[("location", location)])
}

fn login_page() -> Response {
    with(page(200, r#"<input id="state" name="state" value="s-1">"#), &[("set-cookie", "angelSession=sid-1; Path=/")])
}

fn password_page() -> Response {
    let html = "<form><input name='state' value='s-2'><input name='_csrf_token' value='c-1'></form>";
    with(page(200, html), &[("set-cookie", "auth0=tx-1; HttpOnly")])
}

fn token_cookie(name: &str) -> String {
    format!("{name}={}; Domain=.angel.com; Path=/; Secure", jwt(name, START + 86_400))
}

/// A sign-in so far: the requests that it sent, and the result of the last answer.
struct Walk {
    exchange: Exchange,
    requests: Vec<Request>,
}

impl Walk {
    fn start() -> Self {
        Self::at(&Auth0::angel_studios())
    }

    fn at(auth0: &Auth0) -> Self {
        let mut exchange = auth0.sign_in(&login());
        let requests = vec![exchange.start(now(0))];
        Self { exchange, requests }
    }

    /// A sign-in that has just sent the login.
    fn submitted() -> Self {
        let mut walk = Self::start();
        walk.goes_on(login_page());
        walk.goes_on(password_page());
        walk
    }

    fn receive(&mut self, response: Response) -> Result<Step, Error> {
        self.exchange.receive(response, now(1))
    }

    fn goes_on(&mut self, response: Response) -> &Request {
        match self.receive(response) {
            Ok(Step::Send(request)) => self.requests.push(request),
            other => panic!("the walk does not go on: {other:?}"),
        }
        self.requests.last().unwrap()
    }

    fn ends(&mut self, response: Response) -> Grant {
        match self.receive(response) {
            Ok(Step::Done(grant)) => grant,
            other => panic!("the walk brings nothing: {other:?}"),
        }
    }

    fn fails(&mut self, response: Response) -> ServiceError {
        match self.receive(response) {
            Err(Error::Service(error)) => error,
            other => panic!("the walk does not fail: {other:?}"),
        }
    }
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.http.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn is_malformed(error: &ServiceError) -> bool {
    matches!(error.kind(), ServiceErrorKind::Malformed { .. })
}

fn token(grant: &Grant) -> &str {
    grant.access.as_ref().unwrap().expose()
}

// -- A sign-in that succeeds.

#[test]
fn a_sign_in_walks_the_pages_with_each_hosts_cookies() {
    let mut walk = Walk::start();
    walk.goes_on(login_page());
    walk.goes_on(password_page());
    walk.goes_on(with(to("/authorize/resume?state=s-3"), &[("set-cookie", "auth0=tx-2")]));
    walk.goes_on(to("https://www.angel.com/auth/callback?code=k"));
    let grant = walk.ends(with(page(200, "welcome"), &[("set-cookie", &token_cookie("angel_jwt"))]));

    let expected = [
        ("GET", "https://www.angel.com/auth/login", ""),
        ("GET", "https://auth.angel.com/u/login/password?email=viewer%40example.com&state=s-1", ""),
        ("POST", "https://auth.angel.com/u/login?state=s-2", "auth0=tx-1"),
        ("GET", "https://auth.angel.com/authorize/resume?state=s-3", "auth0=tx-2"),
        ("GET", "https://www.angel.com/auth/callback?code=k", "angelSession=sid-1"),
    ];
    for (request, (method, uri, cookies)) in walk.requests.iter().zip(expected) {
        assert_eq!((request.http.method().as_str(), request.http.uri().to_string().as_str()), (method, uri));
        assert_eq!(header(request, "cookie"), cookies, "{uri}");
        assert_eq!(header(request, "user-agent"), USER_AGENT);
        assert_eq!(request.timeout, Duration::from_secs(30));
    }
    assert_eq!(walk.requests.len(), expected.len());
    assert_eq!(header(&walk.requests[1], "cache-control"), "no-cache");
    let post = &walk.requests[2];
    assert_eq!(header(post, "content-type"), "application/x-www-form-urlencoded");
    let form = "email=viewer%40example.com&password=correct+horse+%26+staple&state=s-2&_csrf_token=c-1&has_agreed=true";
    assert_eq!(post.http.body().as_ref(), form.as_bytes());

    assert_eq!(token(&grant), jwt("angel_jwt", START + 86_400));
    let validity = *grant.access.as_ref().unwrap().validity();
    assert_eq!(validity.deadline().unwrap().wall, now(86_400).wall);
    assert_eq!(grant.account.unwrap().id, EMAIL);
    assert!(grant.refresh_token.is_none() && grant.aws.is_none());
}

#[test]
fn the_first_page_may_be_behind_redirects() {
    let mut walk = Walk::start();
    let next = walk.goes_on(with(to("../login?x=1"), &[("set-cookie", "a=1")]));
    assert_eq!(next.http.uri(), "https://www.angel.com/login?x=1");
    assert_eq!((header(next, "cookie"), next.http.method()), ("a=1", &http::Method::GET));
    let next = walk.goes_on(to("//auth.angel.com/u/login/identifier?state=s-1"));
    assert_eq!(next.http.uri(), "https://auth.angel.com/u/login/identifier?state=s-1");
    let next = walk.goes_on(login_page());
    assert_eq!(next.http.uri().path(), "/u/login/password");
}

#[test]
fn the_state_is_in_a_cookie_where_the_page_has_none() {
    let mut walk = Walk::start();
    let bare = with(page(200, "<p>no form</p>"), &[("set-cookie", "angelSession=s-9")]);
    let next = walk.goes_on(bare);
    assert_eq!(next.http.uri().query(), Some("email=viewer%40example.com&state=s-9"));
}

#[test]
fn states_are_encoded_wherever_they_go() {
    let mut walk = Walk::start();
    let next = walk.goes_on(page(200, "<input name=state value='a&amp;b=c #é\r\n'>"));
    assert_eq!(next.http.uri().query(), Some("email=viewer%40example.com&state=a%26b%3Dc+%23%C3%A9%0A"));
}

#[test]
fn an_exchange_that_starts_again_starts_with_no_cookies() {
    let mut walk = Walk::submitted();
    let again = walk.exchange.start(now(5));
    assert_eq!((again.http.uri().path(), header(&again, "cookie")), ("/auth/login", ""));
    walk.goes_on(login_page());
}

// -- The token.

#[test]
fn bug_the_cookie_preference_was_not_honoured() {
    for order in [["angel_jwt", "angel_jwt_v2"], ["angel_jwt_v2", "angel_jwt"]] {
        let cookies = order.map(|name| ("set-cookie", token_cookie(name)));
        let cookies: Vec<_> = cookies.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let grant = Walk::submitted().ends(with(page(200, ""), &cookies));
        assert_eq!(token(&grant), jwt("angel_jwt_v2", START + 86_400));
        let other =
            Auth0::builder("https://www.angel.com").cookie_names(["angel_jwt", "angel_jwt_v2"]).build().unwrap();
        let mut walk = Walk::at(&other);
        walk.goes_on(login_page());
        walk.goes_on(password_page());
        assert_eq!(token(&walk.ends(with(page(200, ""), &cookies))), jwt("angel_jwt", START + 86_400));
    }
}

#[test]
fn an_empty_or_unreadable_cookie_gives_way_to_the_next() {
    for odd in ["", "\"\"", "garbage", "a.b.c"] {
        let (odd, good) = (format!("angel_jwt_v2={odd}"), token_cookie("angel_jwt"));
        let grant = Walk::submitted().ends(with(page(200, ""), &[("set-cookie", &odd), ("set-cookie", &good)]));
        assert_eq!(token(&grant), jwt("angel_jwt", START + 86_400), "{odd}");
    }
}

#[test]
fn a_token_that_is_no_jwt_is_malformed() {
    for odd in ["garbage", "a.b.c", "e30.W10.x"] {
        let error = Walk::submitted().fails(with(page(200, ""), &[("set-cookie", &format!("angel_jwt={odd}"))]));
        assert!(is_malformed(&error), "{odd}");
        assert!(!format!("{error} {error:?}").contains(odd));
    }
}

#[test]
fn a_token_without_exp_has_an_unknown_lifetime() {
    let grant = Walk::submitted().ends(with(page(200, ""), &[("set-cookie", "angel_jwt=e30.e30.x")]));
    assert_eq!(grant.access.unwrap().validity().deadline(), None);
}

#[test]
fn a_wrong_clock_moves_no_deadline() {
    // The server's clock is a day ahead.
    let cookie = format!("angel_jwt={}", jwt("x", START + 86_400 + 3600));
    let headers = [("set-cookie", cookie.as_str()), ("date", "Wed, 15 Nov 2023 22:13:20 GMT")];
    let grant = Walk::submitted().ends(with(page(200, ""), &headers));
    let validity = *grant.access.unwrap().validity();
    assert_eq!(validity.lifetime(), Some(Duration::from_secs(3600)));
    // Lifetimes run from when the request was sent, a second before the last answer.
    assert_eq!(validity.issued_at(), now(1).wall);
}

#[test]
fn a_token_is_not_lost_to_a_failure_after_it() {
    let signed_in = || {
        let mut walk = Walk::submitted();
        walk.goes_on(with(to("/done"), &[("set-cookie", &token_cookie("angel_jwt"))]));
        walk
    };
    for ending in [
        page(500, ""),
        page(404, ""),
        page(200, "<div class='error-message'>Your trial ends soon</div>"),
        to("https://evil.example/"),
        page(302, ""),
    ] {
        assert_eq!(token(&signed_in().ends(ending)), jwt("angel_jwt", START + 86_400));
    }
    // A preferred cookie may follow.
    let mut walk = signed_in();
    walk.goes_on(with(to("/more"), &[("set-cookie", &token_cookie("angel_jwt_v2"))]));
    assert_eq!(token(&walk.ends(page(200, ""))), jwt("angel_jwt_v2", START + 86_400));
    let mut walk = signed_in();
    let deleted = with(page(200, ""), &[("set-cookie", "angel_jwt=; Domain=angel.com; Max-Age=0")]);
    assert!(is_malformed(&walk.fails(deleted)));
}

// -- Redirects.

#[test]
fn a_redirect_off_the_allowed_hosts_is_not_followed() {
    for location in ["https://evil.example/", "//evil.example", "http://auth.angel.com/", "https://auth.angel.com:444/"]
    {
        for mut walk in [Walk::start(), Walk::submitted()] {
            let error = walk.fails(to(location));
            assert!(is_malformed(&error) && error.status() == Some(StatusCode::FOUND), "{location}");
            assert!(!error.to_string().contains("evil"));
        }
    }
    let more = Auth0::builder("https://www.angel.com").redirects_to("https://id.angel.com/").build().unwrap();
    Walk::at(&more).goes_on(to("https://id.angel.com/x"));
    Walk::start().goes_on(to("https://angel.com/auth/login"));
}

#[test]
fn a_redirect_never_repeats_the_password() {
    for status in [307, 308] {
        let mut walk = Walk::submitted();
        let error = walk.fails(with(page(status, ""), &[("location", "/u/login/again")]));
        assert!(is_malformed(&error), "{status}");
    }
    for status in [301, 302, 303] {
        let mut walk = Walk::submitted();
        let next = walk.goes_on(with(page(status, ""), &[("location", "/resume")]));
        assert_eq!((next.http.method(), next.http.body().as_ref().len()), (&http::Method::GET, 0));
        walk.goes_on(with(page(307, ""), &[("location", "/on")]));
    }
}

#[test]
fn ten_redirects_are_followed_and_no_more() {
    for mut walk in [Walk::start(), Walk::submitted()] {
        for _ in 0..MAX_REDIRECTS {
            walk.goes_on(to("/auth/again"));
        }
        assert!(is_malformed(&walk.fails(to("/auth/again"))));
    }
    // Each step may be redirected ten times.
    let mut walk = Walk::start();
    for _ in 0..MAX_REDIRECTS {
        walk.goes_on(to("/auth/again"));
    }
    walk.goes_on(login_page());
    walk.goes_on(to("/again"));
}

// -- Refusals.

#[test]
fn a_page_refuses_by_its_error_message() {
    let said = |words: &str| format!("<html><div class=\"alert error-message\"><p>{words}</p></div></html>");
    for (words, kind) in [
        ("Wrong email or password", ServiceErrorKind::InvalidCredentials),
        ("Nope", ServiceErrorKind::InvalidCredentials),
        ("Invalid password. Please try again later.", ServiceErrorKind::InvalidCredentials),
        ("Your account has been blocked after many attempts", ServiceErrorKind::AccountLocked),
        ("No account with this e-mail address", ServiceErrorKind::UserNotFound),
        ("Something went wrong, please try again later", ServiceErrorKind::Service),
        ("Invalid CSRF token", ServiceErrorKind::Service),
    ] {
        for status in [200, 400, 401, 403] {
            let error = Walk::submitted().fails(page(status, &said(words)));
            assert_eq!((error.kind(), error.message()), (kind, Some(words)), "{status}");
        }
        // After a redirect, too.
        let mut walk = Walk::submitted();
        walk.goes_on(to("/u/login/password?error=1"));
        assert_eq!(walk.fails(page(200, &said(words))).kind(), kind);
    }
    // An error wins over a token in the same answer.
    let both = with(page(200, &said("Wrong password")), &[("set-cookie", &token_cookie("angel_jwt"))]);
    assert_eq!(Walk::submitted().fails(both).kind(), ServiceErrorKind::InvalidCredentials);
}

#[test]
fn bug_a_502_was_a_wrong_password() {
    let gateway = "<html><div class='error-message'>Wrong password</div></html>";
    for status in [500, 501, 502, 503, 504, 429] {
        for body in ["", gateway] {
            for mut walk in [Walk::start(), Walk::submitted()] {
                let error = Error::from(walk.fails(page(status, body)));
                assert!(error.is_retryable(), "{status}");
            }
        }
    }
    for status in [400, 401, 403, 404, 405, 408, 422] {
        for mut walk in [Walk::start(), Walk::submitted()] {
            let error = walk.fails(page(status, "<h1>no</h1>"));
            assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ServiceErrorKind::Service, status));
        }
    }
}

#[test]
fn retry_after_is_obeyed() {
    for status in [429, 503] {
        let error = Error::from(Walk::submitted().fails(with(page(status, ""), &[("retry-after", "7")])));
        assert_eq!((error.retry_after(), error.outcome()), (Some(Duration::from_secs(7)), Outcome::NotProcessed));
    }
    for status in [403, 500, 501, 502] {
        for mut walk in [Walk::start(), Walk::submitted()] {
            let error = Error::from(walk.fails(with(page(status, ""), &[("retry-after", "7")])));
            assert_eq!((error.retry_after(), error.outcome()), (Some(Duration::from_secs(7)), Outcome::Indeterminate));
        }
    }
}

#[test]
fn an_unknown_page_is_neither_a_success_nor_a_refusal() {
    let portal = "<!doctype html><title>Hotel</title><form><input name=room></form>";
    for body in [portal, "", "{}", "\u{0}", "<input name=state>"] {
        assert!(is_malformed(&Walk::start().fails(page(200, body))), "{body}");
        let mut walk = Walk::start();
        walk.goes_on(login_page());
        assert!(is_malformed(&walk.fails(page(200, body))), "{body}");
        assert!(is_malformed(&Walk::submitted().fails(page(200, body))), "{body}");
        let mut walk = Walk::submitted();
        walk.goes_on(to("/landing"));
        assert!(is_malformed(&walk.fails(page(200, body))), "{body}");
    }
    assert!(is_malformed(&Walk::submitted().fails(page(304, ""))));
}

#[test]
fn no_login_is_rejected_before_the_password_was_sent() {
    for words in [
        "Page not found",
        "JavaScript is disabled in your browser",
        "Your IP address has been temporarily blocked",
        "Your account has been locked",
        "User not found",
        "Wrong password",
    ] {
        let html = format!("<form><div class=error-message>{words}</div></form>");
        for status in [200, 400, 403, 404] {
            let mut first = Walk::start();
            let mut second = Walk::start();
            second.goes_on(login_page());
            for walk in [&mut first, &mut second] {
                let error = walk.fails(page(status, &html));
                assert_eq!((error.kind(), error.message()), (ServiceErrorKind::Service, Some(words)), "{status}");
                assert_eq!(Error::from(error).outcome(), Outcome::Indeterminate);
                assert!(!walk.exchange.has_shown_login());
            }
        }
    }
}

#[test]
fn a_page_with_its_form_is_used_whatever_else_it_says() {
    let words = "<div class=error-message>Your session has expired</div>";
    let mut walk = Walk::start();
    walk.goes_on(page(200, &format!("{words}<input name=state value=s-1>")));
    walk.goes_on(page(200, &format!("{words}<input name=state value=s-2><input name=_csrf_token value=c>")));
    assert!(walk.exchange.has_shown_login());
}

#[test]
fn a_page_about_the_browser_or_the_network_rejects_no_login() {
    for words in [
        "Page not found",
        "JavaScript is disabled in your browser",
        "Your IP address has been temporarily blocked",
        "Cookies are disabled",
    ] {
        let html = format!("<div class=error-message>{words}</div>");
        assert_eq!(Walk::submitted().fails(page(403, &html)).kind(), ServiceErrorKind::Service, "{words}");
    }
}

#[test]
fn the_login_counts_as_sent_from_the_form_on() {
    let mut walk = Walk::start();
    walk.goes_on(to("/auth/login?again"));
    walk.goes_on(login_page());
    assert!(!walk.exchange.has_shown_login());
    walk.goes_on(password_page());
    assert!(walk.exchange.has_shown_login());
    walk.goes_on(to("/landing"));
    assert!(walk.exchange.has_shown_login());
    walk.fails(page(500, ""));
    assert!(walk.exchange.has_shown_login());
    walk.exchange.start(now(5));
    assert!(!walk.exchange.has_shown_login(), "another walk");
}

// -- Secrets.

#[test]
fn nothing_secret_shows() {
    let mut walk = Walk::submitted();
    let shown = format!("{:?} {:?} {:?}", walk.exchange, walk.requests, Auth0::angel_studios());
    assert!(shown.starts_with("Exchange { stage: "), "{shown}");
    for secret in [PASSWORD, EMAIL, "s-2", "c-1", "tx-1"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    for request in &walk.requests {
        assert!(!request.http.uri().to_string().contains("horse"));
        assert!(request.http.headers().get("cookie").is_none_or(HeaderValue::is_sensitive));
    }
    let echo = format!("<div class=error-message>{PASSWORD} is not the password of {EMAIL}</div>");
    let echo = echo.replace("& ", "&amp; ");
    let error = walk.fails(page(200, &echo));
    assert_eq!((error.kind(), error.message()), (ServiceErrorKind::InvalidCredentials, None));
}
