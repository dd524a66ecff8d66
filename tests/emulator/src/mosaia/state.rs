//! What the service remembers, and its rules.

use super::settings::{ExpType, ExpUnit, MosaiaSettings};
use crate::accounts::{Accounts, LoginError};
use crate::clock::Clock;
use crate::ledger::{Invalid, Ledger, Rotation, SessionId};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::time::Duration;

/// Why a request was refused.
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) message: &'static str,
    /// Whether a sign-in or a refresh was refused, and not an API call.
    pub(super) is_grant: bool,
}

impl Refused {
    pub(super) fn new(status: u16, message: &'static str) -> Self {
        Self { status, message, is_grant: false }
    }

    fn grant(status: u16, message: &'static str) -> Self {
        Self { status, message, is_grant: true }
    }
}

/// An OAuth error and its description.
pub(super) type OAuthError = (&'static str, &'static str);

/// How often what happened. Successes, unless the name says otherwise.
#[derive(Clone, Copy, Default)]
pub(super) struct Counters {
    pub(super) sign_ins: usize,
    pub(super) client_sign_ins: usize,
    pub(super) refreshes: usize,
    pub(super) codes: usize,
    pub(super) code_exchanges: usize,
    pub(super) oauth_refreshes: usize,
    pub(super) sign_outs: usize,
    pub(super) self_calls: usize,
    pub(super) refused_sign_ins: usize,
    pub(super) refused_refreshes: usize,
    pub(super) refused_codes: usize,
    pub(super) refused_calls: usize,
    pub(super) reuse_detected: usize,
}

/// How a session was begun, which decides where its refresh token is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    Password,
    Client,
    OAuth,
}

pub(super) struct State {
    pub(super) settings: MosaiaSettings,
    pub(super) counters: Counters,
    clock: Clock,
    pub(super) accounts: Accounts,
    clients: HashMap<String, String>,
    /// Each sign-in opens a session, of an e-mail address or a client's id.
    pub(super) ledger: Ledger<Kind>,
    /// How each session was begun, by its id.
    begun: Vec<Begun>,
    codes: HashMap<String, Code>,
}

/// What is issued in a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Access,
    Refresh,
}

/// What a redirect brought back.
struct Code {
    client: String,
    redirect: String,
    challenge: String,
    /// By the clock's [`elapsed`](Clock::elapsed).
    expires_at: Duration,
    /// The session that it opened.
    spent: Option<SessionId>,
}

impl State {
    pub(super) fn new(mut settings: MosaiaSettings, clock: Clock) -> Self {
        Self {
            accounts: Accounts::new(std::mem::take(&mut settings.accounts)),
            clients: std::mem::take(&mut settings.clients).into_iter().collect(),
            settings,
            counters: Counters::default(),
            ledger: Ledger::new(clock.clone()),
            clock,
            begun: Vec::new(),
            codes: HashMap::new(),
        }
    }

    // -- What requests do.

    pub(super) fn check_password(&mut self, email: &str, password: &str, client: &str) -> Result<(), Refused> {
        let refused = match self.accounts.check(email, password) {
            _ if !self.knows_client(client) => Refused::grant(401, "Invalid client"),
            Ok(()) => return Ok(()),
            Err(LoginError::Unknown) => Refused::grant(404, "User not found"),
            Err(LoginError::Locked) => Refused::grant(403, "Account locked"),
            Err(LoginError::WrongPassword) => Refused::grant(401, "Invalid credentials"),
        };
        self.counters.refused_sign_ins += 1;
        Err(refused)
    }

    pub(super) fn check_secret(&mut self, client: &str, secret: &str) -> Result<(), Refused> {
        if self.clients.get(client).is_some_and(|known| known == secret) {
            return Ok(());
        }
        self.counters.refused_sign_ins += 1;
        Err(Refused::grant(401, "Invalid credentials"))
    }

    pub(super) fn knows_client(&self, client: &str) -> bool {
        self.clients.contains_key(client)
    }

    pub(super) fn open_session(&mut self, begun: Begun, owner: &str) -> SessionId {
        self.begun.push(begun);
        self.ledger.open_session(owner)
    }

    /// Takes a refresh token, if its session was begun in a way that fits the endpoint; where refreshes rotate it, it
    /// is good only once.
    pub(super) fn take_refresh(&mut self, token: &str, fits: impl Fn(Begun) -> bool) -> Result<SessionId, Refused> {
        let issued_in = self.ledger.issued_in(&Kind::Refresh, token);
        let taken = if issued_in.is_some_and(|session| fits(self.begun[session])) {
            self.ledger.take(&Kind::Refresh, token, self.settings.rotation)
        } else {
            Err(Invalid::Dead)
        };
        match taken {
            Ok(session) => {
                if self.settings.rotation != Rotation::Fixed && !self.settings.refresh_answer_omits_refresh_token {
                    self.ledger.spend(token);
                }
                Ok(session)
            }
            Err(invalid) => {
                self.counters.refused_refreshes += 1;
                self.counters.reuse_detected += usize::from(invalid == Invalid::Reused);
                Err(Refused::grant(401, "Invalid refresh token"))
            }
        }
    }

    /// The code of a redirect, bound to its client, its address and its challenge.
    pub(super) fn issue_code(&mut self, client: &str, redirect: &str, challenge: &str) -> String {
        self.counters.codes += 1;
        let code = self.ledger.mint().secret_key();
        let expires_at = self.clock.elapsed().saturating_add(self.settings.code_lifetime);
        let kept = Code {
            client: client.to_owned(),
            redirect: redirect.to_owned(),
            challenge: challenge.to_owned(),
            expires_at,
            spent: None,
        };
        self.codes.insert(code.clone(), kept);
        code
    }

    /// Takes a code, which is good once. One that is shown again ends the session that it opened (RFC 6749 §4.1.2).
    pub(super) fn spend_code(
        &mut self,
        code: &str,
        client: &str,
        redirect: &str,
        verifier: &str,
    ) -> Result<SessionId, OAuthError> {
        let now = self.clock.elapsed();
        let challenge = Base64UrlUnpadded::encode_string(&Sha256::digest(verifier.as_bytes()));
        let refused = match self.codes.get(code) {
            None => "no such code",
            Some(code) if code.spent.is_some() => {
                self.counters.reuse_detected += 1;
                if let Some(session) = code.spent {
                    self.ledger.end_session(session);
                }
                "the code was used before"
            }
            Some(code) if now >= code.expires_at => "the code has expired",
            Some(code) if code.client != client || code.redirect != redirect => "the code is somebody else's",
            Some(code) if code.challenge != challenge => "the verifier does not fit",
            Some(_) => {
                let owner = self.first_account();
                let session = self.open_session(Begun::OAuth, &owner);
                if let Some(code) = self.codes.get_mut(code) {
                    code.spent = Some(session);
                }
                return Ok(session);
            }
        };
        self.counters.refused_codes += 1;
        Err(("invalid_grant", refused))
    }

    /// The session that an `Authorization: Bearer …` stands for.
    pub(super) fn authorized(&mut self, header: Option<&str>) -> Result<SessionId, Refused> {
        let token = header.and_then(|header| header.strip_prefix("Bearer "));
        let session = token.and_then(|token| self.session_of(token));
        session.ok_or_else(|| {
            self.counters.refused_calls += 1;
            Refused::new(401, "Unauthorized")
        })
    }

    /// The session of a valid access token.
    pub(super) fn session_of(&self, token: &str) -> Option<SessionId> {
        self.ledger.session_of(&Kind::Access, token)
    }

    /// Both tokens.
    pub(super) fn issue(&mut self, session: SessionId) -> Value {
        let mut answer = self.issue_access(session);
        let lifetime = self.settings.refresh_lifetime;
        answer["refresh_token"] = json!(self.ledger.issue_opaque(Kind::Refresh, session, lifetime));
        answer
    }

    /// What a refresh brings.
    pub(super) fn issue_next(&mut self, session: SessionId) -> Value {
        if self.settings.refresh_answer_omits_refresh_token {
            return self.issue_access(session);
        }
        if self.settings.rotation == Rotation::Fixed {
            let mut answer = self.issue_access(session);
            answer["refresh_token"] = json!(self.ledger.newest_in(&Kind::Refresh, session));
            return answer;
        }
        self.issue(session)
    }

    fn issue_access(&mut self, session: SessionId) -> Value {
        let (subject, lifetime) = (self.subject(session), self.settings.access_lifetime);
        let (issued_at, expires_at) = self.ledger.validity(lifetime);
        let token = self.ledger.issue_jwt(Kind::Access, session, &subject, lifetime);
        json!({"access_token": token, "sub": subject, "iat": self.moment(issued_at), "exp": self.moment(expires_at)})
    }

    fn moment(&self, seconds: u64) -> Value {
        let moment = match self.settings.exp_unit {
            ExpUnit::Seconds => seconds,
            ExpUnit::Millis => seconds.saturating_mul(1000),
        };
        match self.settings.exp_type {
            ExpType::Number => json!(moment),
            ExpType::Text => json!(moment.to_string()),
        }
    }

    /// What `/v1/self` tells.
    pub(super) fn who(&self, session: SessionId) -> Value {
        let (id, owner) = (self.subject(session), self.ledger.owner(session));
        match self.begun[session] {
            Begun::Client => {
                json!({"client": {"id": id, "client_id": owner}, "org": {"id": "org-1", "name": "Emulated"}})
            }
            Begun::Password | Begun::OAuth => json!({
                "user": {"id": id, "email": owner, "first_name": "Perennial", "last_name": "Grower"},
                "org": {"id": "org-1", "name": "Emulated"},
            }),
        }
    }

    fn subject(&self, session: SessionId) -> String {
        let owner = self.ledger.owner(session);
        match self.begun[session] {
            Begun::Client => format!("client-{owner}"),
            Begun::Password | Begun::OAuth => {
                format!("user-{}", self.accounts.number(owner).unwrap_or(0))
            }
        }
    }

    /// Who sits in front of the browser.
    fn first_account(&self) -> String {
        self.accounts.first().unwrap_or_default().to_owned()
    }

    // -- What the test does.

    pub(super) fn revoke(&mut self, owner: &str, revoked: Kind) {
        self.ledger.revoke(|issued_to, kind| issued_to == owner && *kind == revoked);
    }
}
