//! Apps, sessions and tokens, and the rules between them.

use super::{ClockRefusals, SettradeSettings};
use crate::clock::Clock;
use crate::tokens::Mint;
use base64ct::{Base64, Encoding};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// Why a request was refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

impl Refused {
    pub(crate) fn new(status: u16, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message }
    }
}

/// How often what happened. Successes, unless the name says otherwise.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) logins: usize,
    pub(crate) refreshes: usize,
    pub(crate) dispatcher_tokens: usize,
    pub(crate) api_calls: usize,
    pub(crate) admitted: usize,
    pub(crate) not_admitted: usize,
    pub(crate) refused_logins: usize,
    pub(crate) refused_clocks: usize,
    pub(crate) refused_refreshes: usize,
    pub(crate) refused_calls: usize,
    pub(crate) reuse_detected: usize,
}

pub(crate) struct State {
    pub(crate) settings: SettradeSettings,
    pub(crate) counters: Counters,
    clock: Arc<Clock>,
    mint: Mint,
    apps: HashMap<String, VerifyingKey>,
    /// By number; a session is opened by each login.
    sessions: Vec<Session>,
    access: HashMap<String, Token>,
    refresh: HashMap<String, Token>,
    dispatcher: HashMap<String, Token>,
}

struct Session {
    app_id: String,
    live: bool,
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

impl State {
    pub(crate) fn new(settings: SettradeSettings, clock: Arc<Clock>) -> Self {
        let mut state = Self {
            settings,
            counters: Counters::default(),
            clock,
            mint: Mint::default(),
            apps: HashMap::new(),
            sessions: Vec::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            dispatcher: HashMap::new(),
        };
        for (app_id, app_secret) in std::mem::take(&mut state.settings.apps) {
            state.set_secret(&app_id, &app_secret);
        }
        state
    }

    // -- What requests do.

    pub(crate) fn check_place(&self, broker_id: &str, app_code: Option<&str>) -> Result<(), Refused> {
        let right_app = app_code.is_none_or(|app_code| app_code == self.settings.app_code);
        if broker_id == self.settings.broker_id && right_app {
            return Ok(());
        }
        Err(Refused::new(404, "OAM-404", "Broker app not found"))
    }

    /// Opens a session, if the login was signed by the app, and just now.
    pub(crate) fn check_signature(
        &mut self,
        app_id: &str,
        params: &str,
        signature: &str,
        timestamp: &str,
    ) -> Result<usize, Refused> {
        let unauthorized = Refused::new(401, "OAM-401", "Unauthorized");
        if !self.is_just_now(timestamp) {
            self.counters.refused_clocks += 1;
            return Err(match self.settings.clock_refusals {
                ClockRefusals::Named => Refused::new(401, "OAM-4011", "Timestamp is out of range"),
                ClockRefusals::Silent => unauthorized,
            });
        }
        let text = format!("{app_id}.{params}.{timestamp}");
        let signature = from_hex(signature).and_then(|der| Signature::from_der(&der).ok());
        let right = self
            .apps
            .get(app_id)
            .zip(signature)
            .is_some_and(|(key, signature)| key.verify(text.as_bytes(), &signature).is_ok());
        if !right {
            self.counters.refused_logins += 1;
            return Err(unauthorized);
        }
        self.sessions.push(Session { app_id: app_id.to_owned(), live: true });
        Ok(self.sessions.len() - 1)
    }

    /// Thirteen digits, near the server's clock.
    fn is_just_now(&self, timestamp: &str) -> bool {
        let digits = timestamp.len() == 13 && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let now = self.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        let then = timestamp.parse().map(Duration::from_millis);
        digits && then.is_ok_and(|then| now.abs_diff(then) <= self.settings.timestamp_window)
    }

    /// Takes a refresh token in payment: it is good once.
    pub(crate) fn spend_refresh(&mut self, app_id: &str, token: &str) -> Result<usize, Refused> {
        let now = self.clock.age();
        let found = self.refresh.get_mut(token);
        let found = found.filter(|token| token.fate != Fate::Revoked && self.sessions[token.session].app_id == app_id);
        let refused = Refused::new(401, "OAM-4012", "Invalid refresh token");
        let Some(found) = found else {
            self.counters.refused_refreshes += 1;
            return Err(refused);
        };
        let session = &mut self.sessions[found.session];
        if found.fate == Fate::Spent {
            self.counters.refused_refreshes += 1;
            self.counters.reuse_detected += 1;
            session.live = false;
            return Err(refused);
        }
        if now >= found.dies_at || !session.live {
            self.counters.refused_refreshes += 1;
            return Err(refused);
        }
        found.fate = Fate::Spent;
        Ok(found.session)
    }

    /// What an `authorization` header shows, behind the right type.
    pub(crate) fn typed_token<'a>(&self, header: Option<&'a str>) -> Option<&'a str> {
        let (token_type, token) = header?.split_once(' ')?;
        (token_type == self.settings.token_type).then_some(token)
    }

    /// The access token that an `authorization` header shows, behind its type.
    pub(crate) fn authorized(&mut self, header: Option<&str>) -> Result<String, Refused> {
        match self.typed_token(header).filter(|token| self.access_is_valid(token)) {
            Some(token) => Ok(token.to_owned()),
            None => {
                self.counters.refused_calls += 1;
                Err(Refused::new(401, "API-401", "Unauthorized"))
            }
        }
    }

    pub(crate) fn issue_tokens(&mut self, session: usize, with_type: bool) -> Value {
        let (age, wall) = (self.clock.age(), self.clock.unix_seconds());
        let lifetime = self.settings.access_lifetime;
        let subject = format!("emulated-app-{session}");
        let access_token = self.mint.jwt(&subject, "access", wall, wall.saturating_add(lifetime.as_secs()));
        let refresh_token = self.mint.opaque();
        let token = |lifetime| Token { session, dies_at: age.saturating_add(lifetime), fate: Fate::Live };
        self.access.insert(access_token.clone(), token(lifetime));
        self.refresh.insert(refresh_token.clone(), token(self.settings.refresh_lifetime));
        let mut data = json!({
            "access_token": access_token,
            "refresh_token": refresh_token,
            "expires_in": lifetime.as_secs(),
            "broker_id": self.settings.broker_id,
        });
        if with_type {
            data["token_type"] = json!(self.settings.token_type);
        }
        data
    }

    /// `hosts` and a `token`, which lives as long as the access token.
    pub(crate) fn issue_dispatcher_token(&mut self, access_token: &str) -> Value {
        let Token { session, dies_at, .. } = self.access[access_token];
        let token = self.mint.opaque();
        self.dispatcher.insert(token.clone(), Token { session, dies_at, fate: Fate::Live });
        self.counters.dispatcher_tokens += 1;
        json!({"hosts": self.settings.hosts, "token": token})
    }

    // -- What the test does.

    pub(crate) fn set_secret(&mut self, app_id: &str, app_secret: &str) -> bool {
        let bytes = Base64::decode_vec(app_secret).ok();
        let key = bytes.and_then(|bytes| SigningKey::from_slice(&bytes).ok());
        key.map(|key| self.apps.insert(app_id.to_owned(), *key.verifying_key())).is_some()
    }

    pub(crate) fn revoke_access(&mut self) {
        revoke(&mut self.access);
    }

    pub(crate) fn revoke_refresh(&mut self) {
        revoke(&mut self.refresh);
    }

    pub(crate) fn admit(&mut self, token: &str) -> bool {
        let admitted = self.dispatcher.get(token).is_some_and(|token| self.is_live(token));
        if admitted {
            if let Some(token) = self.dispatcher.get_mut(token) {
                token.fate = Fate::Spent;
            }
            self.counters.admitted += 1;
        } else {
            self.counters.not_admitted += 1;
        }
        admitted
    }

    /// Whether the session lives, and the access token, that a dispatcher token came with.
    pub(crate) fn dispatcher_lives(&self, token: &str) -> bool {
        self.dispatcher
            .get(token)
            .is_some_and(|token| self.clock.age() < token.dies_at && self.sessions[token.session].live)
    }

    // -- What the test asks.

    pub(crate) fn access_is_valid(&self, token: &str) -> bool {
        self.access.get(token).is_some_and(|token| self.is_live(token))
    }

    pub(crate) fn refresh_is_valid(&self, token: &str) -> bool {
        self.refresh.get(token).is_some_and(|token| self.is_live(token))
    }

    fn is_live(&self, token: &Token) -> bool {
        token.fate == Fate::Live && self.clock.age() < token.dies_at && self.sessions[token.session].live
    }
}

fn revoke(tokens: &mut HashMap<String, Token>) {
    for token in tokens.values_mut() {
        token.fate = Fate::Revoked;
    }
}

/// Lower-case hexadecimal digits, as the service wants them.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !text.len().is_multiple_of(2) || !text.bytes().all(lower) {
        return None;
    }
    let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}
