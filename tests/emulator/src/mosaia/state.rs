//! What the service remembers, and its rules.

use super::settings::{ExpType, ExpUnit, MosaiaSettings};
use crate::clock::Clock;
use crate::navien::Rotation;
use crate::tokens::Mint;
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Why a request was refused.
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) message: &'static str,
    /// A sign-in or refresh, as against an API call with a bad token.
    pub(super) at_the_door: bool,
}

impl Refused {
    pub(super) fn new(status: u16, message: &'static str) -> Self {
        Self { status, message, at_the_door: false }
    }

    fn at_the_door(status: u16, message: &'static str) -> Self {
        Self { status, message, at_the_door: true }
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
    clock: Arc<Clock>,
    mint: Mint,
    accounts: HashMap<String, Account>,
    clients: HashMap<String, String>,
    /// By number; each sign-in opens one.
    sessions: Vec<Session>,
    access: HashMap<String, Token>,
    refresh: HashMap<String, Token>,
    codes: HashMap<String, Code>,
}

struct Account {
    password: String,
    locked: bool,
    number: usize,
}

struct Session {
    begun: Begun,
    /// An e-mail address, or a client's id.
    owner: String,
    live: bool,
    newest_access: String,
    newest_refresh: String,
}

struct Token {
    session: usize,
    /// By the server's age.
    dies_at: Duration,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Live,
    Spent,
    Revoked,
}

/// What a redirect brought back.
struct Code {
    client: String,
    redirect: String,
    challenge: String,
    dies_at: Duration,
    /// The session that it opened.
    spent: Option<usize>,
}

impl State {
    pub(super) fn new(mut settings: MosaiaSettings, clock: Arc<Clock>) -> Self {
        let accounts = std::mem::take(&mut settings.accounts);
        let clients = std::mem::take(&mut settings.clients).into_iter().collect();
        let mut state = Self {
            settings,
            counters: Counters::default(),
            clock,
            mint: Mint::default(),
            accounts: HashMap::new(),
            clients,
            sessions: Vec::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            codes: HashMap::new(),
        };
        for (email, password) in accounts {
            state.add_account(&email, &password);
        }
        state
    }

    // -- What requests do.

    pub(super) fn check_password(&mut self, email: &str, password: &str, client: &str) -> Result<(), Refused> {
        let refused = match self.accounts.get(email) {
            _ if !self.knows_client(client) => Refused::at_the_door(401, "Invalid client"),
            None => Refused::at_the_door(404, "User not found"),
            Some(account) if account.locked => Refused::at_the_door(403, "Account locked"),
            Some(account) if account.password == password => return Ok(()),
            Some(_) => Refused::at_the_door(401, "Invalid credentials"),
        };
        self.counters.refused_sign_ins += 1;
        Err(refused)
    }

    pub(super) fn check_secret(&mut self, client: &str, secret: &str) -> Result<(), Refused> {
        if self.clients.get(client).is_some_and(|known| known == secret) {
            return Ok(());
        }
        self.counters.refused_sign_ins += 1;
        Err(Refused::at_the_door(401, "Invalid credentials"))
    }

    pub(super) fn knows_client(&self, client: &str) -> bool {
        self.clients.contains_key(client)
    }

    pub(super) fn open_session(&mut self, begun: Begun, owner: &str) -> usize {
        self.sessions.push(Session {
            begun,
            owner: owner.to_owned(),
            live: true,
            newest_access: String::new(),
            newest_refresh: String::new(),
        });
        self.sessions.len() - 1
    }

    pub(super) fn end_session(&mut self, session: usize) {
        self.sessions[session].live = false;
    }

    /// Takes a refresh token in payment, if its session was begun in a way that fits the endpoint; rotation makes
    /// it good only once.
    pub(super) fn spend_refresh(&mut self, token: &str, fits: impl Fn(Begun) -> bool) -> Result<usize, Refused> {
        let now = self.clock.age();
        let refused = || Refused::at_the_door(401, "Invalid refresh token");
        let sessions = &self.sessions;
        let fits = |token: &&mut Token| fits(sessions[token.session].begun) && token.fate != Fate::Revoked;
        let Some(found) = self.refresh.get_mut(token).filter(fits) else {
            self.counters.refused_refreshes += 1;
            return Err(refused());
        };
        let session = found.session;
        if found.fate == Fate::Spent {
            self.counters.refused_refreshes += 1;
            self.counters.reuse_detected += 1;
            if self.settings.rotation == Rotation::Rotating {
                self.end_session(session);
            }
            return Err(refused());
        }
        if now >= found.dies_at || !sessions[session].live {
            self.counters.refused_refreshes += 1;
            return Err(refused());
        }
        if self.settings.rotation != Rotation::Fixed && !self.settings.refresh_answer_omits_refresh_token {
            found.fate = Fate::Spent;
        }
        Ok(session)
    }

    /// The code of a redirect, bound to its client, its address and its challenge.
    pub(super) fn issue_code(&mut self, client: &str, redirect: &str, challenge: &str) -> String {
        self.counters.codes += 1;
        let code = self.mint.secret_key();
        let dies_at = self.clock.age().saturating_add(self.settings.code_lifetime);
        let kept = Code {
            client: client.to_owned(),
            redirect: redirect.to_owned(),
            challenge: challenge.to_owned(),
            dies_at,
            spent: None,
        };
        self.codes.insert(code.clone(), kept);
        code
    }

    /// Takes a code in payment. One that is shown again ends the session that it opened (RFC 6749 §4.1.2).
    pub(super) fn spend_code(
        &mut self,
        code: &str,
        client: &str,
        redirect: &str,
        verifier: &str,
    ) -> Result<usize, OAuthError> {
        let now = self.clock.age();
        let challenge = Base64UrlUnpadded::encode_string(&Sha256::digest(verifier.as_bytes()));
        let refused = match self.codes.get(code) {
            None => "no such code",
            Some(code) if code.spent.is_some() => {
                self.counters.reuse_detected += 1;
                if let Some(session) = code.spent {
                    self.end_session(session);
                }
                "the code was used before"
            }
            Some(code) if now >= code.dies_at => "the code has expired",
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
    pub(super) fn authorized(&mut self, header: Option<&str>) -> Result<usize, Refused> {
        let token = header.and_then(|header| header.strip_prefix("Bearer "));
        let session = token.and_then(|token| self.session_of(token));
        session.ok_or_else(|| {
            self.counters.refused_calls += 1;
            Refused::new(401, "Unauthorized")
        })
    }

    /// The session of a live access token.
    pub(super) fn session_of(&self, token: &str) -> Option<usize> {
        self.access.get(token).filter(|token| self.is_live(token)).map(|token| token.session)
    }

    /// Both tokens.
    pub(super) fn issue(&mut self, session: usize) -> Value {
        let (mut answer, token) = (self.issue_access(session), self.mint.opaque());
        answer["refresh_token"] = json!(token);
        let dies_at = self.clock.age().saturating_add(self.settings.refresh_lifetime);
        let kept = Token { session, dies_at, fate: Fate::Live };
        self.refresh.insert(token.clone(), kept);
        self.sessions[session].newest_refresh = token;
        answer
    }

    /// What a refresh brings.
    pub(super) fn issue_next(&mut self, session: usize) -> Value {
        if self.settings.refresh_answer_omits_refresh_token {
            return self.issue_access(session);
        }
        if self.settings.rotation == Rotation::Fixed {
            let mut answer = self.issue_access(session);
            answer["refresh_token"] = json!(self.sessions[session].newest_refresh);
            return answer;
        }
        self.issue(session)
    }

    fn issue_access(&mut self, session: usize) -> Value {
        let (wall, lifetime) = (self.clock.unix_seconds(), self.settings.access_lifetime);
        let expires = wall.saturating_add(lifetime.as_secs());
        let subject = self.subject(session);
        let token = self.mint.jwt(&subject, "access", wall, expires);
        let dies_at = self.clock.age().saturating_add(lifetime);
        let kept = Token { session, dies_at, fate: Fate::Live };
        self.access.insert(token.clone(), kept);
        self.sessions[session].newest_access.clone_from(&token);
        json!({"access_token": token, "sub": subject, "iat": self.moment(wall), "exp": self.moment(expires)})
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
    pub(super) fn who(&self, session: usize) -> Value {
        let Session { begun, owner, .. } = &self.sessions[session];
        let id = self.subject(session);
        match begun {
            Begun::Client => {
                json!({"client": {"id": id, "client_id": owner}, "org": {"id": "org-1", "name": "Emulated"}})
            }
            Begun::Password | Begun::OAuth => json!({
                "user": {"id": id, "email": owner, "first_name": "Perennial", "last_name": "Grower"},
                "org": {"id": "org-1", "name": "Emulated"},
            }),
        }
    }

    fn subject(&self, session: usize) -> String {
        let Session { begun, owner, .. } = &self.sessions[session];
        match begun {
            Begun::Client => format!("client-{owner}"),
            Begun::Password | Begun::OAuth => {
                format!("user-{}", self.accounts.get(owner).map_or(0, |account| account.number))
            }
        }
    }

    /// Who sits in front of the browser.
    fn first_account(&self) -> String {
        let first = self.accounts.iter().min_by_key(|(_, account)| account.number);
        first.map_or_else(String::new, |(email, _)| email.clone())
    }

    // -- What the test does.

    pub(super) fn add_account(&mut self, email: &str, password: &str) {
        let number = self.accounts.len() + 1;
        let account = Account { password: password.to_owned(), locked: false, number };
        self.accounts.insert(email.to_owned(), account);
    }

    pub(super) fn lock_account(&mut self, email: &str, locked: bool) {
        if let Some(account) = self.accounts.get_mut(email) {
            account.locked = locked;
        }
    }

    pub(super) fn revoke_access(&mut self, owner: &str) {
        revoke(&mut self.access, &self.sessions, owner);
    }

    pub(super) fn revoke_refresh(&mut self, owner: &str) {
        revoke(&mut self.refresh, &self.sessions, owner);
    }

    pub(super) fn revoke_sessions(&mut self, owner: &str) {
        for session in self.sessions.iter_mut().filter(|session| session.owner == owner) {
            session.live = false;
        }
    }

    // -- What the test asks.

    pub(super) fn refresh_is_valid(&self, token: &str) -> bool {
        self.refresh.get(token).is_some_and(|token| self.is_live(token))
    }

    pub(super) fn newest_access(&self, owner: &str) -> Option<String> {
        self.newest(owner).map(|session| session.newest_access.clone())
    }

    pub(super) fn newest_refresh(&self, owner: &str) -> Option<String> {
        self.newest(owner).map(|session| session.newest_refresh.clone())
    }

    pub(super) fn live_sessions(&self, owner: &str) -> usize {
        self.sessions.iter().filter(|session| session.live && session.owner == owner).count()
    }

    fn newest(&self, owner: &str) -> Option<&Session> {
        self.sessions.iter().rev().find(|session| session.owner == owner)
    }

    fn is_live(&self, token: &Token) -> bool {
        token.fate == Fate::Live && self.clock.age() < token.dies_at && self.sessions[token.session].live
    }
}

fn revoke(tokens: &mut HashMap<String, Token>, sessions: &[Session], owner: &str) {
    for token in tokens.values_mut().filter(|token| sessions[token.session].owner == owner) {
        token.fate = Fate::Revoked;
    }
}
