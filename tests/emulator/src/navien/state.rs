//! Accounts, sessions and tokens, and the rules between them.

use super::{NavienSettings, Rotation};
use crate::clock::Clock;
use crate::mqtt::{MqttRefusal, Presigned};
use crate::tokens::Mint;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How long AWS credentials live whose lifetime is not said.
const UNSAID_AWS_LIFETIME: Duration = Duration::from_secs(3600);

/// Why a request was refused.
pub(crate) struct Refused {
    pub(crate) code: u16,
    pub(crate) message: &'static str,
    /// A sign-in or refresh, as against an API call with a bad token.
    pub(crate) at_the_door: bool,
}

impl Refused {
    pub(crate) fn new(code: u16, message: &'static str) -> Self {
        Self { code, message, at_the_door: false }
    }

    fn at_the_door(code: u16, message: &'static str) -> Self {
        Self { code, message, at_the_door: true }
    }
}

/// How often what happened. Successes, unless the name says otherwise.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) sign_ins: usize,
    pub(crate) refreshes: usize,
    pub(crate) session_refreshes: usize,
    pub(crate) secured_sign_ins: usize,
    pub(crate) device_lists: usize,
    pub(crate) refused_sign_ins: usize,
    pub(crate) refused_refreshes: usize,
    pub(crate) refused_calls: usize,
    pub(crate) reuse_detected: usize,
}

pub(crate) struct State {
    pub(crate) settings: NavienSettings,
    pub(crate) counters: Counters,
    clock: Arc<Clock>,
    mint: Mint,
    accounts: HashMap<String, Account>,
    /// By number; a session is opened by each sign-in.
    sessions: Vec<Session>,
    access: HashMap<String, Token>,
    refresh: HashMap<String, Token>,
    aws: HashMap<String, AwsSet>,
}

struct Account {
    password: String,
    locked: bool,
    number: usize,
}

struct Session {
    email: String,
    live: bool,
    newest_access: String,
    newest_refresh: String,
}

struct Token {
    session: usize,
    /// By the server's age.
    dies_at: Duration,
    /// Revoked, or (refresh tokens) spent.
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Live,
    Spent,
    Revoked,
}

struct AwsSet {
    session: usize,
    secret_key: String,
    session_token: String,
    dies_at: Duration,
}

impl State {
    pub(crate) fn new(settings: NavienSettings, clock: Arc<Clock>) -> Self {
        let mut state = Self {
            settings,
            counters: Counters::default(),
            clock,
            mint: Mint::default(),
            accounts: HashMap::new(),
            sessions: Vec::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            aws: HashMap::new(),
        };
        for (email, password) in std::mem::take(&mut state.settings.accounts) {
            state.add_account(&email, &password);
        }
        state
    }

    // -- What requests do.

    /// The account's `userInfo`, if the password is right.
    pub(crate) fn check_password(&mut self, email: &str, password: &str) -> Result<Value, Refused> {
        let refused = match self.accounts.get(email) {
            Some(account) if account.locked => Refused::at_the_door(403, "ACCOUNT_LOCKED"),
            Some(account) if account.password == password => return Ok(user_info(account)),
            _ => Refused::at_the_door(401, "INVALID_CREDENTIALS"),
        };
        self.counters.refused_sign_ins += 1;
        Err(refused)
    }

    pub(crate) fn user_info(&self, session: usize) -> Value {
        let email = self.sessions.get(session).map(|session| session.email.as_str());
        email.and_then(|email| self.accounts.get(email)).map_or(Value::Null, user_info)
    }

    pub(crate) fn open_session(&mut self, email: &str) -> usize {
        self.sessions.push(Session {
            email: email.to_owned(),
            live: true,
            newest_access: String::new(),
            newest_refresh: String::new(),
        });
        self.sessions.len() - 1
    }

    /// Takes a refresh token in payment; rotation makes it good only once.
    pub(crate) fn spend_refresh(&mut self, token: &str) -> Result<usize, Refused> {
        let now = self.clock.age();
        let found = self.refresh.get_mut(token).filter(|token| token.fate != Fate::Revoked);
        let refused = || Refused::at_the_door(401, "INVALID_REFRESH_TOKEN");
        let Some(found) = found else {
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
        let lives = self.sessions.get(session).is_some_and(|session| session.live);
        if now >= found.dies_at || !lives {
            self.counters.refused_refreshes += 1;
            return Err(refused());
        }
        if self.settings.rotation != Rotation::Fixed && !self.settings.refresh_answer_omits_refresh_token {
            found.fate = Fate::Spent;
        }
        Ok(session)
    }

    /// The session that an `authorization` header stands for, raw or with `Bearer`.
    pub(crate) fn authorized(&mut self, header: Option<&str>, user: Option<&str>) -> Result<usize, Refused> {
        let token = header.map(|header| header.strip_prefix("Bearer ").unwrap_or(header));
        let session = token.filter(|token| self.access_is_valid(token)).map(|token| self.access[token].session);
        let Some(session) = session else {
            self.counters.refused_calls += 1;
            return Err(Refused::new(401, "unauthorized"));
        };
        if user != self.sessions.get(session).map(|session| session.email.as_str()) {
            self.counters.refused_calls += 1;
            return Err(Refused::new(403, "FORBIDDEN"));
        }
        Ok(session)
    }

    /// `idToken`, `accessToken`, `authenticationExpiresIn` and, if wanted, a new `refreshToken`.
    pub(crate) fn issue_jwts(&mut self, session: usize, with_refresh: bool) -> Value {
        let (age, wall) = (self.clock.age(), self.clock.unix_seconds());
        let lifetime = self.settings.access_lifetime;
        let expires = wall.saturating_add(lifetime.as_secs());
        let subject = format!("emulated-session-{session}");
        let id_token = self.mint.jwt(&subject, "id", wall, expires);
        let access_token = self.mint.jwt(&subject, "access", wall, expires);
        let mut data = json!({
            "idToken": id_token,
            "accessToken": access_token,
            "authenticationExpiresIn": lifetime.as_secs(),
        });
        let dies_at = age.saturating_add(lifetime);
        self.access.insert(access_token.clone(), Token { session, dies_at, fate: Fate::Live });
        self.sessions[session].newest_access = access_token;
        if with_refresh {
            let token = self.mint.opaque();
            data["refreshToken"] = json!(token);
            let dies_at = age.saturating_add(self.settings.refresh_lifetime);
            self.refresh.insert(token.clone(), Token { session, dies_at, fate: Fate::Live });
            self.sessions[session].newest_refresh = token;
        }
        data
    }

    /// `accessKeyId`, `secretKey`, `sessionToken` and `authorizationExpiresIn`.
    pub(crate) fn issue_aws(&mut self, session: usize) -> Value {
        let lifetime = self.settings.aws_lifetime;
        let (key_id, secret_key) = (self.mint.access_key_id(), self.mint.secret_key());
        let session_token = self.mint.session_token();
        let mut data = json!({"accessKeyId": key_id, "secretKey": secret_key, "sessionToken": session_token});
        if let Some(lifetime) = lifetime {
            data["authorizationExpiresIn"] = json!(lifetime.as_secs());
        }
        let dies_at = self.clock.age().saturating_add(lifetime.unwrap_or(UNSAID_AWS_LIFETIME));
        self.aws.insert(key_id, AwsSet { session, secret_key, session_token, dies_at });
        data
    }

    /// Whether this address opens an MQTT connection at this host, now.
    pub(crate) fn admit(&self, signed: &Presigned, host: &str) -> Result<(), MqttRefusal> {
        let aws = self.aws.get(&signed.access_key_id).ok_or(MqttRefusal::AccessKey)?;
        if !signed.is_for_navien() {
            return Err(MqttRefusal::Query);
        }
        if signed.session_token != aws.session_token {
            return Err(MqttRefusal::SessionToken);
        }
        if !signed.is_signed_with(&aws.secret_key, host) {
            return Err(MqttRefusal::Signature);
        }
        signed.check_time(self.clock.unix_seconds())?;
        if self.aws_lives(&signed.access_key_id) { Ok(()) } else { Err(MqttRefusal::Ended) }
    }

    pub(crate) fn aws_lives(&self, access_key_id: &str) -> bool {
        let found = self.aws.get(access_key_id);
        found.is_some_and(|aws| self.clock.age() < aws.dies_at && self.sessions[aws.session].live)
    }

    // -- What the test does.

    pub(crate) fn add_account(&mut self, email: &str, password: &str) {
        let number = self.accounts.len() + 1;
        let account = Account { password: password.to_owned(), locked: false, number };
        self.accounts.insert(email.to_owned(), account);
    }

    pub(crate) fn lock_account(&mut self, email: &str, locked: bool) {
        if let Some(account) = self.accounts.get_mut(email) {
            account.locked = locked;
        }
    }

    pub(crate) fn change_password(&mut self, email: &str, password: &str) {
        if let Some(account) = self.accounts.get_mut(email) {
            password.clone_into(&mut account.password);
        }
    }

    pub(crate) fn revoke_access(&mut self, email: &str) {
        revoke(&mut self.access, &self.sessions, email);
    }

    pub(crate) fn revoke_refresh(&mut self, email: &str) {
        revoke(&mut self.refresh, &self.sessions, email);
    }

    pub(crate) fn revoke_sessions(&mut self, email: &str) {
        for session in 0..self.sessions.len() {
            if self.sessions[session].email == email {
                self.end_session(session);
            }
        }
    }

    fn end_session(&mut self, session: usize) {
        self.sessions[session].live = false;
    }

    // -- What the test asks.

    pub(crate) fn access_is_valid(&self, token: &str) -> bool {
        self.access.get(token).is_some_and(|token| self.is_live(token))
    }

    pub(crate) fn refresh_is_valid(&self, token: &str) -> bool {
        self.refresh.get(token).is_some_and(|token| self.is_live(token))
    }

    pub(crate) fn aws_is_valid(&self, access_key_id: &str, secret_key: &str, session_token: &str) -> bool {
        self.aws.get(access_key_id).is_some_and(|aws| {
            aws.secret_key == secret_key
                && aws.session_token == session_token
                && self.clock.age() < aws.dies_at
                && self.sessions[aws.session].live
        })
    }

    pub(crate) fn newest_access(&self, email: &str) -> Option<String> {
        self.newest(email).map(|session| session.newest_access.clone())
    }

    pub(crate) fn newest_refresh(&self, email: &str) -> Option<String> {
        self.newest(email).map(|session| session.newest_refresh.clone())
    }

    pub(crate) fn live_sessions(&self, email: &str) -> usize {
        self.sessions.iter().filter(|session| session.live && session.email == email).count()
    }

    fn newest(&self, email: &str) -> Option<&Session> {
        self.sessions.iter().rev().find(|session| session.email == email)
    }

    fn is_live(&self, token: &Token) -> bool {
        token.fate == Fate::Live && self.clock.age() < token.dies_at && self.sessions[token.session].live
    }
}

fn revoke(tokens: &mut HashMap<String, Token>, sessions: &[Session], email: &str) {
    for token in tokens.values_mut().filter(|token| sessions[token.session].email == email) {
        token.fate = Fate::Revoked;
    }
}

fn user_info(account: &Account) -> Value {
    json!({
        "userType": "O",
        "userFirstName": "Perennial",
        "userLastName": "Grower",
        "userStatus": "NORMAL",
        "userSeq": 36_000 + account.number,
    })
}
