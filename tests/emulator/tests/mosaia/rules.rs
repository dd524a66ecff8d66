//! The service's own rules, and that faults reach it.

use crate::client::{Reply, connect, read};
use perennial_emulator::{
    Consent, Emulator, Endpoint, ExpType, ExpUnit, Fault, MosaiaSettings, RefreshPaths, Refusals, Rotation,
};
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

const EMAIL: &str = MosaiaSettings::EMAIL;
const CLIENT_ID: &str = MosaiaSettings::CLIENT_ID;
const REDIRECT: &str = "http://127.0.0.1:9/done";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn start(change: impl FnOnce(&mut MosaiaSettings)) -> Emulator {
    let mut settings = MosaiaSettings::default();
    change(&mut settings);
    Emulator::builder().mosaia(settings).still().start().unwrap()
}

fn ask(emulator: &Emulator, request: &str, bearer: Option<&str>, form: Option<&str>, body: &str) -> Reply {
    let kind = form.unwrap_or("application/json");
    let bearer = bearer.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    let (method, path) = request.split_once(' ').unwrap();
    let mut socket = connect(&emulator.http_url());
    let length = body.len();
    let request = format!(
        "{method} /mosaia{path} HTTP/1.1\r\nHost: emulator\r\nConnection: close\r\n{bearer}\
         Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let _ = socket.write_all(request.as_bytes());
    read(&mut socket, usize::MAX)
}

fn sign_in(emulator: &Emulator, body: &Value) -> Reply {
    ask(emulator, "POST /v1/auth/signin", None, None, &body.to_string())
}

fn password(email: &str, password: &str) -> Value {
    json!({"grant_type": "password", "email": email, "password": password, "client_id": CLIENT_ID})
}

fn signed_in(emulator: &Emulator) -> Value {
    sign_in(emulator, &password(EMAIL, MosaiaSettings::PASSWORD)).data()
}

fn refresh(emulator: &Emulator, token: &Value) -> Reply {
    sign_in(emulator, &json!({"grant_type": "refresh", "refresh_token": token}))
}

fn form(emulator: &Emulator, path: &str, fields: &str) -> Reply {
    let kind = Some("application/x-www-form-urlencoded");
    ask(emulator, &format!("POST {path}"), None, kind, fields)
}

fn who(emulator: &Emulator, token: &Value) -> Reply {
    ask(emulator, "GET /v1/self", token.as_str(), None, "")
}

/// Where the browser is sent back to.
fn consent(emulator: &Emulator, query: &str) -> Option<String> {
    ask(emulator, &format!("GET /oauth?{query}"), None, None, "").header("location")
}

fn query(challenge: &str) -> String {
    format!(
        "client_id={CLIENT_ID}&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fdone&response_type=code\
         &code_challenge={challenge}&code_challenge_method=S256&scope=read%2Cwrite&state=a%20state"
    )
}

fn code(emulator: &Emulator) -> String {
    let location = consent(emulator, &query(CHALLENGE)).unwrap();
    let (address, answer) = location.split_once('?').unwrap();
    let (code, state) = answer.split_once('&').unwrap();
    assert_eq!((address, state), (REDIRECT, "state=a%20state"));
    code.strip_prefix("code=").unwrap().to_owned()
}

fn exchange(emulator: &Emulator, code: &str, verifier: &str) -> Reply {
    let fields = format!(
        "client_id={CLIENT_ID}&redirect_uri={REDIRECT}&code={code}&code_verifier={verifier}&grant_type=authorization_code"
    );
    form(emulator, "/v1/auth/token", &fields)
}

fn oauth_refresh(emulator: &Emulator, path: &str, token: &Value) -> Reply {
    form(emulator, path, &format!("refresh_token={}&grant_type=refresh_token", token.as_str().unwrap()))
}

#[test]
fn a_password_and_a_secret_sign_in() {
    let emulator = start(|_| {});
    let reply = sign_in(&emulator, &password(EMAIL, MosaiaSettings::PASSWORD));
    assert!(reply.json()["meta"].is_object());
    let tokens = reply.data();
    for field in ["access_token", "refresh_token", "sub", "iat", "exp"] {
        assert!(tokens[field].is_string(), "{field}");
    }
    assert_eq!(who(&emulator, &tokens["access_token"]).data()["user"]["email"], EMAIL);
    let secret =
        json!({"grant_type": "client", "client_id": CLIENT_ID, "client_secret": MosaiaSettings::CLIENT_SECRET});
    let robot = sign_in(&emulator, &secret).data();
    assert_eq!(who(&emulator, &robot["access_token"]).data()["client"]["client_id"], CLIENT_ID);
    let mosaia = emulator.mosaia();
    assert_eq!((mosaia.sign_ins(), mosaia.client_sign_ins(), mosaia.self_calls()), (1, 1, 2));
}

#[test]
fn refusals_come_in_two_shapes() {
    for (refusals, in_envelope) in [(Refusals::Status, false), (Refusals::Envelope, true)] {
        let emulator = start(|settings| settings.refusals = refusals);
        emulator.mosaia().add_account("locked@example.com", "x");
        emulator.mosaia().lock_account("locked@example.com");
        for (email, status, message) in [
            (EMAIL, 401, "Invalid credentials"),
            ("nobody@example.com", 404, "User not found"),
            ("locked@example.com", 403, "Account locked"),
        ] {
            let reply = sign_in(&emulator, &password(email, "wrong"));
            let said = if in_envelope { &reply.json()["error"] } else { &reply.json() };
            assert_eq!(said["message"], message);
            assert_eq!(reply.status(), if in_envelope { 200 } else { status });
        }
        assert_eq!(emulator.mosaia().refused_sign_ins(), 3);
        // API calls are refused by status either way.
        assert_eq!(who(&emulator, &json!("unknown")).status(), 401);
    }
}

#[test]
fn ends_are_written_in_every_form() {
    for (exp_unit, digits) in [(ExpUnit::Seconds, 10), (ExpUnit::Millis, 13)] {
        for exp_type in [ExpType::Number, ExpType::Text] {
            let emulator = start(|settings| (settings.exp_unit, settings.exp_type) = (exp_unit, exp_type));
            let exp = signed_in(&emulator)["exp"].clone();
            assert_eq!(exp.is_string(), exp_type == ExpType::Text);
            let written = exp.as_str().map_or_else(|| exp.to_string(), str::to_owned);
            assert_eq!(written.len(), digits);
        }
    }
}

#[test]
fn tokens_die_with_time_and_by_revocation() {
    let emulator = start(|settings| settings.access_lifetime = Duration::from_secs(60));
    let tokens = signed_in(&emulator);
    emulator.advance(Duration::from_secs(60));
    assert_eq!(who(&emulator, &tokens["access_token"]).status(), 401);
    let tokens = refresh(&emulator, &tokens["refresh_token"]).data();
    assert_eq!(who(&emulator, &tokens["access_token"]).status(), 200);
    emulator.mosaia().revoke_access(EMAIL);
    assert_eq!(who(&emulator, &tokens["access_token"]).status(), 401);
    assert!(emulator.mosaia().is_refresh_valid(tokens["refresh_token"].as_str().unwrap()));
    emulator.mosaia().revoke_refresh(EMAIL);
    assert_eq!(refresh(&emulator, &tokens["refresh_token"]).status(), 401);
    assert_eq!((emulator.mosaia().refused_refreshes(), emulator.mosaia().refused_calls()), (1, 2));
}

#[test]
fn a_refresh_token_used_twice_ends_the_session() {
    let emulator = start(|_| {});
    let first = signed_in(&emulator)["refresh_token"].clone();
    let second = refresh(&emulator, &first).data();
    assert_ne!(second["refresh_token"], first);
    assert_eq!(refresh(&emulator, &first).status(), 401);
    assert_eq!(refresh(&emulator, &second["refresh_token"]).status(), 401);
    assert_eq!(who(&emulator, &second["access_token"]).status(), 401);
    assert_eq!((emulator.mosaia().reuse_detected(), emulator.mosaia().live_sessions(EMAIL)), (1, 0));
}

#[test]
fn a_refresh_token_can_stay() {
    for change in [
        |settings: &mut MosaiaSettings| settings.rotation = Rotation::Fixed,
        |settings: &mut MosaiaSettings| settings.refresh_answer_omits_refresh_token = true,
    ] {
        let emulator = start(change);
        let token = signed_in(&emulator)["refresh_token"].clone();
        for _ in 0..2 {
            let next = refresh(&emulator, &token).data();
            assert!(next["access_token"].is_string());
            assert!(next.get("refresh_token").is_none_or(|same| *same == token));
        }
    }
}

#[test]
fn a_code_is_good_once_for_its_client_its_address_and_its_verifier() {
    let emulator = start(|_| {});
    for (code, verifier) in [("no-such-code", VERIFIER), (&code(&emulator), "x")] {
        let reply = exchange(&emulator, code, verifier);
        assert_eq!((reply.status(), &reply.json()["error"]), (400, &json!("invalid_grant")));
    }
    let code_1 = code(&emulator);
    let elsewhere = exchange(&emulator, &code_1, VERIFIER).json();
    assert_eq!(elsewhere["sub"], "user-1");
    assert!(elsewhere.get("data").is_none() && elsewhere["access_token"].is_string());
    // Used again, it takes the session with it.
    assert_eq!(exchange(&emulator, &code_1, VERIFIER).status(), 400);
    assert_eq!(who(&emulator, &elsewhere["access_token"]).status(), 401);
    let late = code(&emulator);
    emulator.advance(Duration::from_secs(61));
    assert_eq!(exchange(&emulator, &late, VERIFIER).status(), 400);
    let fields = format!(
        "client_id={CLIENT_ID}&redirect_uri=http://127.0.0.1:9/other&code={}&code_verifier={VERIFIER}\
         &grant_type=authorization_code",
        code(&emulator)
    );
    assert_eq!(form(&emulator, "/v1/auth/token", &fields).status(), 400);
    let mosaia = emulator.mosaia();
    assert_eq!((mosaia.codes(), mosaia.code_exchanges(), mosaia.refused_codes()), (4, 1, 5));
    assert_eq!(mosaia.reuse_detected(), 1);
}

#[test]
fn a_browser_is_sent_back_with_a_no_or_not_at_all() {
    let emulator = start(|settings| settings.consent = Consent::Denied);
    let denied = format!("{REDIRECT}?error=access_denied&state=a%20state");
    assert_eq!(consent(&emulator, &query(CHALLENGE)), Some(denied));
    let plain = query(CHALLENGE).replace("S256", "plain");
    let invalid = format!("{REDIRECT}?error=invalid_request&state=a%20state");
    assert_eq!(consent(&emulator, &plain), Some(invalid));
    for nobody in [
        query(CHALLENGE).replace(CLIENT_ID, "nobody"),
        query(CHALLENGE).replace("http", "javascript"),
        query(CHALLENGE) + "&state=twice",
        String::new(),
    ] {
        assert_eq!(consent(&emulator, &nobody), None, "{nobody}");
    }
}

#[test]
fn a_refresh_token_is_taken_where_it_came_from() {
    let emulator = start(|_| {});
    let by_consent = exchange(&emulator, &code(&emulator), VERIFIER).json();
    assert_eq!(refresh(&emulator, &by_consent["refresh_token"]).status(), 401);
    let by_password = signed_in(&emulator);
    let reply = oauth_refresh(&emulator, "/v1/auth/token", &by_password["refresh_token"]);
    assert_eq!((reply.status(), &reply.json()["error"]), (400, &json!("invalid_grant")));
    assert_eq!(refresh(&emulator, &by_password["refresh_token"]).status(), 200);
    assert_eq!(emulator.mosaia().refused_refreshes(), 2);
}

#[test]
fn a_refresh_has_one_place_or_two() {
    for (paths, versioned, unversioned) in [
        (RefreshPaths::Both, 200, 200),
        (RefreshPaths::Versioned, 200, 404),
        (RefreshPaths::Unversioned, 404, 200),
        (RefreshPaths::Neither, 404, 404),
    ] {
        let emulator = start(|settings| (settings.refresh_paths, settings.rotation) = (paths, Rotation::Fixed));
        let token = exchange(&emulator, &code(&emulator), VERIFIER).json()["refresh_token"].clone();
        for (path, status) in [("/v1/auth/token", versioned), ("/auth/token", unversioned)] {
            assert_eq!(oauth_refresh(&emulator, path, &token).status(), status, "{paths:?} {path}");
        }
    }
}

#[test]
fn a_sign_out_ends_the_session_of_its_token() {
    let emulator = start(|_| {});
    let (tokens, other) = (signed_in(&emulator), signed_in(&emulator));
    let access = tokens["access_token"].as_str().unwrap();
    let body = |token: &Value| json!({"token": token}).to_string();
    let sign_out = |request: &str, body: &str| ask(&emulator, request, Some(access), None, body).status();
    assert_eq!(sign_out("DELETE /v1/auth/signout", &body(&other["access_token"])), 400);
    assert_eq!(sign_out("POST /v1/auth/signout", &body(&tokens["access_token"])), 405);
    assert_eq!(sign_out("DELETE /v1/auth/signout", &body(&tokens["access_token"])), 200);
    assert_eq!(sign_out("DELETE /v1/auth/signout", &body(&tokens["access_token"])), 401);
    assert_eq!(refresh(&emulator, &tokens["refresh_token"]).status(), 401);
    assert_eq!(who(&emulator, &other["access_token"]).status(), 200);
    assert_eq!((emulator.mosaia().sign_outs(), emulator.mosaia().live_sessions(EMAIL)), (1, 1));
}

#[test]
fn faults_strike_each_endpoint() {
    let emulator = start(|_| {});
    emulator.fault(Endpoint::MosaiaSignIn, Fault::status(503));
    assert_eq!(sign_in(&emulator, &json!({})).status(), 503);
    emulator.fault(Endpoint::MosaiaSignIn, Fault::EmptyTokens);
    assert_eq!(signed_in(&emulator)["access_token"], "");
    emulator.fault(Endpoint::MosaiaToken, Fault::LostAnswer);
    let first = exchange(&emulator, &code(&emulator), VERIFIER);
    assert!(first.raw.is_empty());
    assert_eq!(emulator.mosaia().code_exchanges(), 1);
    for (endpoint, request) in [
        (Endpoint::MosaiaAuthorize, "GET /oauth"),
        (Endpoint::MosaiaOldToken, "POST /auth/token"),
        (Endpoint::MosaiaSignOut, "DELETE /v1/auth/signout"),
        (Endpoint::MosaiaSelf, "GET /v1/self"),
    ] {
        emulator.fault(endpoint, Fault::status(418));
        assert_eq!(ask(&emulator, request, None, None, "").status(), 418, "{request}");
        assert_eq!(emulator.requests_to(endpoint).len(), if endpoint == Endpoint::MosaiaAuthorize { 2 } else { 1 });
    }
}
