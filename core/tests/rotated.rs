//! A rotated refresh token is never lost, whatever the rest of the answer is. The servers here are strict: a token that
//! is sent twice ends the session.
#![cfg(all(feature = "mosaia", feature = "navien", feature = "oauth2", feature = "settrade"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;
use std::time::Duration;

use perennial_core::oauth2::Profile;
use perennial_core::providers::{mosaia, navien, oauth2, settrade};
use perennial_core::store::{StoreCommand, StoreReply};
use perennial_core::wire::{Body, form_decode};
use perennial_core::{
    AccessToken, Account, AwsCredentials, Credentials, Error, Event, Exchange, Grant, Input, LeaseId, Now, Output,
    Policy, Provider, Request, Response, SavedSession, Secret, ServiceErrorKind, Session, SessionError, SignOut, State,
    Step, Timestamp, Validity,
};
use serde_json::{Value, json};

const USER: &str = "grower@example.com";

/// A valid private key of P-256.
const APP_SECRET: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn field(request: &Request, name: &str) -> Option<String> {
    let body = std::str::from_utf8(request.http.body().as_ref()).unwrap();
    form_decode(body).flatten().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// Access tokens that cannot be used, as JSON.
const UNUSABLE: [&str; 6] = [r#""""#, r#"" ""#, "null", r#""a\u0000b""#, r#""a\r\nb""#, "7"];

fn oauth2() -> oauth2::OAuth2 {
    oauth2::OAuth2::new(Profile::new("https://auth.example/token", "app").unwrap())
}

fn mosaia() -> mosaia::Mosaia {
    mosaia::Mosaia::builder().client_id("my-app").build().unwrap()
}

fn settrade() -> settrade::Settrade {
    settrade::Settrade::new("098", "ALGO").unwrap()
}

/// A session, its store, and a server that remembers which refresh tokens it has seen.
struct Desk<P: Provider> {
    session: Session<P>,
    now: Now,
    record: Option<Body>,
    spent: BTreeSet<String>,
    errors: Vec<Error>,
}

impl<P: Provider> Desk<P> {
    fn new(provider: P, login: Option<P::Login>) -> Self {
        let now = Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(1000));
        let session = Session::new(provider, login, Policy::default(), 7).with_store();
        Self { session, now, record: None, spent: BTreeSet::new(), errors: Vec::new() }
    }

    /// A session that signed in with tokens number 1, valid for an hour.
    fn signed_in(provider: P, login: Option<P::Login>, grant_type: Option<&'static str>) -> Self {
        let mut desk = Self::new(provider, login);
        let validity = Validity::with_lifetime(desk.now, Duration::from_secs(3600));
        let grant = Grant {
            access: Some(AccessToken::new("Bearer", "at-1", validity).unwrap()),
            refresh_token: Some("rt-1".into()),
            account: Some(Account::new(USER)),
            grant_type,
            ..Grant::default()
        };
        desk.session.install_grant(grant, desk.now).unwrap();
        assert!(desk.request().is_none());
        desk
    }

    fn pass(&mut self, seconds: u64) {
        let by = Duration::from_secs(seconds);
        self.now = Now::new(self.now.wall.saturating_add(by), self.now.monotonic + by);
        self.session.handle_input(Input::Wake, self.now);
    }

    /// The request that the session sends now, if it sends one. The store always works.
    fn request(&mut self) -> Option<Request> {
        loop {
            match self.session.poll_output() {
                Output::Send(request) => return Some(request),
                Output::Sleep(_) => return None,
                Output::Store(op) => {
                    let stored = match op.command {
                        StoreCommand::Read => StoreReply::Read(self.record.clone()),
                        StoreCommand::Lock { .. } => {
                            StoreReply::Locked { record: self.record.clone(), remaining: None }
                        }
                        StoreCommand::Write { record, .. } | StoreCommand::Clear { record, .. } => {
                            self.record = Some(record);
                            StoreReply::Done
                        }
                        StoreCommand::Quarantine { .. } | StoreCommand::Retire { .. } => {
                            panic!("the record cannot be read")
                        }
                        StoreCommand::Unlock { .. } => StoreReply::Done,
                    };
                    self.session.handle_input(Input::Store(op.id, Ok(stored)), self.now);
                }
                Output::Event(Event::Failed { error, .. } | Event::Fallback { error, .. }) => self.errors.push(error),
                Output::Event(_) | Output::Cancel(_) => {}
            }
        }
    }

    #[allow(clippy::needless_pass_by_value, reason = "texts and JSON alike")]
    fn answer(&mut self, request: &Request, status: u16, body: impl ToString) {
        let mut response = Response::new(body.to_string().into_bytes().into());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        self.session.handle_input(Input::Response(request.id, response), self.now);
    }

    /// Answers the request with this refresh token.
    fn refreshes(&mut self, token: &str, body: impl ToString) {
        let request = self.request().unwrap_or_else(|| panic!("{token} is not shown"));
        let text = String::from_utf8(request.http.body().as_ref().to_vec()).unwrap();
        assert!(text.contains(token), "{request:?} does not show {token}");
        assert!(self.spent.insert(token.to_owned()), "{token} is shown twice: the server ends the session");
        self.answer(&request, 200, body);
    }

    fn held(&self) -> &Credentials {
        self.session.held().unwrap()
    }

    fn refresh_token(&self) -> &str {
        self.held().refresh_token().unwrap().expose()
    }

    fn last_error(&self) -> &Error {
        self.errors.last().expect("an attempt that is told as failed")
    }
}

/// A session refreshes within its margin and gets a new refresh token beside an unusable access token. The next refresh
/// succeeds.
fn is_kept<P: Provider>(provider: &P, grant_type: Option<&'static str>, unusable: &Value, good: &Value) {
    let mut desk = Desk::signed_in(provider.clone(), None, grant_type);
    desk.pass(3400);
    desk.refreshes("rt-1", unusable);
    assert!(desk.request().is_none(), "not at once");
    assert_eq!((desk.held().access().expose(), desk.refresh_token()), ("at-1", "rt-2"), "{unusable}");
    // The attempt failed because of the access token, and may succeed later.
    let Error::Service(error) = desk.last_error() else { panic!("{:?}", desk.errors) };
    assert!(matches!(error.kind(), ServiceErrorKind::Malformed { .. }), "{error}");
    assert_eq!(error.status(), Some(http::StatusCode::OK));
    assert!(desk.session.credentials(LeaseId::Access, desk.now).is_some(), "what is valid serves on");

    // Another process finds the new token in the store and refreshes with it.
    let record = desk.record.clone().expect("it is saved");
    let mut other = Desk { record: Some(record), ..Desk::new(provider.clone(), None) };
    other.now = desk.now;
    other.session.demand(LeaseId::Access, other.now);
    other.refreshes("rt-2", good);

    desk.pass(100);
    desk.refreshes("rt-2", good);
    assert!(desk.request().is_none());
    assert_eq!((desk.held().access().expose(), desk.refresh_token()), ("at-3", "rt-3"));
    assert_eq!(desk.held().grant_type(), grant_type);
}

fn is_kept_by_oauth2(provider: &impl Provider, grant_type: Option<&'static str>) {
    let good = json!({"access_token": "at-3", "refresh_token": "rt-3", "expires_in": 3600});
    for token in UNUSABLE {
        let unusable: Value = serde_json::from_str(token).unwrap();
        is_kept(provider, grant_type, &json!({"access_token": unusable, "refresh_token": "rt-2"}), &good);
    }
    is_kept(provider, grant_type, &json!({"refresh_token": "rt-2"}), &good);
    let mac = json!({"access_token": "at-2", "token_type": "mac", "refresh_token": "rt-2"});
    is_kept(provider, grant_type, &mac, &good);
}

#[test]
fn oauth2_keeps_a_rotated_refresh_token_beside_an_unusable_access_token() {
    is_kept_by_oauth2(&oauth2(), Some("authorization_code"));
    let odd_type = json!({"access_token": "at-2", "token_type": ["Bearer"], "refresh_token": "rt-2"});
    let good = json!({"access_token": "at-3", "refresh_token": "rt-3", "id_token": "a\nb"});
    is_kept(&oauth2(), None, &odd_type, &good);
}

#[test]
fn mosaia_keeps_a_rotated_refresh_token_beside_an_unusable_access_token() {
    is_kept_by_oauth2(&mosaia(), Some("oauth"));
    let data = |tokens: Value| json!({"data": tokens});
    let good = data(json!({"access_token": "at-3", "refresh_token": "rt-3"}));
    for token in UNUSABLE {
        let unusable: Value = serde_json::from_str(token).unwrap();
        let answer = data(json!({"access_token": unusable, "refresh_token": "rt-2"}));
        is_kept(&mosaia(), Some("password"), &answer, &good);
    }
    is_kept(&mosaia(), Some("client"), &data(json!({"refresh_token": "rt-2"})), &good);
    let mac = data(json!({"access_token": "at-2", "token_type": "mac", "refresh_token": "rt-2"}));
    is_kept(&mosaia(), Some("password"), &mac, &good);
}

#[test]
fn navien_keeps_a_rotated_refresh_token_beside_an_unusable_access_token() {
    let data = |tokens: Value| json!({"code": 200, "msg": "SUCCESS", "data": tokens});
    let good = data(json!({"accessToken": "at-3", "refreshToken": "rt-3"}));
    for token in UNUSABLE {
        let unusable: Value = serde_json::from_str(token).unwrap();
        let answer = data(json!({"accessToken": unusable, "refreshToken": "rt-2"}));
        is_kept(&navien::Navien::default(), None, &answer, &good);
    }
    let odd_id = data(json!({"accessToken": "at-3", "refreshToken": "rt-3", "idToken": "a\nb"}));
    is_kept(&navien::Navien::default(), None, &data(json!({"refreshToken": "rt-2"})), &odd_id);
}

#[test]
fn settrade_keeps_a_rotated_refresh_token_beside_an_unusable_access_token() {
    let good = json!({"access_token": "at-3", "refresh_token": "rt-3", "token_type": "Bearer"});
    for token in UNUSABLE {
        let unusable: Value = serde_json::from_str(token).unwrap();
        is_kept(&settrade(), None, &json!({"access_token": unusable, "refresh_token": "rt-2"}), &good);
    }
    is_kept(&settrade(), None, &json!({"refresh_token": "rt-2"}), &good);
    let mac = json!({"access_token": "at-2", "token_type": "mac", "refresh_token": "rt-2"});
    is_kept(&settrade(), None, &mac, &good);
}

// ---- Without valid credentials, and other methods.

#[test]
fn a_session_without_a_login_goes_on_with_a_rotated_refresh_token_after_everything_expired() {
    let mut desk = Desk::signed_in(oauth2(), None, None);
    desk.pass(4000);
    desk.session.demand(LeaseId::Access, desk.now);
    for turn in 1..6 {
        desk.refreshes(&format!("rt-{turn}"), json!({"refresh_token": format!("rt-{}", turn + 1)}));
        assert!(desk.request().is_none(), "{:?}", desk.errors);
        assert_eq!(desk.session.state(), State::Waiting);
        desk.pass(600);
        desk.session.demand(LeaseId::Access, desk.now);
    }
    desk.refreshes("rt-6", json!({"access_token": "at-7"}));
    assert!(desk.request().is_none());
    assert_eq!(desk.session.credentials(LeaseId::Access, desk.now).unwrap().access().expose(), "at-7");
}

#[test]
fn a_login_is_used_where_refreshes_keep_bringing_no_access_token() {
    let mut desk = Desk::signed_in(settrade(), Some(settrade::Login::new(USER, APP_SECRET).unwrap()), None);
    desk.pass(3400);
    desk.refreshes("rt-1", json!({"refresh_token": "rt-2"}));
    assert!(desk.request().is_none());
    desk.pass(100);
    desk.refreshes("rt-2", json!({"refresh_token": "rt-3"}));
    let request = desk.request().expect("a sign-in");
    assert!(request.http.uri().path().ends_with("/login"));
    desk.answer(&request, 200, json!({"access_token": "at-4", "refresh_token": "rt-4"}));
    assert!(desk.request().is_none());
    assert_eq!((desk.held().access().expose(), desk.refresh_token()), ("at-4", "rt-4"));
}

#[test]
fn a_password_that_brings_no_access_token_is_not_sent_again_and_again() {
    let login = oauth2::Login::legacy_password(USER, "hunter2").unwrap();
    let mut desk = Desk::new(oauth2(), Some(login));
    let mut shown = 0;
    for _ in 0..360 {
        desk.session.demand(LeaseId::Access, desk.now);
        if let Some(request) = desk.request() {
            shown += 1;
            desk.answer(&request, 200, json!({"access_token": "", "refresh_token": "rt-1"}));
            desk.request();
        }
        desk.pass(10);
    }
    assert_eq!(shown, 3, "in an hour");
    let obstacle = desk.session.obstacle(LeaseId::Access);
    assert!(matches!(obstacle, Some(Error::Session(SessionError::SignInRequired { .. }))), "{obstacle:?}");
}

#[test]
fn a_rotated_refresh_token_is_revoked_where_somebody_signed_out_meanwhile() {
    let revoking = Profile::new("https://auth.example/token", "app").unwrap();
    let revoking = revoking.with_revocation_endpoint("https://auth.example/revoke").unwrap();
    let mut desk = Desk::signed_in(oauth2::OAuth2::new(revoking), None, None);
    desk.pass(3400);
    let request = desk.request().expect("a refresh");
    desk.session.sign_out(SignOut::KeepLogin, desk.now);
    assert!(desk.request().is_none(), "the answer is waited for");
    desk.answer(&request, 200, json!({"access_token": "", "refresh_token": "rt-2"}));
    let mut revoked = BTreeSet::new();
    while let Some(request) = desk.request() {
        revoked.extend(field(&request, "token"));
        desk.answer(&request, 200, "");
    }
    assert_eq!(revoked, BTreeSet::from(["at-1".to_owned(), "rt-1".to_owned(), "rt-2".to_owned()]));
    assert_eq!(desk.session.state(), State::SignedOut);
}

// ---- Beside AWS credentials.

fn with_aws(user: &str) -> Desk<navien::Navien> {
    let mut desk = Desk::new(navien::Navien::default(), None);
    let validity = |seconds| Validity::with_lifetime(desk.now, Duration::from_secs(seconds));
    let grant = Grant {
        access: Some(AccessToken::new("Bearer", "at-1", validity(36_000)).unwrap()),
        refresh_token: Some("rt-1".into()),
        aws: Some(AwsCredentials::new("AKIA", "key", "st-1", validity(3600)).unwrap()),
        account: Some(Account::new(user)),
        ..Grant::default()
    };
    desk.session.install_grant(grant, desk.now).unwrap();
    assert!(desk.request().is_none());
    desk.pass(3400);
    desk
}

fn aws(session_token: &str) -> Value {
    json!({"accessKeyId": "AKIA", "secretKey": "k", "sessionToken": session_token, "authorizationExpiresIn": 3600})
}

fn beside(mut data: Value, more: &Value) -> Value {
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    data
}

fn flat(data: &Value) -> Value {
    json!({"code": 200, "msg": "SUCCESS", "data": data})
}

fn nested(token: &Value) -> Value {
    flat(&json!({"userInfo": {"userType": "O"}, "legal": [], "token": token}))
}

/// Renews the AWS credentials by `/auth/session/refresh` or, where that is rejected, by `/user/secured-sign-in`.
fn aws_renewal(desk: &mut Desk<navien::Navien>, secured: bool, data: &Value) {
    let request = desk.request().expect("a session refresh");
    assert_eq!(request.http.uri().path(), "/api/v2.1/auth/session/refresh");
    if !secured {
        return desk.answer(&request, 200, flat(data));
    }
    desk.answer(&request, 401, json!({"code": 401, "msg": "UNAUTHORIZED"}));
    let request = desk.request().expect("a secured sign-in");
    assert_eq!(request.http.uri().path(), "/api/v2.1/user/secured-sign-in");
    desk.answer(&request, 200, nested(data));
}

fn session_token(held: &Credentials) -> &str {
    held.aws().unwrap().session_token().expose()
}

#[test]
fn navien_keeps_tokens_that_come_with_aws_credentials() {
    for secured in [false, true] {
        let mut desk = with_aws(USER);
        let jwts = json!({"accessToken": "at-2", "refreshToken": "rt-2", "authenticationExpiresIn": 7200});
        aws_renewal(&mut desk, secured, &beside(aws("st-2"), &jwts));
        assert!(desk.request().is_none());
        let held = desk.held();
        assert_eq!((held.access().expose(), desk.refresh_token(), session_token(held)), ("at-2", "rt-2", "st-2"));
        assert_eq!(held.time_until_expiry(desk.now), Some(time::Duration::seconds(7200)));
        assert!(desk.errors.len() <= usize::from(secured), "{:?}", desk.errors);
        desk.session.renew(LeaseId::Access, desk.now);
        desk.pass(1);
        desk.refreshes("rt-2", flat(&json!({"accessToken": "at-3"})));
    }
}

#[test]
fn navien_keeps_aws_credentials_and_a_rotated_token_whatever_the_access_token_beside_them_is() {
    for token in UNUSABLE {
        let unusable: Value = serde_json::from_str(token).unwrap();
        let jwts = json!({"accessToken": unusable, "refreshToken": "rt-2", "authenticationExpiresIn": 7200});
        let mut desk = with_aws(USER);
        aws_renewal(&mut desk, false, &beside(aws("st-2"), &jwts));
        assert!(desk.request().is_none() && desk.errors.is_empty(), "{token}: the AWS credentials are renewed");
        let held = desk.held();
        assert_eq!((held.access().expose(), desk.refresh_token(), session_token(held)), ("at-1", "rt-2", "st-2"));

        // Conversely, a refresh that also brings AWS credentials.
        let mut desk = with_aws(USER);
        aws_renewal(&mut desk, false, &aws("st-2"));
        desk.request();
        desk.session.renew(LeaseId::Access, desk.now);
        desk.pass(1);
        desk.refreshes("rt-1", flat(&beside(aws("st-3"), &jwts)));
        assert!(desk.request().is_none());
        let held = desk.held();
        assert_eq!((held.access().expose(), desk.refresh_token(), session_token(held)), ("at-1", "rt-2", "st-3"));
        assert!(desk.last_error().to_string().contains("access token"), "{:?}", desk.errors);
    }
}

#[test]
fn navien_keeps_tokens_that_come_in_place_of_aws_credentials() {
    for more in [json!({}), json!({"accessKeyId": "AKIA"})] {
        let mut desk = with_aws(USER);
        let jwts = json!({"accessToken": "at-2", "refreshToken": "rt-2"});
        aws_renewal(&mut desk, false, &beside(jwts, &more));
        desk.request();
        let held = desk.held();
        assert_eq!((held.access().expose(), desk.refresh_token(), session_token(held)), ("at-2", "rt-2", "st-1"));
        assert!(!desk.errors.is_empty(), "the AWS credentials were not granted");
    }
}

#[test]
fn an_access_token_that_naviens_answer_repeats_keeps_its_deadline() {
    let mut desk = with_aws(USER);
    let before = desk.held().expires_at();
    let jwts = json!({"accessToken": "at-1", "authenticationExpiresIn": 86_400});
    aws_renewal(&mut desk, false, &beside(aws("st-2"), &jwts));
    assert!(desk.request().is_none());
    assert_eq!((desk.held().expires_at(), session_token(desk.held())), (before, "st-2"));
    assert_eq!(desk.held().generation(LeaseId::Access).get(), 1);
}

// ---- Without a session.

#[test]
fn a_refresh_without_a_session_returns_the_rotated_token() {
    let shown = Secret::from("rt-1");
    let mut exchange = Profile::new("https://auth.example/token", "app").unwrap().refresh(&shown);
    let now = Now::default();
    exchange.start(now);
    let answer = Response::new(br#"{"access_token":"","refresh_token":"rt-2"}"#.to_vec().into());
    let Ok(Step::Done(grant)) = exchange.receive(answer, now) else { panic!("no grant") };
    assert!(grant.access.is_none());
    assert_eq!(grant.refresh_token.as_ref().unwrap().expose(), "rt-2");
    let flaw = grant.flaw.clone().unwrap();
    assert_eq!(flaw.to_string(), "the service's answer was not understood: no access token (HTTP 200)");
    // It is not enough to begin a session, and the flaw says why.
    let mut session = Session::new(oauth2(), None, Policy::default(), 7);
    assert_eq!(session.install_grant(grant, now).unwrap_err().to_string(), flaw.to_string());
    let saved: Option<SavedSession> = session.export();
    assert!(saved.is_none());
}

#[test]
fn an_answer_with_nothing_to_keep_is_an_error() {
    let now = Now::default();
    let mut exchange = settrade().refresh("app", &Secret::from("rt-1"), "Bearer");
    exchange.start(now);
    assert!(exchange.receive(Response::new(br#"{"access_token":""}"#.to_vec().into()), now).is_err());
    let mut exchange = navien::Navien::default().refresh(&Secret::from("rt-1"));
    exchange.start(now);
    assert!(exchange.receive(Response::new(br#"{"data":{"idToken":"x"}}"#.to_vec().into()), now).is_err());
}
