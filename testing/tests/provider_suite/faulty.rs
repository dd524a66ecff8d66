//! A provider that has one fault, and the service that it is for.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use perennial_core::wire::{self, Body};
use perennial_core::{
    AccessToken, Account, Call, Consumes, Credentials, Error, Exchange, Grant, ImportError, Judgement, LeaseId, Now,
    Provider, Request, Response, SavedSession, Secret, ServiceError, ServiceErrorKind, Step, TransportError, Validity,
};
use perennial_testing::conformance::provider::ProviderUnderTest;
use serde_json::{Value, json};

/// What is wrong with a provider.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    NamesTwoMethodsAlike,
    SignsInFirst,
    UnwrapsTheLogin,
    SendsAnEmptyToken,
    SaysThatRefreshingIsFree,
    SaysThatSigningInIsFree,
    SaysThatNothingWasShown,
    SpeaksHttp,
    PutsTheTokenIntoTheQuery,
    MarksNoHeader,
    TakesOutagesForRefusals,
    LosesThePassword,
    ReadsAnyLogin,
    NamesAnotherAccount,
    LosesTheRefreshToken,
    ReadsAnySession,
    ShowsThePassword,
    QuotesTheService,
    TakesWhatItFinds,
    GrantsWithoutATokenInIt,
    IgnoresTheStatus,
    TakesEveryFailureForARefusal,
    DoesNotHearRetryAfter,
    DropsTheRefreshToken,
    UnwrapsTheAnswer,
    NeedsTheLoginToRefresh,
    ExpiresAtOnce,
    NeverRevokes,
    ForgetsItsFormat,
}
use Fault::*;

#[derive(Clone, Debug)]
pub(crate) struct Weather(pub(crate) Option<Fault>);

#[derive(Clone)]
pub(crate) struct Login {
    user: String,
    password: Secret,
    shown: bool,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.shown { write!(f, "Login({})", self.password.expose()) } else { f.write_str("Login(***)") }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Method {
    Refresh,
    SignIn,
}

impl Weather {
    fn has(&self, fault: Fault) -> bool {
        self.0 == Some(fault)
    }

    fn ask(&self, way: Way, secret: &str) -> Conversation {
        Conversation { provider: self.clone(), way, secret: secret.into(), sent: Now::default() }
    }
}

impl Provider for Weather {
    type Login = Login;
    type Method = Method;
    type Exchange = Conversation;

    fn name(&self) -> &'static str {
        "weather"
    }

    fn namespace(&self) -> String {
        "https://weather.example".into()
    }

    fn account_id<'a>(&self, login: &'a Login) -> Option<&'a str> {
        Some(&login.user)
    }

    fn methods(&self, lease_id: LeaseId) -> &'static [Method] {
        match lease_id {
            LeaseId::Access if self.has(SignsInFirst) => &[Method::SignIn, Method::Refresh],
            LeaseId::Access => &[Method::Refresh, Method::SignIn],
            LeaseId::Aws => &[],
        }
    }

    fn consumes(&self, method: Method) -> Consumes {
        match method {
            Method::Refresh if self.has(SaysThatRefreshingIsFree) => Consumes::Nothing,
            Method::SignIn if self.has(SaysThatSigningInIsFree) => Consumes::Nothing,
            Method::Refresh => Consumes::RefreshToken,
            Method::SignIn => Consumes::LoginAttempt,
        }
    }

    fn method_name(&self, method: Method) -> &'static str {
        match method {
            Method::Refresh if !self.has(NamesTwoMethodsAlike) => "refresh",
            _ => "sign-in",
        }
    }

    fn begin(&self, method: Method, login: Option<&Login>, have: Option<&Credentials>) -> Option<Conversation> {
        match method {
            Method::SignIn if self.has(UnwrapsTheLogin) => {
                Some(self.ask(Way::SignIn, login.unwrap().password.expose()))
            }
            Method::SignIn => Some(self.ask(Way::SignIn, login?.password.expose())),
            Method::Refresh => {
                if self.has(NeedsTheLoginToRefresh) {
                    login?;
                }
                let token = have.and_then(Credentials::refresh_token).map(Secret::expose);
                let token = if self.has(SendsAnEmptyToken) { token.unwrap_or_default() } else { token? };
                Some(self.ask(Way::Refresh, token))
            }
        }
    }

    fn sign_out(&self, have: &Credentials) -> Option<Conversation> {
        let way = if self.has(NeverRevokes) { Way::Missing } else { Way::SignOut };
        Some(self.ask(way, have.access().expose()))
    }

    fn judge(&self, _: &Call<'_>, status: StatusCode, _: &HeaderMap) -> Judgement {
        let is_refused =
            status == StatusCode::UNAUTHORIZED || self.has(TakesOutagesForRefusals) && !status.is_success();
        if is_refused { Judgement::Rejected } else { Judgement::Accepted }
    }

    fn authorize(&self, _: &Call<'_>, credentials: &Credentials, headers: &mut HeaderMap) {
        let mut value = credentials.bearer().clone();
        value.set_sensitive(!self.has(MarksNoHeader));
        headers.insert(header::AUTHORIZATION, value);
    }

    fn write_login(&self, login: &Login) -> Option<Secret> {
        let password = if self.has(LosesThePassword) { "" } else { login.password.expose() };
        Some(wire::write_login("weather", &[("user", &login.user), ("password", password)]))
    }

    fn read_login(&self, text: &str) -> Option<Login> {
        if self.has(ReadsAnyLogin) {
            return Some(login(None));
        }
        let [user, password] = wire::read_login("weather", text, ["user", "password"])?;
        Some(Login { user: user.expose().into(), password, shown: false })
    }

    fn read_saved_session(&self, saved: &[u8], now: Now) -> Result<SavedSession, ImportError> {
        let empty = || {
            let access = AccessToken::new("Bearer", "none", Validity::unknown(now)).unwrap();
            let grant = Grant { access: Some(access), ..Grant::default() };
            SavedSession::new(self.name(), self.namespace(), Credentials::from_grant(grant, None).unwrap())
        };
        let read = SavedSession::parse(saved, now);
        match self.0 {
            Some(ForgetsItsFormat) => Err(ImportError::OtherProvider),
            Some(ReadsAnySession) => Ok(read.unwrap_or_else(|_| empty())),
            Some(LosesTheRefreshToken) => {
                let held = read?.into_credentials();
                let grant = Grant {
                    access: Some(held.access().clone()),
                    account: Some(held.account().clone()),
                    ..Grant::default()
                };
                Ok(SavedSession::new(self.name(), self.namespace(), Credentials::from_grant(grant, None).unwrap()))
            }
            _ => read,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    SignIn,
    Refresh,
    SignOut,
    Missing,
}

pub(crate) struct Conversation {
    provider: Weather,
    way: Way,
    secret: Secret,
    sent: Now,
}

impl Exchange for Conversation {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        self.sent = now;
        let base = if self.provider.has(SpeaksHttp) { "http://weather.example" } else { "https://weather.example" };
        let query = if self.provider.has(PutsTheTokenIntoTheQuery) {
            format!("?t={}", self.secret.expose())
        } else {
            String::new()
        };
        let path = match self.way {
            Way::SignIn => "/sign-in",
            Way::Refresh => "/refresh",
            Way::SignOut => "/sign-out",
            Way::Missing => "/missing",
        };
        wire::json_request(format!("{base}{path}{query}").parse().unwrap(), &json!({ "secret": self.secret.expose() }))
    }

    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        let has = |fault| self.provider.has(fault);
        let (status, body) = (response.status(), response.body().as_ref());
        if has(UnwrapsTheAnswer) && status.is_success() {
            let read: Value = serde_json::from_slice(body).unwrap();
            assert!(read.is_object());
        }
        let refused = || {
            Err(ServiceError::new(match self.way {
                Way::SignIn => ServiceErrorKind::InvalidCredentials,
                _ => ServiceErrorKind::RefreshRefused,
            })
            .with_status(status)
            .into())
        };
        if has(TakesEveryFailureForARefusal) && !status.is_success() {
            return refused();
        }
        if has(DoesNotHearRetryAfter) && !status.is_success() {
            return Err(ServiceError::new(ServiceErrorKind::Service).with_status(status).into());
        }
        if has(QuotesTheService) && !status.is_success() {
            return Err(TransportError::maybe_sent(String::from_utf8_lossy(body)).into());
        }
        if !has(IgnoresTheStatus) {
            if let Some(error) = wire::failure(&response, now) {
                return Err(error.into());
            }
            if status == 401 {
                return refused();
            }
            if !status.is_success() {
                return Err(ServiceError::new(ServiceErrorKind::Service).with_status(status).into());
            }
        }
        if self.way == Way::SignOut {
            return Ok(Step::Done(Grant::default()));
        }
        let malformed = || ServiceError::malformed("another answer");
        let json: Option<Value> = serde_json::from_slice(body).ok();
        let text = |name: &str| json.as_ref().and_then(|json| json[name].as_str()).map(str::to_owned);
        let loose = |name: &str| {
            let text = String::from_utf8_lossy(body).into_owned();
            let after = text.split_once(&format!("\"{name}\":\""))?.1.to_owned();
            Some(after.split('"').next().unwrap_or_default().to_owned()).filter(|token| !token.is_empty())
        };
        let access = if has(TakesWhatItFinds) { loose("access") } else { text("access") };
        if has(GrantsWithoutATokenInIt) && access.is_none() {
            return Ok(Step::Done(Grant::default()));
        }
        let life =
            if has(ExpiresAtOnce) { 0 } else { json.as_ref().and_then(|json| json["life"].as_u64()).unwrap_or(0) };
        let refresh = text("refresh").filter(|token| perennial_core::credentials::check_token(token).is_ok());
        let user = if has(NamesAnotherAccount) { "bob" } else { "ann@example.com" };
        let mut grant = Grant {
            refresh_token: refresh.as_deref().map(Secret::from),
            account: Some(Account::new(user)),
            ..Grant::default()
        };
        let validity = Validity::with_lifetime(self.sent, Duration::from_secs(life));
        match AccessToken::new("Bearer", access.as_deref().unwrap_or_default(), validity) {
            Ok(access) => grant.access = Some(access),
            Err(_) if refresh.is_none() || has(DropsTheRefreshToken) => return Err(malformed().into()),
            Err(_) => grant.flaw = Some(malformed()),
        }
        Ok(Step::Done(grant))
    }

    fn has_shown_login(&self) -> bool {
        !self.provider.has(SaysThatNothingWasShown)
    }
}

pub(crate) fn login(fault: Option<Fault>) -> Login {
    let shown = fault == Some(ShowsThePassword);
    Login { user: "ann@example.com".into(), password: "correct-horse".into(), shown }
}

/// The service rotates refresh tokens, and refuses one that comes twice.
pub(crate) fn under_test(fault: Option<Fault>) -> ProviderUnderTest<Weather> {
    let (mut issued, mut live) = (0, BTreeSet::new());
    let service = move |request: &Request, _: Now| {
        let asked: Value = serde_json::from_slice(request.http.body().as_ref()).unwrap();
        let secret = asked["secret"].as_str().unwrap();
        let known = match request.http.uri().path() {
            "/sign-in" => secret == "correct-horse",
            "/refresh" => live.remove(secret),
            "/sign-out" => return answer(200, &json!({})),
            _ => return answer(404, &json!({})),
        };
        if !known {
            return answer(401, &json!({}));
        }
        issued += 1;
        live.insert(format!("refresh-{issued}"));
        answer(
            200,
            &json!({ "access": format!("access-{issued}"), "life": 3600, "refresh": format!("refresh-{issued}") }),
        )
    };
    ProviderUnderTest::new(Weather(fault), login(fault), service).secrets(["correct-horse"])
}

fn answer(status: u16, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string().into_bytes()));
    *response.status_mut() = status.try_into().unwrap();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
