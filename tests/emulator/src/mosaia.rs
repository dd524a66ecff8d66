//! Mosaia: sign-in by password, client credentials and OAuth with PKCE, refresh, sign-out, and one API call to try
//! a token on.
//!
//! What the real service answers is known for the calls that go well; see the settings for what had to be chosen.

mod control;
mod form;
mod handle;
mod settings;
mod state;

pub use handle::MosaiaHandle;
pub use settings::{Consent, ExpType, ExpUnit, MosaiaSettings, RefreshPaths};

use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::message::{Request, Response};
use crate::navien::Refusals;
use crate::service::Service;
use form::Form;
use serde_json::{Value, json};
use state::{Begun, Counters, Refused, State};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What all paths begin with: the address of the API and that of the app.
pub(crate) const BASE: &str = "/mosaia";

/// The service: its state behind one lock, so that requests are performed one after the other.
pub(crate) struct Mosaia {
    state: Mutex<State>,
}

impl Mosaia {
    pub(crate) fn new(settings: MosaiaSettings, clock: Clock) -> Self {
        Self { state: Mutex::new(State::new(settings, clock)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Mosaia {
    fn endpoint(&self, route: &str) -> Option<Endpoint> {
        match route.strip_prefix(BASE)? {
            "/oauth" => Some(Endpoint::MosaiaAuthorize),
            "/v1/auth/signin" => Some(Endpoint::MosaiaSignIn),
            "/v1/auth/token" => Some(Endpoint::MosaiaToken),
            "/auth/token" => Some(Endpoint::MosaiaOldToken),
            "/v1/auth/signout" => Some(Endpoint::MosaiaSignOut),
            "/v1/self" => Some(Endpoint::MosaiaSelf),
            _ => None,
        }
    }

    fn respond(&self, endpoint: Endpoint, request: &Request) -> Response {
        let method = match endpoint {
            Endpoint::MosaiaAuthorize | Endpoint::MosaiaSelf => "GET",
            Endpoint::MosaiaSignOut => "DELETE",
            _ => "POST",
        };
        if request.method != method {
            return failure(405, "Method not allowed");
        }
        let mut state = self.lock();
        let result = match endpoint {
            Endpoint::MosaiaAuthorize => return authorize(&mut state, request),
            Endpoint::MosaiaToken | Endpoint::MosaiaOldToken => return token(&mut state, endpoint, request),
            Endpoint::MosaiaSignIn => sign_in(&mut state, request),
            Endpoint::MosaiaSignOut => sign_out(&mut state, request),
            Endpoint::MosaiaSelf => who(&mut state, request),
            _ => Err(Refused::new(404, "Not found")),
        };
        match result {
            Ok(data) => Response::json(200, &json!({"data": data, "meta": {"emulated": true}})),
            Err(refused) => refuse(state.settings.refusals, &refused),
        }
    }
}

fn sign_in(state: &mut State, request: &Request) -> Result<Value, Refused> {
    let malformed = || Refused::new(400, "Bad request");
    let body = request.json().ok_or_else(malformed)?;
    let field = |name: &str| body.get(name).and_then(Value::as_str).ok_or_else(malformed);
    match field("grant_type")? {
        "password" => {
            let (email, password, client) = (field("email")?, field("password")?, field("client_id")?);
            state.check_password(email, password, client)?;
            let session = state.open_session(Begun::Password, email);
            state.counters.sign_ins += 1;
            Ok(state.issue(session))
        }
        "client" => {
            let (client, secret) = (field("client_id")?, field("client_secret")?);
            state.check_secret(client, secret)?;
            let session = state.open_session(Begun::Client, client);
            state.counters.client_sign_ins += 1;
            Ok(state.issue(session))
        }
        "refresh" => {
            let session = state.take_refresh(field("refresh_token")?, |begun| begun != Begun::OAuth)?;
            state.counters.refreshes += 1;
            Ok(state.issue_next(session))
        }
        _ => Err(malformed()),
    }
}

/// The token is taken from the body, and from the address too: the published client puts it there.
fn sign_out(state: &mut State, request: &Request) -> Result<Value, Refused> {
    let session = state.authorized(request.header("authorization"))?;
    let body = request.json();
    let in_body = body.as_ref().and_then(|body| body.get("token")?.as_str());
    let query = Form::read(request.query());
    let token = in_body.or_else(|| query.as_ref().and_then(|query| query.get("token")));
    if token.and_then(|token| state.session_of(token)) != Some(session) {
        return Err(Refused::new(400, "Bad request"));
    }
    state.ledger.end_session(session);
    state.counters.sign_outs += 1;
    Ok(json!({}))
}

fn who(state: &mut State, request: &Request) -> Result<Value, Refused> {
    let session = state.authorized(request.header("authorization"))?;
    state.counters.self_calls += 1;
    Ok(state.who(session))
}

/// Nobody is asked: the settings say whether there is consent. Whatever cannot be sent back to the program is told
/// to the person (RFC 6749 §4.1.2.1).
fn authorize(state: &mut State, request: &Request) -> Response {
    let asked = Form::read(request.query());
    let known = asked.as_ref().and_then(|asked| {
        let client = asked.get("client_id").filter(|client| state.knows_client(client))?;
        let redirect = asked.get("redirect_uri").filter(|uri| is_web(uri))?;
        Some((asked, client, redirect))
    });
    let Some((asked, client, redirect)) = known else {
        return Response::new(400, "text/html", "<h1>This program is not known here</h1>\n");
    };
    let challenge = asked.get("code_challenge").filter(|challenge| challenge.len() == 43);
    let outcome = match (asked.get("response_type"), asked.get("code_challenge_method"), challenge) {
        (Some("code"), Some("S256"), Some(challenge)) => match state.settings.consent {
            Consent::Given => ("code", state.issue_code(client, redirect, challenge)),
            Consent::Denied => ("error", "access_denied".to_owned()),
        },
        _ => ("error", "invalid_request".to_owned()),
    };
    let state = asked.get("state").map(|state| ("state", state.to_owned()));
    let mark = if redirect.contains('?') { '&' } else { '?' };
    let location = format!("{redirect}{mark}{}", form::write([outcome].into_iter().chain(state)));
    Response::new(302, "text/plain", "").with_header("Location", location)
}

fn is_web(uri: &str) -> bool {
    let host = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty()) && !uri.contains(['#', ' ', '\r', '\n'])
}

fn token(state: &mut State, endpoint: Endpoint, request: &Request) -> Response {
    let form = std::str::from_utf8(&request.body).ok().and_then(Form::read);
    let is_form =
        request.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let Some(form) = form.filter(|_| is_form) else {
        return refuse_oauth(&("invalid_request", "a form is wanted"));
    };
    let result = match (form.get("grant_type"), endpoint) {
        (Some("refresh_token"), endpoint) if !state.settings.refresh_paths.has(endpoint) => {
            return failure(404, "Not found");
        }
        (Some("refresh_token"), _) => {
            let token = form.get("refresh_token").unwrap_or_default();
            let spent = state.take_refresh(token, |begun| begun == Begun::OAuth);
            spent
                .map(|session| {
                    state.counters.oauth_refreshes += 1;
                    state.issue_next(session)
                })
                .map_err(|_| ("invalid_grant", "the refresh token is not good"))
        }
        (Some("authorization_code"), Endpoint::MosaiaToken) => {
            let field = |name| form.get(name).unwrap_or_default();
            let (client, redirect) = (field("client_id"), field("redirect_uri"));
            let spent = state.spend_code(field("code"), client, redirect, field("code_verifier"));
            spent.map(|session| {
                state.counters.code_exchanges += 1;
                state.issue(session)
            })
        }
        (Some("authorization_code"), _) => return failure(404, "Not found"),
        _ => Err(("unsupported_grant_type", "no such grant type")),
    };
    match result {
        Ok(tokens) => Response::json(200, &tokens),
        Err(error) => refuse_oauth(&error),
    }
}

fn refuse_oauth(&(error, description): &(&str, &str)) -> Response {
    Response::json(400, &json!({"error": error, "error_description": description}))
}

fn refuse(refusals: Refusals, refused: &Refused) -> Response {
    match refusals {
        Refusals::Envelope if refused.is_grant => {
            Response::json(200, &json!({"data": null, "error": {"message": refused.message}, "meta": {}}))
        }
        _ => failure(refused.status, refused.message),
    }
}

fn failure(status: u16, message: &'static str) -> Response {
    Response::json(status, &json!({"message": message, "code": "ERROR", "status": status}))
}
