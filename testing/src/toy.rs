//! A small provider: enough of a service to meet every rule of a session.

use std::fmt;
use std::time::Duration;

use arbitrary::Arbitrary;
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};

use perennial_core::credentials::masked;
use perennial_core::wire::{failure, json_request, parse_json, read_login, write_login};
use perennial_core::{
    AccessToken, Account, AwsCredentials, Consumes, Credentials, Error, Exchange, Grant, LeaseId, Now, Provider,
    Request, Response, Secret, ServiceError, ServiceErrorKind, Step, Validity,
};

/// Stands in every secret of the toy, so that a leak is found by looking for it.
pub const CANARY: &str = "CANARY";

/// What a kept login calls itself.
const KIND: &str = "toy-password";

/// The provider: a refresh token that works once, AWS credentials renewed with a live access token, and a login
/// that brings both.
#[derive(Clone, Copy, Debug, Default)]
pub struct Toy;

/// A user and a password.
#[derive(Clone)]
pub struct ToyLogin {
    user: String,
    password: Secret,
}

/// The toy's ways to renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Arbitrary)]
pub enum ToyMethod {
    /// With the refresh token, which works once.
    Refresh,
    /// New AWS credentials with a live access token.
    AwsRefresh,
    /// With the login: brings everything.
    SignIn,
}

/// One conversation with the toy's service: one request, or as many as the service asks for.
#[derive(Debug)]
pub struct ToyExchange {
    kind: Kind,
    first: Option<Request>,
    sent: Now,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Renew(ToyMethod),
    SignOut,
}

/// The body of a request.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Ask {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) token: Option<String>,
    pub(super) ticket: Option<String>,
}

/// The body of an answer of the toy service. Lifetimes are in milliseconds; zero has already passed, absent is unknown.
#[derive(Default, Serialize, Deserialize)]
pub struct Answer {
    /// What the second request of a sign-in shows.
    pub ticket: Option<String>,
    /// The access token.
    pub access: Option<String>,
    /// How long it lives.
    pub access_ms: Option<u64>,
    /// The refresh token.
    pub refresh: Option<String>,
    /// The AWS set: access key id, secret access key, session token.
    pub aws: Option<[String; 3]>,
    /// How long it lives.
    pub aws_ms: Option<u64>,
    /// Whose they are.
    pub user: Option<String>,
}

impl ToyLogin {
    /// A login.
    pub fn new(user: &str, password: &str) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password.
    pub fn password(&self) -> &Secret {
        &self.password
    }
}

impl fmt::Debug for ToyLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToyLogin({})", masked(&self.user))
    }
}

impl ToyMethod {
    /// All of them.
    pub const ALL: [ToyMethod; 3] = [ToyMethod::Refresh, ToyMethod::AwsRefresh, ToyMethod::SignIn];

    /// Its name in events.
    pub const fn name(self) -> &'static str {
        match self {
            ToyMethod::Refresh => "refresh",
            ToyMethod::AwsRefresh => "aws-refresh",
            ToyMethod::SignIn => "sign-in",
        }
    }

    fn uri(self) -> Uri {
        Uri::from_static(match self {
            ToyMethod::Refresh => "https://toy.example/refresh",
            ToyMethod::AwsRefresh => "https://toy.example/aws-refresh",
            ToyMethod::SignIn => "https://toy.example/sign-in",
        })
    }
}

impl Provider for Toy {
    type Login = ToyLogin;
    type Method = ToyMethod;
    type Exchange = ToyExchange;

    fn name(&self) -> &'static str {
        "toy"
    }

    fn namespace(&self) -> String {
        "https://toy.example".into()
    }

    fn account_id<'a>(&self, login: &'a ToyLogin) -> Option<&'a str> {
        Some(&login.user)
    }

    fn methods(&self, lease_id: LeaseId) -> &'static [ToyMethod] {
        match lease_id {
            LeaseId::Access => &[ToyMethod::Refresh, ToyMethod::SignIn],
            LeaseId::Aws => &[ToyMethod::AwsRefresh, ToyMethod::SignIn],
        }
    }

    fn consumes(&self, method: ToyMethod) -> Consumes {
        match method {
            ToyMethod::Refresh => Consumes::RefreshToken,
            ToyMethod::AwsRefresh => Consumes::Nothing,
            ToyMethod::SignIn => Consumes::LoginAttempt,
        }
    }

    fn requires(&self, method: ToyMethod) -> Option<LeaseId> {
        (method == ToyMethod::AwsRefresh).then_some(LeaseId::Access)
    }

    fn method_name(&self, method: ToyMethod) -> &'static str {
        method.name()
    }

    fn begin(&self, method: ToyMethod, login: Option<&ToyLogin>, have: Option<&Credentials>) -> Option<ToyExchange> {
        let ask = match method {
            ToyMethod::Refresh => Ask { token: Some(have?.refresh_token()?.expose().into()), ..Ask::default() },
            ToyMethod::AwsRefresh => Ask { token: Some(have?.access().expose().into()), ..Ask::default() },
            ToyMethod::SignIn => Ask {
                user: Some(login?.user.clone()),
                password: Some(login?.password.expose().into()),
                ..Ask::default()
            },
        };
        Some(ToyExchange::new(Kind::Renew(method), method.uri(), &ask))
    }

    fn sign_out(&self, have: &Credentials) -> Option<ToyExchange> {
        let ask = Ask { token: Some(have.access().expose().into()), ..Ask::default() };
        let uri = Uri::from_static("https://toy.example/sign-out");
        Some(ToyExchange::new(Kind::SignOut, uri, &ask))
    }

    fn write_login(&self, login: &ToyLogin) -> Option<Secret> {
        Some(write_login(KIND, &[("user", &login.user), ("password", login.password.expose())]))
    }

    fn read_login(&self, text: &str) -> Option<ToyLogin> {
        let [user, password] = read_login(KIND, text, ["user", "password"])?;
        Some(ToyLogin::new(user.expose(), password.expose()))
    }
}

impl ToyExchange {
    fn new(kind: Kind, uri: Uri, ask: &Ask) -> Self {
        Self { kind, first: Some(json_request(uri, ask)), sent: Now::default() }
    }

    fn refused(&self) -> ServiceErrorKind {
        match self.kind {
            Kind::Renew(ToyMethod::SignIn) => ServiceErrorKind::InvalidCredentials,
            Kind::Renew(_) | Kind::SignOut => ServiceErrorKind::RefreshRefused,
        }
    }
}

impl Exchange for ToyExchange {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        self.sent = now;
        // It starts once; an empty request is what a second start would deserve.
        self.first.take().unwrap_or_else(|| Request::new(http::Request::default()))
    }

    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        let status = response.status();
        if let Some(error) = failure(&response, now) {
            return Err(error.into());
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(ServiceError::new(self.refused()).with_status(status).into());
        }
        let answer: Answer = parse_json(response.body().as_ref())?;
        match (self.kind, &answer.ticket) {
            (Kind::Renew(method), Some(ticket)) => {
                self.sent = now;
                let ask = Ask { ticket: Some(ticket.clone()), ..Ask::default() };
                Ok(Step::Send(json_request(method.uri(), &ask)))
            }
            _ => Ok(Step::Done(answer.grant(self.sent)?)),
        }
    }
}

impl Answer {
    /// What it grants, if it was asked for at `sent`.
    pub fn grant(&self, sent: Now) -> Result<Grant, ServiceError> {
        let invalid = |_| ServiceError::malformed("a token that a header cannot carry");
        let validity = |ms: Option<u64>| match ms {
            Some(ms) => Validity::with_lifetime(sent, Duration::from_millis(ms)),
            None => Validity::unknown(sent),
        };
        let access = self.access.as_deref().map(|token| AccessToken::new("Bearer", token, validity(self.access_ms)));
        // Beside an access token that cannot be used, a refresh token is kept.
        let (access, flaw) = match access.transpose().map_err(invalid) {
            Ok(access) => (access, None),
            Err(flaw) if self.refresh.is_some() => (None, Some(flaw)),
            Err(flaw) => return Err(flaw),
        };
        Ok(Grant {
            access,
            flaw,
            refresh_token: self.refresh.as_deref().map(Secret::from),
            aws: self
                .aws
                .as_ref()
                .map(|[key, secret, session]| AwsCredentials::new(key, secret, session, validity(self.aws_ms)))
                .transpose()
                .map_err(invalid)?,
            account: self.user.clone().map(Account::new),
            ..Grant::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_login_reads_back_the_same() {
        let login = ToyLogin::new("ada", "CANARY \"%");
        let text = Toy.write_login(&login).unwrap();
        let read = Toy.read_login(text.expose()).unwrap();
        assert_eq!((read.user(), read.password().expose()), ("ada", "CANARY \"%"));
        assert!(!format!("{login:?} {read:?} {text:?}").contains(CANARY));
    }
}
