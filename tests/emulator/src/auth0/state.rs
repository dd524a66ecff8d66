//! Accounts, walks and tokens, and the rules between them. A walk is one sign-in, from the first page to the cookie.

use super::pages::{self, Form};
use super::{Auth0Settings, StateIn};
use crate::accounts::{Accounts, LoginError};
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::message::Response;
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::json;
use std::collections::HashMap;

/// How often what happened.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) sign_ins: usize,
    pub(crate) refused_sign_ins: usize,
    pub(crate) broken_walks: usize,
    pub(crate) calls: usize,
    pub(crate) refused_calls: usize,
}

pub(crate) struct State {
    pub(crate) settings: Auth0Settings,
    pub(crate) counters: Counters,
    pub(super) accounts: Accounts,
    /// By their `state`, which is good once.
    walks: HashMap<String, Walk>,
    /// Who signed in with a code.
    codes: HashMap<String, String>,
    /// The site's sessions, and who is signed in there.
    sessions: HashMap<String, Option<String>>,
    /// Each sign-in opens a session, of an e-mail address. The kinds of tokens are the cookies in which they come.
    pub(super) ledger: Ledger<String>,
    count: u64,
}

/// What the next request of a walk is expected to show.
enum Walk {
    Begun,
    Identified { walk: String, csrf_token: String, email: String },
    SignedIn { walk: String, email: String },
}

/// What becomes of a login that was shown.
pub(super) enum Password {
    /// Go on with this `state`.
    Right(String),
    /// Try again with this form.
    Wrong(Form, &'static str),
    /// The form is none that this walk was given: the cookie is another walk's, or the `state` was used before.
    OutOfTurn,
}

impl State {
    pub(super) fn new(mut settings: Auth0Settings, clock: Clock) -> Self {
        Self {
            accounts: Accounts::new(std::mem::take(&mut settings.accounts)),
            settings,
            counters: Counters::default(),
            walks: HashMap::new(),
            codes: HashMap::new(),
            sessions: HashMap::new(),
            ledger: Ledger::new(clock),
            count: 0,
        }
    }

    // -- What requests do.

    /// A session of the site, and the first `state`. Where the session cookie is to hold the state, they are one.
    pub(super) fn begin(&mut self) -> (String, String) {
        // As base64 has it: what must be encoded in an address.
        let login_state = format!("{}+/=", self.fresh("s"));
        let session = match self.settings.state_in {
            StateIn::Page => self.fresh("session"),
            StateIn::Cookie => login_state.clone(),
        };
        self.sessions.insert(session.clone(), None);
        self.walks.insert(login_state.clone(), Walk::Begun);
        (session, login_state)
    }

    pub(super) fn identified(&mut self, login_state: &str, email: &str) -> Option<Form> {
        match self.walks.remove(login_state)? {
            Walk::Begun => {
                let walk = self.fresh("walk");
                Some(self.form(&walk, email))
            }
            _ => None,
        }
    }

    fn form(&mut self, walk: &str, email: &str) -> Form {
        let form = Form {
            state: format!("{}&\"'", self.fresh("s")),
            csrf_token: format!("{}<+/=", self.fresh("csrf")),
            walk: walk.to_owned(),
        };
        let next =
            Walk::Identified { walk: walk.to_owned(), csrf_token: form.csrf_token.clone(), email: email.to_owned() };
        self.walks.insert(form.state.clone(), next);
        form
    }

    pub(super) fn submitted(
        &mut self,
        login_state: &str,
        csrf: &str,
        cookie: &str,
        email: &str,
        password: &str,
    ) -> Password {
        let (walk, expected) = match self.walks.remove(login_state) {
            Some(Walk::Identified { walk, csrf_token, email }) if csrf_token == csrf && walk == cookie => (walk, email),
            _ => return Password::OutOfTurn,
        };
        if expected != email {
            return Password::OutOfTurn;
        }
        let words = match self.accounts.check(email, password) {
            Ok(()) => {
                let resume = self.fresh("s");
                self.walks.insert(resume.clone(), Walk::SignedIn { walk, email: email.to_owned() });
                return Password::Right(resume);
            }
            Err(LoginError::Locked) => "Your account has been blocked.",
            Err(LoginError::Unknown | LoginError::WrongPassword) => "Wrong email or password",
        };
        self.counters.refused_sign_ins += 1;
        Password::Wrong(self.form(&walk, email), words)
    }

    pub(super) fn resumed(&mut self, login_state: &str, cookie: &str) -> Option<String> {
        match self.walks.remove(login_state)? {
            Walk::SignedIn { walk, email } if walk == cookie => {
                let code = self.fresh("code");
                self.codes.insert(code.clone(), email);
                Some(code)
            }
            _ => None,
        }
    }

    pub(super) fn called_back(&mut self, code: &str, session: &str) -> bool {
        match (self.codes.remove(code), self.sessions.get_mut(session)) {
            (Some(email), Some(place)) => {
                *place = Some(email);
                true
            }
            _ => false,
        }
    }

    pub(super) fn account_of(&self, session: &str) -> Option<String> {
        self.sessions.get(session)?.clone()
    }

    /// A token for each cookie.
    pub(super) fn issue(&mut self, email: &str) -> Vec<(String, String)> {
        self.counters.sign_ins += 1;
        let session = self.ledger.open_session(email);
        let lifetime = self.settings.token_lifetime;
        let (issued_at, expires_at) = self.ledger.validity(lifetime);
        let mut issued = Vec::new();
        for cookie in &self.settings.jwt_cookies {
            let token = if self.settings.token_with_exp {
                self.ledger.mint().jwt(email, cookie, issued_at, expires_at)
            } else {
                self.jwt_without_exp(email)
            };
            issued.push((cookie.clone(), self.ledger.issue(cookie.clone(), session, token, lifetime)));
        }
        issued
    }

    fn jwt_without_exp(&self, email: &str) -> String {
        let claims = json!({"sub": email, "jti": self.ledger.mint().opaque()}).to_string();
        let parts = [r#"{"alg":"RS256"}"#, &claims, "signature"];
        parts.map(|part| Base64UrlUnpadded::encode_string(part.as_bytes())).join(".")
    }

    /// Whose token it is, if it is good.
    pub(super) fn call(&mut self, token: &str) -> Option<String> {
        let session = self.ledger.session_of_any(token)?;
        self.counters.calls += 1;
        Some(self.ledger.owner(session).to_owned())
    }

    pub(super) fn redirect(&self, location: &str) -> Response {
        let answer = Response::new(self.settings.redirect_status, "text/html; charset=utf-8", "<p>On we go.</p>");
        answer.with_header("Location", location)
    }

    /// A request that no browser would have sent.
    pub(super) fn broken(&mut self, status: u16) -> Response {
        self.counters.broken_walks += 1;
        pages::problem(status)
    }

    fn fresh(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what}-{}-{}", self.count, &self.ledger.mint().opaque()[..24])
    }
}
