//! A web site with Auth0's sign-in pages, as at Angel Studios: a site on one host, its sign-in pages on another, a
//! JWT in a cookie at the end.
//!
//! The two hosts are `127.0.0.1` and `localhost`: cookies do not tell ports apart, so two ports would not do. What a
//! browser would do is checked: each host's cookies go back to that host and to no other, a `state` and a
//! `_csrf_token` are good once, the first page is asked for anew.

mod handle;
mod pages;
mod settings;
mod state;

pub use handle::Auth0Handle;
pub use settings::{Auth0Settings, RefusalPage, StateIn};

use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::message::{Request, Response};
use crate::service::Service;
use pages::{field, fields};
use serde_json::json;
use state::{Password, State};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// The site's own cookie, and where `state` is if the page does not have it.
const SESSION_COOKIE: &str = "angelSession";
/// The cookie of the sign-in pages.
const WALK_COOKIE: &str = "auth0";

/// The service: its state behind one lock, so that requests are performed one after the other.
pub(crate) struct Auth0 {
    state: Mutex<State>,
    /// The two hosts over http, and over https where that is spoken: known once they listen.
    addresses: OnceLock<[Option<Addresses>; 2]>,
}

/// Where the two hosts are.
#[derive(Clone)]
pub(crate) struct Addresses {
    pub(crate) web: String,
    pub(crate) auth: String,
}

impl Auth0 {
    pub(crate) fn new(settings: Auth0Settings, clock: Clock) -> Self {
        Self { state: Mutex::new(State::new(settings, clock)), addresses: OnceLock::new() }
    }

    pub(crate) fn listens_at(&self, http: Addresses, https: Option<Addresses>) {
        let _ = self.addresses.set([Some(http), https]);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn addresses(&self, request: &Request) -> Option<&Addresses> {
        self.addresses.get()?[usize::from(request.tls)].as_ref()
    }
}

/// The site itself.
pub(crate) struct WebHost(pub(crate) Arc<Auth0>);

/// The host of its sign-in pages.
pub(crate) struct AuthHost(pub(crate) Arc<Auth0>);

impl Service for WebHost {
    fn endpoint(&self, route: &str) -> Option<Endpoint> {
        match route {
            "/auth/login" => Some(Endpoint::Auth0LoginPage),
            "/auth/callback" | "/auth/hop" | "/home" => Some(Endpoint::Auth0Landing),
            "/api/me" => Some(Endpoint::Auth0Api),
            _ => None,
        }
    }

    fn respond(&self, endpoint: Endpoint, request: &Request) -> Response {
        let mut state = self.0.lock();
        if endpoint == Endpoint::Auth0Api {
            return api(&mut state, request);
        }
        if request.method != "GET" {
            return pages::problem(405);
        }
        let answer = match request.route() {
            "/auth/login" => Ok(login_page(&mut state, request)),
            "/auth/callback" => callback(&mut state, request),
            "/auth/hop" => hop(&mut state, request),
            _ => Ok(pages::home()),
        };
        answer.unwrap_or_else(|status| state.broken(status))
    }
}

impl Service for AuthHost {
    fn endpoint(&self, route: &str) -> Option<Endpoint> {
        match route {
            "/u/login/password" => Some(Endpoint::Auth0PasswordPage),
            "/u/login" => Some(Endpoint::Auth0Submit),
            "/authorize/resume" => Some(Endpoint::Auth0Resume),
            _ => None,
        }
    }

    fn respond(&self, endpoint: Endpoint, request: &Request) -> Response {
        let mut state = self.0.lock();
        // A cookie of the other host, which no browser would send here.
        if request.cookie(SESSION_COOKIE).is_some() {
            return state.broken(400);
        }
        let answer = match (endpoint, request.method.as_str()) {
            (Endpoint::Auth0PasswordPage, "GET") => password_page(&mut state, request),
            (Endpoint::Auth0Submit, "POST") => submit(&mut state, request),
            (Endpoint::Auth0Resume, "GET") => match self.0.addresses(request) {
                Some(addresses) => resume(&mut state, request, &addresses.web),
                None => Err(404),
            },
            _ => Err(405),
        };
        answer.unwrap_or_else(|status| state.broken(status))
    }
}

/// `/auth/login`: a `state`, behind as many redirects as the settings say.
fn login_page(state: &mut State, request: &Request) -> Response {
    let query = fields(request.query());
    let hops: usize = field(&query, "hop").and_then(|hop| hop.parse().ok()).unwrap_or(0);
    if hops < state.settings.login_redirects {
        return state.redirect(&format!("login?hop={}", hops + 1));
    }
    let (session, login_state) = state.begin();
    let answer = match state.settings.state_in {
        StateIn::Page => pages::login(Some(&login_state)),
        StateIn::Cookie => pages::login(None),
    };
    answer.with_header("Set-Cookie", format!("{SESSION_COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax"))
}

/// `/u/login/password`: another `state`, and a `_csrf_token`.
fn password_page(state: &mut State, request: &Request) -> Result<Response, u16> {
    let query = fields(request.query());
    let (email, login_state) = (field(&query, "email").ok_or(400_u16)?, field(&query, "state").ok_or(400_u16)?);
    if request.header("cache-control") != Some("no-cache") {
        return Err(400);
    }
    let form = state.identified(login_state, email).ok_or(400_u16)?;
    let cookie = format!("{WALK_COOKIE}={}; Path=/; HttpOnly; SameSite=None", form.walk);
    Ok(pages::password(email, &form, None).with_header("Set-Cookie", cookie))
}

/// `/u/login`: the login.
fn submit(state: &mut State, request: &Request) -> Result<Response, u16> {
    let body = String::from_utf8(request.body.clone()).map_err(|_| 400_u16)?;
    let (query, form) = (fields(request.query()), fields(&body));
    let sent = |name| field(&form, name);
    let given = sent("state").filter(|given| field(&query, "state") == Some(given)).ok_or(400_u16)?;
    let (email, password) = (sent("email").ok_or(400_u16)?, sent("password").ok_or(400_u16)?);
    if sent("has_agreed") != Some("true") {
        return Err(400);
    }
    let walk = request.cookie(WALK_COOKIE).ok_or(403_u16)?;
    let csrf_token = sent("_csrf_token").ok_or(403_u16)?;
    match state.submitted(given, csrf_token, walk, email, password) {
        Password::Right(resume) => Ok(state.redirect(&format!("/authorize/resume?state={resume}"))),
        Password::Wrong(form, words) => Ok(pages::refusal(state.settings.refusal, email, &form, words)),
        Password::OutOfTurn => Err(403),
    }
}

/// `/authorize/resume`: back to the site, with a code.
fn resume(state: &mut State, request: &Request, web: &str) -> Result<Response, u16> {
    let query = fields(request.query());
    let walk = request.cookie(WALK_COOKIE).ok_or(403_u16)?;
    let code = state.resumed(field(&query, "state").ok_or(400_u16)?, walk).ok_or(403_u16)?;
    Ok(state.redirect(&format!("{web}/auth/callback?code={code}")))
}

/// `/auth/callback`: the code for a session, and on.
fn callback(state: &mut State, request: &Request) -> Result<Response, u16> {
    let query = fields(request.query());
    let session = request.cookie(SESSION_COOKIE).ok_or(403_u16)?;
    if !state.called_back(field(&query, "code").ok_or(400_u16)?, session) {
        return Err(403);
    }
    onward(state, session, 0)
}

/// `/auth/hop`: on and on.
fn hop(state: &mut State, request: &Request) -> Result<Response, u16> {
    let query = fields(request.query());
    let hops = field(&query, "n").and_then(|hops| hops.parse().ok()).ok_or(400_u16)?;
    onward(state, request.cookie(SESSION_COOKIE).ok_or(403_u16)?, hops)
}

fn onward(state: &mut State, session: &str, hops: usize) -> Result<Response, u16> {
    let email = state.account_of(session).ok_or(403_u16)?;
    if hops < state.settings.callback_redirects {
        return Ok(state.redirect(&format!("hop?n={}", hops + 1)));
    }
    let mut answer = state.redirect("/home");
    for (name, token) in state.issue(&email) {
        answer = answer.with_header("Set-Cookie", format!("{name}={token}; Path=/; Secure; HttpOnly; SameSite=Lax"));
    }
    Ok(answer)
}

/// `/api/me`: an API call, by `Authorization: Bearer` or by cookie.
fn api(state: &mut State, request: &Request) -> Response {
    let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let by_cookie = || state.settings.jwt_cookies.iter().find_map(|name| request.cookie(name));
    let token = bearer.or_else(by_cookie).map(str::to_owned);
    match token.and_then(|token| state.call(&token)) {
        Some(email) => Response::json(200, &json!({"email": email})),
        None => {
            state.counters.refused_calls += 1;
            Response::json(401, &json!({"error": "unauthorized"}))
        }
    }
}
