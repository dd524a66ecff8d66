//! Apps, sessions and tokens, and the rules between them.

use super::{ClockRefusals, SettradeSettings};
use crate::clock::Clock;
use crate::ledger::{Invalid, Ledger, Rotation, SessionId};
use base64ct::{Base64, Encoding};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use std::collections::HashMap;
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
    clock: Clock,
    apps: HashMap<String, VerifyingKey>,
    /// Each login opens a session, of an app.
    pub(crate) ledger: Ledger<Kind>,
}

/// What is issued in a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Access,
    Refresh,
    /// Opens one MQTT connection.
    Dispatcher,
}

impl State {
    pub(crate) fn new(settings: SettradeSettings, clock: Clock) -> Self {
        let mut state = Self {
            settings,
            counters: Counters::default(),
            ledger: Ledger::new(clock.clone()),
            clock,
            apps: HashMap::new(),
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
    ) -> Result<SessionId, Refused> {
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
        Ok(self.ledger.open_session(app_id))
    }

    /// Thirteen digits, near the server's clock.
    fn is_just_now(&self, timestamp: &str) -> bool {
        let digits = timestamp.len() == 13 && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let now = self.clock.server_time().duration_since(UNIX_EPOCH).unwrap_or_default();
        let then = timestamp.parse().map(Duration::from_millis);
        digits && then.is_ok_and(|then| now.abs_diff(then) <= self.settings.timestamp_window)
    }

    /// Takes a refresh token of this app: it is good once.
    pub(crate) fn take_refresh(&mut self, app_id: &str, token: &str) -> Result<SessionId, Refused> {
        let issued_in = self.ledger.issued_in(&Kind::Refresh, token);
        let taken = if issued_in.is_some_and(|session| self.ledger.owner(session) == app_id) {
            self.ledger.take(&Kind::Refresh, token, Rotation::Rotating)
        } else {
            Err(Invalid::Dead)
        };
        match taken {
            Ok(session) => {
                self.ledger.spend(token);
                Ok(session)
            }
            Err(invalid) => {
                self.counters.refused_refreshes += 1;
                self.counters.reuse_detected += usize::from(invalid == Invalid::Reused);
                Err(Refused::new(401, "OAM-4012", "Invalid refresh token"))
            }
        }
    }

    /// What an `authorization` header shows, behind the right type.
    pub(crate) fn typed_token<'a>(&self, header: Option<&'a str>) -> Option<&'a str> {
        let (token_type, token) = header?.split_once(' ')?;
        (token_type == self.settings.token_type).then_some(token)
    }

    /// The access token that an `authorization` header shows, behind its type.
    pub(crate) fn authorized(&mut self, header: Option<&str>) -> Result<String, Refused> {
        match self.typed_token(header).filter(|token| self.is_valid(Kind::Access, token)) {
            Some(token) => Ok(token.to_owned()),
            None => {
                self.counters.refused_calls += 1;
                Err(Refused::new(401, "API-401", "Unauthorized"))
            }
        }
    }

    pub(crate) fn issue_tokens(&mut self, session: SessionId, with_type: bool) -> Value {
        let lifetime = self.settings.access_lifetime;
        let subject = format!("emulated-app-{session}");
        let access_token = self.ledger.issue_jwt(Kind::Access, session, &subject, lifetime);
        let refresh_token = self.ledger.issue_opaque(Kind::Refresh, session, self.settings.refresh_lifetime);
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
        let token = self.ledger.issue_beside(Kind::Dispatcher, access_token);
        self.counters.dispatcher_tokens += 1;
        json!({"hosts": self.settings.hosts, "token": token})
    }

    // -- What the test does.

    pub(crate) fn set_secret(&mut self, app_id: &str, app_secret: &str) -> bool {
        let bytes = Base64::decode_vec(app_secret).ok();
        let key = bytes.and_then(|bytes| SigningKey::from_slice(&bytes).ok());
        key.map(|key| self.apps.insert(app_id.to_owned(), *key.verifying_key())).is_some()
    }

    pub(crate) fn revoke(&mut self, revoked: Kind) {
        self.ledger.revoke(|_, kind| *kind == revoked);
    }

    pub(crate) fn admit(&mut self, token: &str) -> bool {
        let admitted = self.is_valid(Kind::Dispatcher, token);
        if admitted {
            self.ledger.spend(token);
            self.counters.admitted += 1;
        } else {
            self.counters.not_admitted += 1;
        }
        admitted
    }

    // -- What the test asks.

    pub(crate) fn is_valid(&self, kind: Kind, token: &str) -> bool {
        self.ledger.session_of(&kind, token).is_some()
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
