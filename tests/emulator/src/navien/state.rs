//! Accounts, sessions and tokens, and the rules between them.

use super::NavienSettings;
use crate::accounts::{Accounts, LoginError};
use crate::clock::Clock;
use crate::ledger::{Invalid, Ledger, Rotation, SessionId};
use crate::mqtt::{MqttRefusal, Presigned};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// How long AWS credentials live whose lifetime is not said.
const UNSAID_AWS_LIFETIME: Duration = Duration::from_secs(3600);

/// Why a request was refused.
pub(crate) struct Refused {
    pub(crate) code: u16,
    pub(crate) message: &'static str,
    /// Whether a sign-in or a refresh was refused, and not an API call.
    pub(crate) is_grant: bool,
}

impl Refused {
    pub(crate) fn new(code: u16, message: &'static str) -> Self {
        Self { code, message, is_grant: false }
    }

    fn grant(code: u16, message: &'static str) -> Self {
        Self { code, message, is_grant: true }
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
    clock: Clock,
    pub(crate) accounts: Accounts,
    /// Each sign-in opens a session, of an e-mail address.
    pub(crate) ledger: Ledger<Kind>,
    /// What belongs to the access key ids of the ledger.
    aws: HashMap<String, AwsSecrets>,
}

/// What is issued in a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Access,
    Refresh,
    AwsKeyId,
}

struct AwsSecrets {
    secret_key: String,
    session_token: String,
}

impl State {
    pub(crate) fn new(mut settings: NavienSettings, clock: Clock) -> Self {
        Self {
            accounts: Accounts::new(std::mem::take(&mut settings.accounts)),
            settings,
            counters: Counters::default(),
            ledger: Ledger::new(clock.clone()),
            clock,
            aws: HashMap::new(),
        }
    }

    // -- What requests do.

    /// The account's `userInfo`, if the password is right.
    pub(crate) fn check_password(&mut self, email: &str, password: &str) -> Result<Value, Refused> {
        let refused = match self.accounts.check(email, password) {
            Ok(()) => return Ok(self.user_info(email)),
            Err(LoginError::Locked) => Refused::grant(403, "ACCOUNT_LOCKED"),
            Err(LoginError::Unknown | LoginError::WrongPassword) => Refused::grant(401, "INVALID_CREDENTIALS"),
        };
        self.counters.refused_sign_ins += 1;
        Err(refused)
    }

    pub(crate) fn user_info(&self, email: &str) -> Value {
        let Some(number) = self.accounts.number(email) else { return Value::Null };
        json!({
            "userType": "O",
            "userFirstName": "Perennial",
            "userLastName": "Grower",
            "userStatus": "NORMAL",
            "userSeq": 36_000 + number,
        })
    }

    /// Takes a refresh token; where refreshes rotate it, it is good only once.
    pub(crate) fn take_refresh(&mut self, token: &str) -> Result<SessionId, Refused> {
        match self.ledger.take(&Kind::Refresh, token, self.settings.rotation) {
            Ok(session) => {
                if self.rotates() {
                    self.ledger.spend(token);
                }
                Ok(session)
            }
            Err(invalid) => {
                self.counters.refused_refreshes += 1;
                self.counters.reuse_detected += usize::from(invalid == Invalid::Reused);
                Err(Refused::grant(401, "INVALID_REFRESH_TOKEN"))
            }
        }
    }

    /// Whether a refresh brings another refresh token.
    pub(crate) fn rotates(&self) -> bool {
        self.settings.rotation != Rotation::Fixed && !self.settings.refresh_answer_omits_refresh_token
    }

    /// The session that an `authorization` header stands for, raw or with `Bearer`.
    pub(crate) fn authorized(&mut self, header: Option<&str>, user: Option<&str>) -> Result<SessionId, Refused> {
        let token = header.map(|header| header.strip_prefix("Bearer ").unwrap_or(header));
        let session = token.and_then(|token| self.ledger.session_of(&Kind::Access, token));
        let refused = match session {
            None => Refused::new(401, "unauthorized"),
            Some(session) if user != Some(self.ledger.owner(session)) => Refused::new(403, "FORBIDDEN"),
            Some(session) => return Ok(session),
        };
        self.counters.refused_calls += 1;
        Err(refused)
    }

    /// `idToken`, `accessToken`, `authenticationExpiresIn` and, if wanted, a new `refreshToken`.
    pub(crate) fn issue_jwts(&mut self, session: SessionId, with_refresh: bool) -> Value {
        let lifetime = self.settings.access_lifetime;
        let (issued_at, expires_at) = self.ledger.validity(lifetime);
        let subject = format!("emulated-session-{session}");
        let mut data = json!({
            "idToken": self.ledger.mint().jwt(&subject, "id", issued_at, expires_at),
            "accessToken": self.ledger.issue_jwt(Kind::Access, session, &subject, lifetime),
            "authenticationExpiresIn": lifetime.as_secs(),
        });
        if with_refresh {
            let lifetime = self.settings.refresh_lifetime;
            data["refreshToken"] = json!(self.ledger.issue_opaque(Kind::Refresh, session, lifetime));
        }
        data
    }

    /// `accessKeyId`, `secretKey`, `sessionToken` and `authorizationExpiresIn`.
    pub(crate) fn issue_aws(&mut self, session: SessionId) -> Value {
        let lifetime = self.settings.aws_lifetime;
        let mint = self.ledger.mint();
        let (key_id, secret_key, session_token) = (mint.access_key_id(), mint.secret_key(), mint.session_token());
        let mut data = json!({"accessKeyId": key_id, "secretKey": secret_key, "sessionToken": session_token});
        if let Some(lifetime) = lifetime {
            data["authorizationExpiresIn"] = json!(lifetime.as_secs());
        }
        let key_id = self.ledger.issue(Kind::AwsKeyId, session, key_id, lifetime.unwrap_or(UNSAID_AWS_LIFETIME));
        self.aws.insert(key_id, AwsSecrets { secret_key, session_token });
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
        signed.check_time(self.clock.server_unix_seconds())?;
        if self.is_aws_live(&signed.access_key_id) { Ok(()) } else { Err(MqttRefusal::Ended) }
    }

    pub(crate) fn is_aws_live(&self, access_key_id: &str) -> bool {
        self.ledger.session_of(&Kind::AwsKeyId, access_key_id).is_some()
    }

    // -- What the test does.

    pub(crate) fn revoke(&mut self, email: &str, revoked: Kind) {
        self.ledger.revoke(|owner, kind| owner == email && *kind == revoked);
    }

    // -- What the test asks.

    pub(crate) fn is_valid(&self, kind: Kind, token: &str) -> bool {
        self.ledger.session_of(&kind, token).is_some()
    }

    pub(crate) fn is_aws_valid(&self, access_key_id: &str, secret_key: &str, session_token: &str) -> bool {
        let known = self.aws.get(access_key_id);
        known.is_some_and(|aws| aws.secret_key == secret_key && aws.session_token == session_token)
            && self.is_aws_live(access_key_id)
    }
}
