//! Mosaia: a password, a program's secret, a refresh, a bare token, a sign-out.

use perennial_core::providers::mosaia::{Login, Mosaia, bare_token};
use perennial_core::{LeaseId, Policy, Request, Response, Session, SignOut};
use perennial_tests::forgetful::Secrets;

use crate::answers::{Held, answer, drive, now, path, run};

/// Plain where OAuth is spoken, and in an envelope elsewhere.
fn tokens(secrets: Secrets, open: &str, close: &str) -> Response {
    let (access, refresh) = (secrets.get("mosaia access"), secrets.get("mosaia refresh"));
    let pieces = [
        open,
        r#"{"access_token":""#,
        &access,
        r#"","refresh_token":""#,
        &refresh,
        r#"","token_type":"Bearer","expires_in":"3600","sub":"user","iat":"1","exp":"2"}"#,
        close,
    ];
    answer(200, &pieces)
}

pub(crate) fn play(secrets: Secrets) -> Held {
    let service = move |request: &Request| match path(request) {
        "/v1/auth/signin" => tokens(secrets, r#"{"meta":{"status":200},"data":"#, "}"),
        "/v1/auth/token" => tokens(secrets, "", ""),
        _ => answer(200, &["{}"]),
    };
    let mosaia = Mosaia::builder().client_id("app").build()?;
    let password = Login::password("grower@example.com", secrets.get("mosaia password").as_str())?;
    let program = Login::client("robot", secrets.get("mosaia client secret").as_str())?;
    run(mosaia.sign_in(&program), &service)?;

    let mut session = Session::new(mosaia.clone(), password.clone(), Policy::default(), 1);
    session.demand(LeaseId::Access, now(0));
    drive(&mut session, None, &service, now(0))?;
    let credentials = session.credentials(LeaseId::Access, now(1)).ok_or("no credentials")?.clone();
    let token = credentials.refresh_token().ok_or("no refresh token")?.clone();
    run(mosaia.refresh(&token), &service)?;
    run(mosaia.refresh_oauth(&token), &service)?;
    let _ = run(mosaia.check(credentials.access()), &service);
    let bare = bare_token(secrets.get("mosaia bare token").as_str(), now(0))?;

    // Refused, in words that repeat what was sent.
    let refused = move |_: &Request| {
        let (refresh, password) = (secrets.get("mosaia refresh"), secrets.get("mosaia password"));
        answer(401, &[r#"{"error":{"message":"not "#, &refresh, " nor ", &password, r#"","status":401}}"#])
    };
    drop(format!("{:?}", run(mosaia.refresh(&token), &refused).map(drop)));
    drop(format!("{:?}", run(mosaia.sign_in(&password), &refused).map(drop)));
    session.sign_out(SignOut::ForgetLogin, now(2));
    drive(&mut session, None, &service, now(2))?;
    Ok(vec![Box::new(session), Box::new((password, program, credentials, token, bare))])
}
