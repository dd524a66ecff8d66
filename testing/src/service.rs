//! The service behind the toy provider: rotates refresh tokens, notices when one is used twice, fails as told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};

use super::said::{Facts, Said};
use super::step::{After, Lives, ScriptedReply, Who};
use super::toy::{Answer, Ask, CANARY, ToyLogin, ToyMethod};
use perennial_core::wire::Body;
use perennial_core::{Error, Grant, Now, Request, Response, ServiceError, TransportError, TransportErrorKind};

/// How long an account is left alone after a 429 that names no time, and at most: what the rules say, in numbers.
const QUIET_UNNAMED: Duration = Duration::from_secs(60);
const QUIET_AT_MOST: Duration = Duration::from_secs(24 * 3600);

/// What reaches a session of a request: an answer, or a failure of the transport.
pub type Delivery = Result<Response, TransportError>;

/// What a request asks for, as the service reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A renewal with a refresh token.
    Refresh {
        /// The token.
        token: String,
    },
    /// AWS credentials with an access token.
    AwsRefresh {
        /// The access token.
        token: String,
    },
    /// A sign-in.
    SignIn {
        /// Who.
        user: String,
        /// With what.
        password: String,
    },
    /// The second half of any of these.
    Ticket {
        /// Which exchange it goes on with.
        ticket: String,
    },
    /// A sign-out.
    SignOut {
        /// The access token to forget.
        token: String,
    },
}

/// The service: accounts, their tokens, and what became of them.
#[derive(Clone, Debug, Default)]
pub struct Service {
    issued: u64,
    refresh_tokens: BTreeMap<String, String>,
    spent: BTreeSet<String>,
    access_tokens: BTreeMap<String, String>,
    tickets: BTreeMap<String, Pending>,
    reuses: u64,
    sign_ins: u64,
    wrong_sign_ins: u64,
    signed_out: Vec<String>,
}

/// The half of an exchange that waits for its second request.
#[derive(Clone, Debug)]
struct Pending {
    method: ToyMethod,
    user: String,
}

impl Who {
    /// The user's name, which is an e-mail address: no log may show it.
    pub fn user(self) -> &'static str {
        match self {
            Who::Ann | Who::AnnMistyped => "ann@toy.example",
            Who::Bob => "bob@toy.example",
        }
    }

    /// The login.
    pub fn login(self) -> ToyLogin {
        let password = match self {
            Who::Ann | Who::Bob => password_of(self.user()),
            Who::AnnMistyped => format!("{CANARY}-mistyped"),
        };
        ToyLogin::new(self.user(), &password)
    }
}

impl ToyMethod {
    /// The method that begins with this request; `None` for a sign-out, and for a second half.
    pub fn of(asked: &Asked) -> Option<Self> {
        match asked {
            Asked::Refresh { .. } => Some(Self::Refresh),
            Asked::AwsRefresh { .. } => Some(Self::AwsRefresh),
            Asked::SignIn { .. } => Some(Self::SignIn),
            Asked::Ticket { .. } | Asked::SignOut { .. } => None,
        }
    }
}

fn password_of(user: &str) -> String {
    format!("{CANARY}-password-{user}")
}

impl Service {
    /// Reads a request, as a service would.
    pub fn read(request: &Request) -> Option<Asked> {
        let ask: Ask = serde_json::from_slice(request.http.body().as_ref()).ok()?;
        if let Some(ticket) = ask.ticket {
            return Some(Asked::Ticket { ticket });
        }
        Some(match request.http.uri().path() {
            "/refresh" => Asked::Refresh { token: ask.token? },
            "/aws-refresh" => Asked::AwsRefresh { token: ask.token? },
            "/sign-in" => Asked::SignIn { user: ask.user?, password: ask.password? },
            "/sign-out" => Asked::SignOut { token: ask.token? },
            _ => return None,
        })
    }

    /// How often a refresh token came that was used before.
    pub fn reuses(&self) -> u64 {
        self.reuses
    }

    /// How many sign-ins were right.
    pub fn sign_ins(&self) -> u64 {
        self.sign_ins
    }

    /// How many sign-ins were wrong: real services lock accounts by this count.
    pub fn wrong_sign_ins(&self) -> u64 {
        self.wrong_sign_ins
    }

    /// Which access tokens were signed out.
    pub fn signed_out(&self) -> &[String] {
        &self.signed_out
    }

    /// A grant as an interactive sign-in brings it: what it holds, and the grant itself.
    pub fn grant(&mut self, user: &str, lives: Lives, now: Now) -> Result<Granted, ServiceError> {
        let answer = self.issue(ToyMethod::SignIn, user, lives);
        let grant = answer.grant(now)?;
        Ok(Granted { facts: self.facts(&answer), grant })
    }

    /// Carries a request out, with this outcome. Says what the session gets, and what that means.
    pub fn answer(&mut self, asked: &Asked, outcome: ScriptedReply) -> Answered {
        let lost = |kind| Answered {
            delivery: Err(TransportError::new(kind)),
            said: match kind {
                TransportErrorKind::NotSent => Said::NotSent,
                TransportErrorKind::TooLarge => Said::TooLarge,
                _ => Said::Unheard,
            },
        };
        match outcome {
            ScriptedReply::Works(lives) => self.work(asked, lives),
            ScriptedReply::Continues => self.begin(asked),
            ScriptedReply::NotSent => lost(TransportErrorKind::NotSent),
            ScriptedReply::LostBefore => lost(TransportErrorKind::MaybeSent),
            ScriptedReply::LostAfter | ScriptedReply::TimedOut | ScriptedReply::TooLarge => {
                self.work(asked, Lives::HOUR);
                lost(match outcome {
                    ScriptedReply::TimedOut => TransportErrorKind::TimedOut,
                    ScriptedReply::TooLarge => TransportErrorKind::TooLarge,
                    _ => TransportErrorKind::MaybeSent,
                })
            }
            ScriptedReply::ServerError => Answered::status(StatusCode::INTERNAL_SERVER_ERROR, After::Absent),
            ScriptedReply::RateLimited(after) => Answered::status(StatusCode::TOO_MANY_REQUESTS, after),
            ScriptedReply::Unavailable(after) => Answered::status(StatusCode::SERVICE_UNAVAILABLE, after),
            ScriptedReply::Missing => Answered::status(StatusCode::NOT_FOUND, After::Absent),
            ScriptedReply::MissingPage => Answered::page(StatusCode::NOT_FOUND),
            ScriptedReply::BadRequest => Answered::status(StatusCode::BAD_REQUEST, After::Absent),
            ScriptedReply::Precondition => Answered::status(StatusCode::PRECONDITION_FAILED, After::Absent),
            ScriptedReply::Refuses => Answered::status(StatusCode::UNAUTHORIZED, After::Absent),
            ScriptedReply::WebPage => {
                self.work(asked, Lives::HOUR);
                Answered::page(StatusCode::OK)
            }
            ScriptedReply::Unusable if matches!(asked, Asked::Refresh { .. }) => self.work_badly(asked),
            ScriptedReply::Torn | ScriptedReply::NoToken | ScriptedReply::Unusable => {
                self.work(asked, Lives::HOUR);
                let body = match outcome {
                    ScriptedReply::Torn => format!("{{\"access\":\"{CANARY}"),
                    _ => "{\"access\":\"\"}".into(),
                };
                Answered { delivery: Ok(http::Response::new(Body::from(body.into_bytes()))), said: Said::Odd }
            }
        }
    }

    /// Checks what a request shows, and spends it. `None`: refused.
    fn admit(&mut self, asked: &Asked) -> Option<Pending> {
        match asked {
            Asked::Refresh { token } => {
                if !self.spent.insert(token.clone()) {
                    // Used twice: somebody stole it. Real services end every session of the user.
                    self.reuses += 1;
                    let owner = self.owner(token);
                    owner.map(|user| self.refresh_tokens.remove(&user));
                    return None;
                }
                let user = self.owner(token).filter(|user| self.refresh_tokens.get(user) == Some(token))?;
                Some(Pending { method: ToyMethod::Refresh, user })
            }
            Asked::AwsRefresh { token } => {
                Some(Pending { method: ToyMethod::AwsRefresh, user: self.access_tokens.get(token)?.clone() })
            }
            Asked::SignIn { user, password } => {
                if *password != password_of(user) {
                    self.wrong_sign_ins += 1;
                    return None;
                }
                self.sign_ins += 1;
                Some(Pending { method: ToyMethod::SignIn, user: user.clone() })
            }
            Asked::Ticket { ticket } => self.tickets.remove(ticket),
            Asked::SignOut { .. } => None,
        }
    }

    /// Whose refresh token this is or was: it belongs to the grant whose access token has its number.
    fn owner(&self, token: &str) -> Option<String> {
        let access = token.replace("-refresh-", "-access-");
        self.access_tokens.get(&access).cloned()
    }

    fn work(&mut self, asked: &Asked, lives: Lives) -> Answered {
        if let Asked::SignOut { token } = asked {
            self.signed_out.push(token.clone());
            return Answered { delivery: Ok(http::Response::new(Body::from(b"{}".to_vec()))), said: Said::SignedOut };
        }
        let Some(Pending { method, user }) = self.admit(asked) else {
            return Answered::status(StatusCode::UNAUTHORIZED, After::Absent);
        };
        let answer = self.issue(method, &user, lives);
        Answered { said: Said::Granted(self.facts(&answer)), delivery: Ok(json(&answer)) }
    }

    /// Rotates the refresh token, and gives an access token that no header can carry.
    fn work_badly(&mut self, asked: &Asked) -> Answered {
        let Some(Pending { method, user }) = self.admit(asked) else {
            return Answered::status(StatusCode::UNAUTHORIZED, After::Absent);
        };
        let mut answer = self.issue(method, &user, Lives::HOUR);
        answer.access = answer.access.map(|token| format!("{token}\n"));
        Answered { said: Said::Unusable { serial: self.issued }, delivery: Ok(json(&answer)) }
    }

    fn begin(&mut self, asked: &Asked) -> Answered {
        if matches!(asked, Asked::SignOut { .. }) {
            return self.work(asked, Lives::HOUR);
        }
        let Some(pending) = self.admit(asked) else {
            return Answered::status(StatusCode::UNAUTHORIZED, After::Absent);
        };
        self.issued += 1;
        let ticket = format!("{CANARY}-ticket-{}", self.issued);
        self.tickets.insert(ticket.clone(), pending);
        let answer = Answer { ticket: Some(ticket), ..Answer::default() };
        Answered { delivery: Ok(json(&answer)), said: Said::Continues }
    }

    fn issue(&mut self, method: ToyMethod, user: &str, lives: Lives) -> Answer {
        self.issued += 1;
        let token = |kind: &str| format!("{CANARY}-{kind}-{}", self.issued);
        let mut answer = Answer::default();
        if method != ToyMethod::AwsRefresh {
            answer.access = Some(token("access"));
            answer.access_ms = lives.access.millis();
            answer.refresh = Some(token("refresh"));
            self.access_tokens.insert(token("access"), user.into());
            self.refresh_tokens.insert(user.into(), token("refresh"));
        }
        if method == ToyMethod::SignIn {
            answer.user = Some(user.into());
        }
        if method != ToyMethod::Refresh
            && let Some(life) = lives.aws
        {
            answer.aws = Some(["key", "secret", "session"].map(token));
            answer.aws_ms = life.millis();
        }
        answer
    }

    fn facts(&self, answer: &Answer) -> Facts {
        Facts {
            serial: self.issued,
            user: answer.user.clone(),
            access: answer.access.is_some(),
            access_ms: answer.access_ms,
            refresh: answer.refresh.is_some(),
            aws: answer.aws.is_some(),
            aws_ms: answer.aws_ms,
        }
    }
}

/// A grant, and what it holds.
#[derive(Clone, Debug)]
pub struct Granted {
    /// What it holds.
    pub facts: Facts,
    /// The grant.
    pub grant: Grant,
}

/// What a request came to.
#[derive(Clone, Debug)]
pub struct Answered {
    /// What the session gets.
    pub delivery: Delivery,
    /// What that means.
    pub said: Said,
}

impl Answered {
    fn status(status: StatusCode, after: After) -> Self {
        let mut response = http::Response::new(Body::empty());
        *response.status_mut() = status;
        if let Some(value) = after.header().and_then(|text| text.parse().ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        let named = match after {
            After::Seconds(seconds) => Some(Duration::from_secs(seconds.into()).min(QUIET_AT_MOST)),
            After::Huge => Some(QUIET_AT_MOST),
            After::Absent | After::Negative => None,
        };
        let said = match (status.as_u16(), named) {
            (401, _) => Said::Refused,
            (404, _) => Said::Missing,
            (429, named) => Said::TooMany { quiet: named.unwrap_or(QUIET_UNNAMED) },
            (503, Some(named)) => Said::Down { quiet: named },
            (500.., _) => Said::Failed,
            _ => Said::Odd,
        };
        Self { delivery: Ok(response), said }
    }

    /// A web page where an answer was asked for.
    fn page(status: StatusCode) -> Self {
        let mut response = http::Response::new(Body::from(format!("<html>{CANARY}</html>").into_bytes()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        Self { delivery: Ok(response), said: Said::Odd }
    }

    /// The failure of the transport, if it is one.
    pub fn error(&self) -> Option<Error> {
        self.delivery.as_ref().err().cloned().map(Error::from)
    }
}

fn json(answer: &Answer) -> Response {
    // Strings and numbers: this cannot fail.
    http::Response::new(Body::from(serde_json::to_vec(answer).unwrap_or_default()))
}
