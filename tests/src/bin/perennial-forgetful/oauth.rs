//! Any OAuth 2 server: every way for a client to prove itself, every way to sign in, revocation.

use perennial_core::oauth2::{Assertions, AuthorizationRequest, ClientAuth, Es256, PendingAuthorization, Profile};
use perennial_core::providers::oauth2::{Login, OAuth2};
use perennial_core::{LeaseId, Policy, Request, Response, Secret, Session};
use perennial_tests::forgetful::Secrets;
use zeroize::Zeroizing;

use crate::answers::{Held, answer, drive, now, path, poll, run};

fn tokens(secrets: Secrets) -> Response {
    let (access, refresh, id) = (secrets.get("oauth access"), secrets.get("oauth refresh"), secrets.get("oauth id"));
    let extra = secrets.get("oauth extra");
    let pieces = [
        r#"{"token_type":"Bearer","scope":"a b","access_token":""#,
        &access,
        r#"","refresh_token":""#,
        &refresh,
        r#"","id_token":""#,
        &id,
        r#"","token_of_its_own":""#,
        &extra,
        r#"","expires_in":3600}"#,
    ];
    answer(200, &pieces)
}

fn service(secrets: Secrets, request: &Request) -> Response {
    match path(request) {
        "/device" => {
            let code = secrets.get("oauth device code");
            let rest = r#"","user_code":"AB","verification_uri":"https://auth.example/d","expires_in":600}"#;
            answer(200, &[r#"{"device_code":""#, &code, rest])
        }
        "/revoke" => answer(200, &[]),
        _ => tokens(secrets),
    }
}

/// Words that repeat what was sent.
fn refusal(secrets: Secrets) -> Response {
    let (refresh, secret) = (secrets.get("oauth refresh"), secrets.get("oauth client secret"));
    let open = r#"{"error":"invalid_grant","error_description":"not "#;
    answer(400, &[open, &refresh, " of ", &secret, r#""}"#])
}

fn profile() -> Result<Profile, Box<dyn std::error::Error>> {
    Ok(Profile::new("https://auth.example/token", "app")?
        .with_authorization_endpoint("https://auth.example/authorize")?
        .with_revocation_endpoint("https://auth.example/revoke")?
        .with_device_endpoint("https://auth.example/device")?)
}

/// A key as a JSON Web Key.
fn key(secrets: Secrets) -> Result<Es256, Box<dyn std::error::Error>> {
    let scalar = secrets.key("oauth assertion key");
    let mut jwk = Zeroizing::new(String::with_capacity(200));
    for piece in [r#"{"kty":"EC","crv":"P-256","d":""#, scalar.trim_end_matches('='), r#""}"#] {
        jwk.push_str(piece);
    }
    Ok(Es256::from_jwk(&jwk)?)
}

pub(crate) fn play(secrets: Secrets) -> Held {
    let answered = |request: &Request| service(secrets, request);
    let client_secret = Secret::from(secrets.get("oauth client secret").as_str());
    let basic = profile()?.with_client_auth(ClientAuth::SecretBasic(client_secret.clone()));
    let post = profile()?.with_client_auth(ClientAuth::SecretPost(client_secret));
    let seed = std::array::from_fn(|n| u8::try_from(n).unwrap_or_default());
    let signed = profile()?.with_client_auth(ClientAuth::PrivateKeyJwt(Assertions::new(key(secrets)?, seed)));

    // A session with a password, a refresh, a sign-out that revokes.
    let login = Login::legacy_password("grower@example.com", secrets.get("oauth password").as_str())?;
    let mut session = Session::new(OAuth2::new(basic.clone()), login.clone(), Policy::default(), 1);
    session.demand(LeaseId::Access, now(0));
    drive(&mut session, None, &answered, now(0))?;
    session.renew(LeaseId::Access, now(60));
    drive(&mut session, None, &answered, now(60))?;
    let credentials = session.credentials(LeaseId::Access, now(60)).ok_or("no credentials")?.clone();
    let told = credentials.extra("scope");
    let json = session.export().ok_or("nothing to export")?.to_json();
    let saved = perennial_core::SavedSession::parse(json.expose().as_bytes(), now(60))?;
    if let Some(revocation) = basic.revoke(&credentials) {
        run(revocation, &answered)?;
    }

    // Every way for a client to prove itself, and a refusal that repeats the proof.
    let token = credentials.refresh_token().ok_or("no refresh token")?.clone();
    for profile in [&basic, &post, &signed] {
        run(profile.client_credentials(&["a"]), &answered)?;
        drop(format!("{:?}", run(profile.refresh(&token), &|_| refusal(secrets)).map(drop)));
        drop(format!("{profile:?}"));
    }

    // A browser, over a process that ends in between.
    let entropy = secrets.get("oauth entropy");
    let mut bytes = Zeroizing::new([0; 64]);
    bytes.iter_mut().zip(entropy.bytes().cycle()).for_each(|(place, byte)| *place = byte);
    let authorization = basic.authorize(*bytes, &AuthorizationRequest::new("http://127.0.0.1:8123/done"), now(0))?;
    let state = authorization.url().split("state=").nth(1).and_then(|rest| rest.split('&').next());
    let code = secrets.get("oauth code");
    let mut redirect = Zeroizing::new(String::with_capacity(300));
    for piece in ["http://127.0.0.1:8123/done?code=", &code, "&state=", state.ok_or("no state")?] {
        redirect.push_str(piece);
    }
    let exported = authorization.into_pending().export();
    let pending = PendingAuthorization::restore(&basic, exported, now(1))?;
    run(pending.exchange_code(&redirect, now(2))?, &answered)?;

    // A device.
    let device = run(basic.device(&["a"]).ok_or("no device endpoint")?, &answered)?;
    poll(device.poll(), &answered)?;

    Ok(vec![
        Box::new(session),
        Box::new((basic, post, signed, login, credentials, token)),
        Box::new((json, saved, told, device)),
    ])
}
