//! Auth0's pages, and the walk through them.

use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode, Uri};

use crate::check::{check_error, check_grant, received, shown};
use perennial_core::Error;
use perennial_core::exchange::{Exchange as _, Request, Response, Step};
use perennial_core::providers::auth0::{Auth0, Exchange, Login, Page, parse_refusal};
use perennial_core::wire::{Body, MAX_RETRY_AFTER};
use perennial_core::{Now, Timestamp};

const PASSWORD: &str = "CANARY-pa55w0rd";

/// A fuzzer learns what is looked for: nobody can tell then whose it is. Its tail will do, since what is escaped in
/// front of it may end in a `C`.
fn knows_password(data: &[u8]) -> bool {
    let tail = &PASSWORD.as_bytes()[1..];
    data.windows(tail.len()).any(|part| part == tail)
}

const HOSTS: [&str; 3] = ["www.angel.com", "angel.com", "auth.angel.com"];
/// What stands between the answers of a walk: no header and no text has it.
const NEXT: u8 = 0xff;
/// More than a walk takes, redirects included.
const MOST_ANSWERS: usize = 40;

/// Any bytes as a page: its fields are no blanks, its error is words in bounds; an error message is cut.
///
/// # Panics
/// Where that does not hold.
pub(super) fn auth0_page(data: &[u8]) {
    let page = Page::read(data);
    for field in [page.state(), page.csrf_token()].into_iter().flatten() {
        assert!(!field.expose().trim().is_empty(), "a blank field");
    }
    if let Some(words) = page.error() {
        assert!(!words.trim().is_empty() && words.chars().count() <= 500, "{words:?}");
    }
    let again = Page::read(data);
    assert!(page.error() == again.error(), "read in two ways");
    let response = Response::new(Body::from(data.to_vec()));
    if let Some(error) = parse_refusal(&response, Now::default()) {
        check_error(&error, &[]);
    }
}

/// Any answers, one after the other, to a sign-in: no request but to the site's hosts, the password in one form, one
/// time; what is granted is whole, what fails shows nothing. Between two answers stands the byte 255.
///
/// # Panics
/// Where that does not hold.
pub(super) fn auth0_walk(data: &[u8]) {
    if knows_password(data) {
        return;
    }
    let run = || {
        let mut walk = Walk::begin();
        let answers = data.split(|byte| *byte == NEXT).take(MOST_ANSWERS);
        for answer in answers {
            let Some(received) = received(answer) else { break };
            if !walk.go(received.response, received.now) {
                break;
            }
        }
        walk.trace
    };
    assert!(run() == run(), "two walks");
}

/// Any bytes as the `Location` of a redirect, from each place where a walk may be: nobody goes to another host.
///
/// # Panics
/// Where that does not hold.
pub(super) fn location(data: &[u8]) {
    if knows_password(data) {
        return;
    }
    let Ok(location) = HeaderValue::from_bytes(data) else { return };
    for before in ["https://www.angel.com/auth/login", "/a/b/../c?q=1", "//auth.angel.com/u/x;y/z?a=b"] {
        let mut walk = Walk::begin();
        assert!(walk.go(redirect(HeaderValue::from_static(before)), now()), "{before} is followed");
        let from = walk.at.clone();
        if walk.go(redirect(location.clone()), now()) {
            assert!(!walk.at.path().split('/').any(|segment| segment == ".."), "{} from {from}", walk.at);
        }
    }
}

/// Any lines as `Set-Cookie` of one host: what another host is sent is what was meant for it, in a header that can be
/// sent, and none of it shows.
///
/// # Panics
/// Where that does not hold.
pub(super) fn cookies(data: &[u8]) {
    if knows_password(data) {
        return;
    }
    let mut walk = Walk::begin();
    let mut answer = redirect(HeaderValue::from_static("https://auth.angel.com/x"));
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(line) = HeaderValue::from_bytes(line) {
            answer.headers_mut().append(SET_COOKIE, line);
        }
    }
    let lines: Vec<_> = answer.headers().get_all(SET_COOKIE).iter().cloned().collect();
    assert!(walk.go(answer, now()), "the redirect is followed");
    let text = |line: &HeaderValue| line.to_str().unwrap_or_default().to_ascii_lowercase();
    let shared = lines.iter().any(|line| text(line).contains("domain"));
    assert!(shared || walk.cookies.is_none(), "a cookie of www.angel.com goes to auth.angel.com");
    // Back at the host that set them.
    assert!(walk.go(redirect(HeaderValue::from_static("https://www.angel.com/y")), now()), "back again");
    if let Some(cookies) = &walk.cookies {
        assert!(cookies.is_sensitive(), "cookies that a log may show");
        let cookies = cookies.to_str().expect("cookies are text");
        for pair in cookies.split("; ") {
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            assert!(!name.is_empty() && !pair.contains(';'), "{pair:?}");
            let set = |line: &HeaderValue| line.to_str().is_ok_and(|line| line.contains(name) && line.contains(value));
            assert!(lines.iter().any(set), "{pair:?} was never set");
        }
    }
}

fn now() -> Now {
    Now { wall: Timestamp::from_unix_seconds(1_700_000_000), ..Now::default() }
}

fn redirect(to: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, to);
    response
}

struct Walk {
    exchange: Exchange,
    at: Uri,
    cookies: Option<HeaderValue>,
    forms: u32,
    trace: String,
}

impl Walk {
    fn begin() -> Self {
        let login = Login::new("viewer@example.com", PASSWORD).expect("it is a login");
        let exchange = Auth0::angel_studios().sign_in(&login);
        let mut walk = Self { exchange, at: Uri::default(), cookies: None, forms: 0, trace: String::new() };
        let request = walk.exchange.start(now());
        walk.sees(&request);
        walk
    }

    /// Whether it goes on.
    fn go(&mut self, answer: Response, now: Now) -> bool {
        let body = answer.body().clone();
        match self.exchange.receive(answer, now) {
            Ok(Step::Send(request)) => {
                self.sees(&request);
                return true;
            }
            Ok(Step::Done(grant)) => {
                assert!(grant.access.is_some(), "a sign-in without a token");
                check_grant(&grant, now);
                self.trace.push_str(grant.access.as_ref().map_or("", |access| access.expose()));
            }
            Err(Error::Service(error)) => {
                check_error(&error, body.as_ref());
                let wait = Error::from(error.clone()).retry_after();
                assert!(wait.is_none_or(|wait| wait <= MAX_RETRY_AFTER), "{wait:?}");
                assert!(!shown(&error).contains(PASSWORD), "the password shows");
                self.trace.push_str(&shown(&error));
            }
            Err(error) => panic!("no answer of a service: {error}"),
        }
        false
    }

    fn sees(&mut self, request: &Request) {
        let uri = request.http.uri();
        let host = uri.host().map(str::to_ascii_lowercase).unwrap_or_default();
        assert_eq!(uri.scheme_str(), Some("https"), "{uri}");
        assert!(HOSTS.contains(&&*host) && uri.port_u16().is_none_or(|port| port == 443), "{uri}");
        let form = std::str::from_utf8(request.http.body().as_ref()).expect("a form is text");
        let is_form = request.http.method() == "POST";
        assert!(!is_form || (host == "auth.angel.com" && uri.path() == "/u/login"), "the login goes to {uri}");
        assert!(form.contains(PASSWORD) == is_form && (is_form || form.is_empty()), "the login is in another place");
        let hides =
            |value: &HeaderValue| !value.as_bytes().windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
        assert!(
            request.http.headers().values().all(hides) && !uri.to_string().contains(PASSWORD),
            "the password shows"
        );
        self.forms += u32::from(is_form);
        assert!(self.forms <= 1, "the password is shown twice");
        self.at = uri.clone();
        self.cookies = request.http.headers().get(COOKIE).cloned();
        self.trace.push_str(&format!("{request:?} {uri}\n"));
    }
}
