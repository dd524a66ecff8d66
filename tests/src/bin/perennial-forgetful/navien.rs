//! Navien: a session with a store and a kept login, through every way to renew; then restored, saved, used for MQTT.

use http::{HeaderMap, Method, Uri};
use perennial_adapter::MemoryStore;
use perennial_core::providers::navien::{Login, Navien};
use perennial_core::store::StoreDriver;
use perennial_core::{Call, LeaseId, Policy, Provider, Request, Response, SavedSession, Session};
use perennial_tests::forgetful::Secrets;

use crate::answers::{Held, answer, drive, now, path};

fn tokens(secrets: Secrets, issue: &str) -> Response {
    let name = |what: &str| secrets.get(&format!("navien {what} {issue}"));
    let (access, refresh, id) = (name("access"), name("refresh"), name("id"));
    let (key_id, key, session) = (name("AWS id"), name("AWS key"), name("AWS session"));
    answer(
        200,
        &[
            r#"{"code":200,"msg":"SUCCESS","data":{"userInfo":{"userFirstName":"Rosa","userSeq":7},"token":{"idToken":""#,
            &id,
            r#"","accessToken":""#,
            &access,
            r#"","refreshToken":""#,
            &refresh,
            r#"","accessKeyId":""#,
            &key_id,
            r#"","secretKey":""#,
            &key,
            r#"","sessionToken":""#,
            &session,
            r#"","authenticationExpiresIn":3600,"authorizationExpiresIn":3000}}}"#,
        ],
    )
}

fn refreshed(secrets: Secrets) -> Response {
    let (access, refresh) = (secrets.get("navien access 2"), secrets.get("navien refresh 2"));
    let (open, next) = (r#"{"code":200,"data":{"accessToken":""#, r#"","refreshToken":""#);
    answer(200, &[open, &access, next, &refresh, r#"","authenticationExpiresIn":3600}}"#])
}

fn aws(secrets: Secrets) -> Response {
    let name = |what: &str| secrets.get(&format!("navien {what} 2"));
    let (key_id, key, session) = (name("AWS id"), name("AWS key"), name("AWS session"));
    let pieces = [
        r#"{"code":200,"data":{"accessKeyId":""#,
        &key_id,
        r#"","secretKey":""#,
        &key,
        r#"","sessionToken":""#,
        &session,
        r#"","authorizationExpiresIn":3000}}"#,
    ];
    answer(200, &pieces)
}

pub(crate) fn play(secrets: Secrets) -> Held {
    let service = move |request: &Request| match path(request) {
        path if path.ends_with("/auth/refresh") => refreshed(secrets),
        path if path.ends_with("/session/refresh") => aws(secrets),
        _ => tokens(secrets, "1"),
    };
    let login = Login::new("grower@example.com", secrets.get("navien password").as_str())?;
    let store = MemoryStore::new();
    let mut keeper = StoreDriver::new(store.clone());
    let mut session = Session::new(Navien::default(), login.clone(), Policy::default().persist_login(), 1).with_store();
    session.demand(LeaseId::Access, now(0));
    drive(&mut session, Some(&mut keeper), &service, now(0))?;
    for later in [3100, 3700] {
        session.demand(LeaseId::Aws, now(later));
        session.demand(LeaseId::Access, now(later));
        drive(&mut session, Some(&mut keeper), &service, now(later))?;
    }
    let credentials = session.credentials(LeaseId::Access, now(3700)).ok_or("no credentials")?.clone();
    if credentials.access().expose() != secrets.get("navien access 2").as_str() {
        return Err("no refresh took place".into());
    }

    // All that can be done with them.
    let mut headers = HeaderMap::new();
    session.provider().authorize(&Call::new(&Method::GET, &Uri::default(), now(3700).wall), &credentials, &mut headers);
    drop(format!("{headers:?} {session:?} {credentials:#?} {login:?}"));
    let url = Navien::mqtt().presign(credentials.aws().ok_or("no AWS credentials")?, now(3700).wall);
    let parts = Navien::default().connect_options(&credentials, now(3700).wall).ok_or("no ticket")?;
    let json = session.export().ok_or("nothing to export")?.to_json();
    let saved = SavedSession::parse(json.expose().as_bytes(), now(3700))?;

    // Another session goes on from the store alone, login included, and is refused by a service that repeats it.
    let refused = move |request: &Request| match path(request) {
        path if path.ends_with("/user/sign-in") => {
            let password = secrets.get("navien password");
            answer(401, &[r#"{"code":401,"msg":"no such password: "#, &password, r#""}"#])
        }
        _ => {
            let (access, refresh) = (secrets.get("navien access 2"), secrets.get("navien refresh 2"));
            answer(401, &[r#"{"code":401,"msg":"invalid "#, &refresh, " or ", &access, r#""}"#])
        }
    };
    let mut other = Session::new(Navien::default(), None, Policy::default(), 2).with_store();
    let mut its_keeper = StoreDriver::new(store.clone());
    other.demand(LeaseId::Access, now(3701));
    drive(&mut other, Some(&mut its_keeper), &refused, now(3701))?;
    other.demand(LeaseId::Access, now(9000));
    drive(&mut other, Some(&mut its_keeper), &refused, now(9000))?;
    drop(format!("{:?} {other:?}", other.obstacle(LeaseId::Access)));

    Ok(vec![
        Box::new(session),
        Box::new(keeper),
        Box::new(other),
        Box::new(its_keeper),
        Box::new(store),
        Box::new((login, credentials, headers)),
        Box::new((url, parts, json, saved)),
    ])
}
