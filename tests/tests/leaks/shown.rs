//! Every type that holds secrets, made with a canary in each place for one, and all that can be seen of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use perennial_adapter::{ManualClock, MemoryStore, SessionBuilder, SystemClock};
use perennial_core::mqtt::ConnectOptions;
use perennial_core::oauth2::{Assertions, AuthorizationRequest, ClientAuth, Es256, Profile, Verifier};
use perennial_core::providers::mosaia::{Checked, Mosaia};
use perennial_core::providers::navien::Navien;
use perennial_core::providers::oauth2::OAuth2;
use perennial_core::providers::settrade::Settrade;
use perennial_core::providers::{auth0, mosaia, navien, oauth2, settrade};
use perennial_core::store::{
    OpId, Record, RecordState, STORE_TIMEOUT, Store, StoreCommand, StoreDriver, StoreReply, StoreRequest,
};
use perennial_core::wire::{Body, BodyBuffer, Object, Text};
use perennial_core::{
    AccessToken, Account, AwsCredentials, Call, Credentials, Error, Exchange, Grant, Input, LeaseId, Now, Output,
    Policy, Polled, Provider, Request, RequestId, Response, SavedSession, ServiceError, ServiceErrorKind, Session,
    SessionError, Step, StoreError, StoreErrorKind, TransportError, TransportErrorKind, Unfinished, Validity,
};
use perennial_file::{FileStore, Key};
use perennial_redis::RedisStore;
use serde_json::json;

use crate::canary::{canary, secret, shown_in};
use crate::probe::seen;

/// A type, by the file that declares it, and all that is to be seen of one of its values.
pub(crate) struct Shown {
    pub(crate) of: &'static str,
    pub(crate) text: String,
}

macro_rules! shown {
    ($($of:literal: $value:expr),* $(,)?) => {
        vec![$(Shown { of: $of, text: seen!($value) }),*]
    };
}

pub(crate) fn all() -> Vec<Shown> {
    let parts = [credentials(), errors(), providers(), oauth(), session(), wire(), stores(), adapters()];
    parts.into_iter().flatten().collect()
}

#[test]
fn no_canary_shows_in_any_type() {
    let shown = all();
    for Shown { of, text } in &shown {
        assert_eq!(shown_in(text), None, "{of}: {text}");
    }
    // Most of them show something: what is not shown would prove nothing.
    assert!(shown.iter().filter(|shown| !shown.text.trim().is_empty()).count() > shown.len() * 9 / 10);
}

fn now() -> Now {
    Now::new(perennial_core::Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(1000))
}

fn access() -> AccessToken {
    let validity = Validity::with_lifetime(now(), Duration::from_secs(3600));
    AccessToken::new("Bearer", &canary("access"), validity).unwrap()
}

fn aws() -> AwsCredentials {
    let [id, key, session] = ["id", "key", "session"].map(canary);
    AwsCredentials::new(&id, &key, &session, Validity::unknown(now())).unwrap()
}

fn account() -> Account {
    let fields = json!({
        "userFirstName": canary("first"),
        "userLastName": canary("last"),
        "userType": canary("type"),
        "userStatus": canary("status"),
        "userSeq": 1,
        "legal": [{ "name": canary("legal") }],
        "code": 200,
        "msg": canary("message"),
    });
    Account::new(format!("{}@host.example", canary("user"))).with_name(canary("name")).with_extra(&fields)
}

fn grant() -> Grant {
    Grant {
        access: Some(access()),
        refresh_token: Some(secret("refresh")),
        id_token: Some(secret("ID")),
        aws: Some(aws()),
        account: Some(account()),
        grant_type: None,
        extra: Some(secret("extra")),
        flaw: Some(ServiceError::malformed("no access token")),
    }
}

pub(crate) fn have() -> Credentials {
    Credentials::from_grant(grant(), None).unwrap()
}

fn response(status: u16, body: &str) -> Response {
    let mut response = Response::new(Body::from(body.as_bytes().to_vec()));
    *response.status_mut() = status.try_into().unwrap();
    response.headers_mut().insert(header::SET_COOKIE, canary("cookie").parse().unwrap());
    response
}

fn request() -> Request {
    let http = http::Request::post(format!("https://host.example/path?code={}", canary("query")));
    let http = http.header(header::AUTHORIZATION, canary("header")).header("x-any", canary("any"));
    Request::new(http.body(Body::from(canary("body").into_bytes())).unwrap())
}

fn credentials() -> Vec<Shown> {
    shown! {
        "core/src/credentials/secret.rs Secret": secret("secret"),
        "core/src/credentials/token.rs AccessToken": access(),
        "core/src/credentials/aws.rs AwsCredentials": aws(),
        "core/src/credentials/account.rs Account": account(),
        "core/src/providers/navien/account.rs UserInfo": navien::UserInfo::of(&account()),
        "core/src/grant.rs Grant": grant(),
        "core/src/credentials/mod.rs Credentials": have(),
        "core/src/store/saved.rs SavedSession": SavedSession::new("p", "r", have()),
        "core/src/mqtt.rs ConnectOptions": ticket(),
    }
}

fn ticket() -> ConnectOptions {
    ConnectOptions::new(format!("wss://host.example/mqtt?{}", canary("query")))
        .unwrap()
        .with_header(HeaderName::from_static("x-any"), HeaderValue::from_str(&canary("header")).unwrap())
        .with_login("app", secret("password"))
}

fn service_error() -> ServiceError {
    ServiceError::new(ServiceErrorKind::Service)
        .with_code(&canary("refresh"))
        .with_message(&format!("no such token: {}", canary("refresh")))
        .without_echo([canary("refresh").as_str()])
}

fn errors() -> Vec<Shown> {
    let transport = TransportError::new(TransportErrorKind::TimedOut).with_source("a reason");
    let store = StoreError::new(StoreErrorKind::Lost).with_source("a reason");
    let error = Error::from(service_error());
    let required = SessionError::SignInRequired { source: Some(Arc::new(error.clone())), retry_at: None };
    shown! {
        "core/src/error/service.rs ServiceError": service_error(),
        "core/src/error/transport.rs TransportError": transport,
        "core/src/error/mod.rs Error": error,
        "core/src/error/mod.rs SessionError": required,
        "core/src/session/ending.rs Unfinished": Unfinished::Unsaved(Some(wrong_key())),
        "core/src/error/store.rs StoreError": store,
        "adapter-file/src/error.rs FileError": wrong_key(),
    }
}

/// What a store says whose file has another key.
fn wrong_key() -> StoreError {
    // Two tests of this process come here at once.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let directory = std::env::temp_dir().join(format!("perennial-shown-{}-{number}", std::process::id()));
    let path = directory.join("session");
    let store = |name: &str| FileStore::new(&path).encrypted_with(key(name));
    let record = Body::from(canary("record").into_bytes());
    store("one").lock(STORE_TIMEOUT, STORE_TIMEOUT).unwrap().write(&record, STORE_TIMEOUT).unwrap();
    let error = store("other").read(STORE_TIMEOUT).unwrap_err();
    let _ = std::fs::remove_dir_all(directory);
    error
}

fn key(name: &str) -> Key {
    let text = canary(name).repeat(3);
    Key::from_bytes(text.as_bytes().first_chunk().unwrap())
}

fn providers() -> Vec<Shown> {
    let navien = navien::Login::new(&format!("{}@host.example", canary("user")), secret("password")).unwrap();
    let auth0 = auth0::Login::new(&format!("{}@host.example", canary("user")), secret("password")).unwrap();
    let mosaia = mosaia::Login::password(&format!("{}@host.example", canary("user")), secret("password")).unwrap();
    // 32 bytes whose base64 begins with the word.
    let settrade = settrade::Login::new("app", format!("{:A<43}=", "Canary")).unwrap();
    let password = oauth2::Login::legacy_password(&canary("user"), secret("password")).unwrap();
    let page = format!(
        "<input name=state value={0}><input name=_csrf_token value={0}><div class=error-message>{0}</div>",
        canary("page")
    );
    let mosaia_at = Mosaia::builder().client_id("app").build().unwrap();
    let at = Settrade::new("041", "ALGO").unwrap();
    let code = {
        let url = mosaia_at
            .authorize([7; mosaia::ENTROPY], &AuthorizationRequest::new("http://127.0.0.1/done"), now())
            .unwrap();
        let state = url.url().split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        let redirect = format!("?code={}&state={state}", canary("code"));
        mosaia_at.exchange_code(url.into_pending(), &redirect, now()).unwrap()
    };
    shown! {
        "core/src/providers/navien/login.rs Login": navien.clone(),
        "core/src/providers/navien/exchange.rs Exchange": Navien::default().sign_in(&navien),
        "core/src/providers/navien/exchange.rs Exchange": Navien::default().refresh(&secret("refresh")),
        "core/src/providers/navien/exchange.rs Exchange":
            Navien::default().begin(navien::Method::SessionRefresh, Some(&navien), Some(&have())),
        "core/src/providers/auth0/login.rs Login": auth0.clone(),
        "core/src/providers/auth0/exchange.rs Exchange": auth0::Auth0::angel_studios().sign_in(&auth0),
        "core/src/providers/auth0/page.rs Page": auth0::Page::read(page.as_bytes()),
        "core/src/providers/mosaia/login.rs Login": mosaia.clone(),
        "core/src/providers/mosaia/login.rs Login": mosaia::Login::client("robot", secret("secret")).unwrap(),
        "core/src/providers/mosaia/exchange.rs Exchange": mosaia_at.sign_in(&mosaia),
        "core/src/providers/mosaia/exchange.rs Exchange": mosaia_at.refresh(&secret("refresh")),
        "core/src/providers/mosaia/exchange.rs Exchange": mosaia_at.refresh_oauth(&secret("refresh")),
        "core/src/providers/mosaia/exchange.rs Exchange": mosaia_at.sign_out_token(&access()),
        "core/src/providers/mosaia/exchange.rs Check": mosaia_at.check(&access()),
        "core/src/providers/mosaia/answer.rs Checked": Checked::Accepted(json!({ "email": canary("email") })),
        "core/src/providers/mosaia/consent.rs CodeExchange": code,
        "core/src/providers/settrade/login.rs Login": settrade.clone(),
        "core/src/providers/settrade/exchange.rs Exchange": at.sign_in(&settrade),
        "core/src/providers/settrade/exchange.rs Exchange": at.refresh("app", &secret("refresh"), "Bearer"),
        "core/src/providers/settrade/exchange.rs MqttExchange": at.mqtt(&have()),
        "core/src/providers/oauth2/login.rs Login": password.clone(),
        "core/src/providers/oauth2/mod.rs OAuth2": OAuth2::new(profile()),
        "core/src/providers/oauth2/exchange.rs Exchange":
            OAuth2::new(profile()).begin(oauth2::Method::SignIn, Some(&password), None),
        "core/src/providers/oauth2/exchange.rs Exchange":
            OAuth2::new(profile()).begin(oauth2::Method::Refresh, None, Some(&have())),
        "core/src/providers/oauth2/exchange.rs Exchange": OAuth2::new(profile()).sign_out(&have()),
    }
}

fn profile() -> Profile {
    Profile::new(&format!("https://host.example/token?key={}", canary("query")), "app")
        .unwrap()
        .with_authorization_endpoint("https://host.example/authorize")
        .and_then(|profile| profile.with_revocation_endpoint("https://host.example/revoke"))
        .and_then(|profile| profile.with_device_endpoint("https://host.example/device"))
        .unwrap()
        .with_client_auth(ClientAuth::SecretBasic(secret("client")))
}

fn signer() -> Es256 {
    Es256::from_jwk(&format!(r#"{{"kty":"EC","crv":"P-256","d":"{:A<43}"}}"#, "Canary")).unwrap()
}

fn oauth() -> Vec<Shown> {
    let seed: [u8; 32] = *canary("seed").repeat(3).as_bytes().first_chunk().unwrap();
    let assertions = || Assertions::new(signer(), seed);
    let wanted = AuthorizationRequest::new("http://127.0.0.1/done").parameter("login_hint", canary("hint"));
    // What the state is made of, in base64, begins with the word; what the verifier is made of has it within.
    let entropy: [u8; 64] = *b"\x09\xa9\xda\xaf\x20canaryCanarycanaryCanarycanaryCanarycanaryCanarycanaryCan"
        .repeat(2)
        .first_chunk()
        .unwrap();
    let begin = || profile().authorize(entropy, &wanted, now()).unwrap();
    let state = begin().url().split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let redirect = |rest: &str| begin().into_pending().exchange_code(&format!("?state={state}&{rest}"), now());
    let code = format!("code={}", canary("code"));
    let refused = redirect(&format!("{code}&error=access_denied&error_description=no")).unwrap_err();
    let refusal = match &refused {
        perennial_core::oauth2::AuthorizationError::Refused(refusal) => refusal.clone(),
        other => panic!("{other}"),
    };
    let device = |body: &str| profile().device(&["a"]).unwrap().receive(response(200, body), now()).unwrap();
    let Step::Done(device) = device(&format!(
        r#"{{"device_code":"{}","user_code":"AB","verification_uri":"https://host.example/d"}}"#,
        canary("device")
    )) else {
        panic!("a device's sign-in begins")
    };
    shown! {
        "core/src/oauth2/endpoint.rs Endpoint": format!("{:?}", profile().token_endpoint()),
        "core/src/oauth2/profile.rs Profile": profile(),
        "core/src/oauth2/client.rs ClientAuth": ClientAuth::SecretPost(secret("client")),
        "core/src/oauth2/client.rs ClientAuth": ClientAuth::PrivateKeyJwt(assertions()),
        "core/src/oauth2/client.rs Assertions": assertions(),
        "core/src/oauth2/es256.rs Es256": signer(),
        "core/src/oauth2/pkce.rs Verifier": Verifier::new(seed),
        "core/src/oauth2/authorize.rs AuthorizationRequest": wanted.clone(),
        "core/src/oauth2/authorize.rs AuthorizationUrl": begin(),
        "core/src/oauth2/pending.rs PendingAuthorization": begin().into_pending(),
        "core/src/oauth2/redirect.rs AuthorizationError": refused,
        "core/src/oauth2/redirect.rs AuthorizationError": redirect(&format!("{code}&{code}")).unwrap_err(),
        "core/src/oauth2/redirect.rs AuthorizationError":
            begin().into_pending().exchange_code(&format!("?{code}&state=x"), now()).unwrap_err(),
        "core/src/oauth2/redirect.rs ErrorResponse": refusal,
        "core/src/oauth2/exchange.rs TokenRequest": redirect(&code).unwrap(),
        "core/src/oauth2/exchange.rs TokenRequest": profile().refresh(&secret("refresh")),
        "core/src/oauth2/exchange.rs TokenRequest": profile().legacy_password("u", &secret("password"), &["a"]),
        "core/src/oauth2/revoke.rs Revocation": profile().revoke(&have()).unwrap(),
        "core/src/oauth2/device.rs DeviceRequest": profile().device(&["a"]).unwrap(),
        "core/src/oauth2/device.rs DevicePoll": device.poll(),
        "core/src/oauth2/device.rs DeviceAuthorization": device,
    }
}

/// A session at a service that grants, and then repeats what it is sent.
fn session() -> Vec<Shown> {
    let login = navien::Login::new(&format!("{}@host.example", canary("user")), secret("password")).unwrap();
    let mut session = Session::new(Navien::default(), login, Policy::default(), 1);
    let mut all = Vec::new();
    for (grants, lease_id) in [(true, LeaseId::Access), (false, LeaseId::Aws)] {
        session.demand(lease_id, now());
        session.renew(lease_id, now());
        loop {
            let output = session.poll_output();
            all.extend(shown!("core/src/session/io.rs Output": format!("{output:?}")));
            match output {
                Output::Send(request) => {
                    let sent = String::from_utf8_lossy(request.http.body().as_ref()).replace('"', "'");
                    let granted = format!(
                        r#"{{"code":200,"msg":"{0}","data":{{"accessToken":"{0}","refreshToken":"{0}","token":
                        {{"accessToken":"{0}","refreshToken":"{0}","authenticationExpiresIn":9999}}}}}}"#,
                        canary("granted")
                    );
                    let shown = if sent.contains("password") { canary("password") } else { canary("granted") };
                    let said = format!(r#"{{"code":401,"msg":"invalid: {sent} {shown}"}}"#);
                    let answer = if grants { response(200, &granted) } else { response(401, &said) };
                    let input = Input::Response(request.id, answer);
                    all.extend(shown!("core/src/session/io.rs Input": format!("{input:?} {input:#?}")));
                    session.handle_input(input, now());
                }
                Output::Event(event) => all.extend(shown!("core/src/session/io.rs Event": event)),
                Output::Sleep(_) => break,
                Output::Cancel(_) | Output::Store(_) => {}
            }
        }
    }
    assert!(session.held().is_some_and(|held| held.access().expose() == canary("granted")));
    let api = format!("https://host.example/devices?key={}", canary("query")).parse().unwrap();
    all.extend(shown! {
        "core/src/exchange.rs Call": Call::new(&Method::GET, &api, now().wall),
        "core/src/session/io.rs Input": Input::Response(RequestId(1), response(200, &canary("body"))),
        "core/src/session/mod.rs Session": session,
        "core/src/wire/message.rs Request": request(),
        "core/src/exchange.rs Step": Step::<Grant>::Send(request()),
        "core/src/exchange.rs Step": Step::Done(grant()),
        "core/src/exchange.rs Polled": Polled::Ready(grant()),
    });
    all
}

fn wire() -> Vec<Shown> {
    let body = || Body::from(canary("body").into_bytes());
    let mut buffer = BodyBuffer::new(100);
    buffer.push(canary("body").as_bytes()).unwrap();
    let words = canary("text");
    shown! {
        "core/src/wire/body.rs Body": body(),
        "core/src/wire/body.rs BodyBuffer": buffer,
        "core/src/wire/lenient.rs Text": Text::Borrowed(&words),
        "core/src/wire/lenient.rs Object": Object(Some(Text::Borrowed(&words))),
    }
}

fn stores() -> Vec<Shown> {
    let record = || Body::from(canary("record").into_bytes());
    let memory = MemoryStore::new();
    memory.lock(STORE_TIMEOUT, STORE_TIMEOUT).unwrap().write(&record(), STORE_TIMEOUT).unwrap();
    let write = || StoreCommand::Write { lock: OpId(1), record: record() };
    let kept = || Record::new("p", "n", RecordState::SignedIn(Box::new(have()))).with_login(Some(secret("login")));
    let address = format!("rediss://{0}:{0}@host.example/0", canary("address"));
    let redis = || RedisStore::builder(&address, "key").user(secret("user")).password(secret("password"));
    shown! {
        "core/src/store/record.rs Record": kept(),
        "core/src/store/record.rs RecordState": kept().state,
        "core/src/store/mod.rs StoreRequest": StoreRequest { id: OpId(1), command: write(), timeout: STORE_TIMEOUT },
        "core/src/store/mod.rs StoreCommand": write(),
        "core/src/store/mod.rs StoreReply": StoreReply::Read(Some(record())),
        "core/src/store/mod.rs StoreReply": StoreReply::Locked { record: Some(record()), remaining: None },
        "adapter/src/memory_store.rs MemoryStore": memory.clone(),
        "core/src/store/driver.rs StoreDriver": StoreDriver::new(memory),
        "adapter-file/src/store.rs FileStore": FileStore::new("/session").encrypted_with(key("key")),
        "adapter-file/src/encryption.rs Key": key("key"),
        "adapter-redis/src/settings.rs RedisStoreBuilder": redis(),
        "adapter-redis/src/store.rs RedisStore": redis().build().unwrap(),
    }
}

/// What carries requests here: it grants.
struct Granting;

fn granted() -> Response {
    let token = canary("granted");
    response(200, &format!(r#"{{"code":200,"data":{{"token":{{"accessToken":"{token}","refreshToken":"{token}"}}}}}}"#))
}

impl perennial_blocking::Transport for Granting {
    fn send(&self, _request: Request) -> Result<Response, TransportError> {
        Ok(granted())
    }
}

impl perennial_hyper::Transport for Granting {
    fn send(
        &self,
        _request: Request,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send>> {
        Box::pin(async { Ok(granted()) })
    }
}

fn adapters() -> Vec<Shown> {
    let clock = ManualClock::at(perennial_adapter::Clock::now(&SystemClock).wall);
    let setup = || {
        let login = navien::Login::new(&format!("{}@host.example", canary("user")), secret("password")).unwrap();
        SessionBuilder::new(Navien::default())
            .login(login)
            .store(MemoryStore::new())
            .clock(clock.clone())
            .persist_login()
    };
    let blocking = perennial_blocking::Connector::over(Granting).connect(setup()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let hyper = runtime.block_on(perennial_hyper::Connector::over(Granting).connect(setup())).unwrap();
    let mut headers = HeaderMap::new();
    blocking.authorize(&Method::GET, &Uri::default(), &mut headers).unwrap();
    let all = shown! {
        "adapter/src/builder.rs SessionBuilder": setup().import(SavedSession::new("p", "r", have()).to_json().expose().as_bytes()),
        "adapter/src/snapshot.rs CredentialsRef": blocking.credentials_for(LeaseId::Access).unwrap(),
        "adapter/src/session.rs Session": (*hyper).clone(),
        "adapter-hyper/src/session.rs Session": hyper.clone(),
        "adapter/src/session.rs Updates": hyper.updates(LeaseId::Access),
        "adapter/src/source.rs CredentialSource": hyper.source(),
        "adapter/src/source.rs CredentialSource": perennial_adapter::CredentialSource::fixed(have()),
        "adapter/src/source.rs SourceUpdates": hyper.source().updates(LeaseId::Access),
        "adapter-blocking/src/source.rs CredentialSource": blocking.source(),
        "adapter-blocking/src/source.rs SourceUpdates": blocking.source().updates(LeaseId::Access),
        "adapter-blocking/src/session.rs Session": blocking.clone(),
        "adapter-blocking/src/session.rs Updates": blocking.updates(LeaseId::Access),
        "core/src/credentials/token.rs AccessToken": headers,
    };
    runtime.block_on(hyper.close());
    blocking.close();
    all
}
