//! The requests, as pure functions of their parameters. The exchange adds cookies.

use http::header::{self, HeaderValue};
use http::{Method, Uri};

use super::Login;
use super::settings::Auth0;
use crate::credentials::Secret;
use crate::exchange::Request;
use crate::wire::{BaseUrl, Body, form_encode, form_request};

/// The largest page that is read, in bytes. Pages embed scripts and images; a few short fields are all that is kept.
const PAGE_CAP: usize = 1024 * 1024;

impl Auth0 {
    /// Step 1, `GET {web}/auth/login`: a page with `state`. Read it with [`Page::read`](super::Page::read).
    pub fn login_page_request(&self) -> Request {
        self.page_request(self.settings.base.join("/auth/login"))
    }

    /// Step 2, `GET {auth}/u/login/password`: a page with a new `state` and `_csrf_token`.
    pub fn password_page_request(&self, login: &Login, state: &Secret) -> Request {
        let query = form_encode([("email", login.email()), ("state", state.expose())]);
        let mut request = self.page_request(with_query(&self.settings.auth, "/u/login/password", &query));
        request.http.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        request
    }

    /// Step 3, `POST {auth}/u/login`: the login as a form. [`parse_refusal`](super::parse_refusal) reads the error in
    /// its answer, if there is one.
    pub fn submit_request(&self, login: &Login, state: &Secret, csrf_token: &Secret) -> Request {
        let uri = with_query(&self.settings.auth, "/u/login", &form_encode([("state", state.expose())]));
        let fields = [
            ("email", login.email()),
            ("password", login.password().expose()),
            ("state", state.expose()),
            ("_csrf_token", csrf_token.expose()),
            ("has_agreed", "true"),
        ];
        self.as_a_browser(form_request(uri, fields))
    }

    /// A `GET` of any page.
    pub(super) fn page_request(&self, uri: Uri) -> Request {
        let mut http = http::Request::new(Body::empty());
        *http.method_mut() = Method::GET;
        *http.uri_mut() = uri;
        self.as_a_browser(Request::new(http))
    }

    fn as_a_browser(&self, mut request: Request) -> Request {
        (request.timeout, request.body_cap) = (self.settings.timeout, PAGE_CAP);
        let headers = request.http.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html,application/xhtml+xml"));
        headers.insert(header::USER_AGENT, self.settings.user_agent.clone());
        request
    }
}

/// The address with this query. One that is too long to be an address becomes that of the root, which answers an error.
fn with_query(base: &BaseUrl, path: &'static str, query: &Secret) -> Uri {
    Uri::try_from(format!("{}{path}?{}", base.as_str(), query.expose())).unwrap_or_else(|_| base.join("/"))
}
