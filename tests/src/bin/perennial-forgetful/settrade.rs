//! Settrade: a key that signs, a refresh, a ticket.

use perennial_core::providers::settrade::{Login, Settrade};
use perennial_core::{LeaseId, Policy, Request, Response, Session};
use perennial_tests::forgetful::Secrets;

use crate::answers::{Held, answer, drive, now, path, run};

fn service(secrets: Secrets, request: &Request) -> Response {
    if path(request).contains("dispatcher") {
        let token = secrets.get("settrade dispatcher token");
        return answer(200, &[r#"{"hosts":["mqtt.example"],"token":""#, &token, r#""}"#]);
    }
    let (access, refresh) = (secrets.get("settrade access"), secrets.get("settrade refresh"));
    let (open, next) = (r#"{"token_type":"Bearer","access_token":""#, r#"","refresh_token":""#);
    answer(200, &[open, &access, next, &refresh, r#"","expires_in":3600}"#])
}

pub(crate) fn play(secrets: Secrets) -> Held {
    let settrade = Settrade::new("041", "ALGO")?;
    let login = Login::new("app", secrets.key("settrade key").as_str())?;
    let mut session = Session::new(settrade.clone(), login.clone(), Policy::default(), 1);
    session.demand(LeaseId::Access, now(0));
    drive(&mut session, None, &|request| service(secrets, request), now(0))?;
    session.renew(LeaseId::Access, now(60));
    drive(&mut session, None, &|request| service(secrets, request), now(60))?;
    let credentials = session.credentials(LeaseId::Access, now(60)).ok_or("no credentials")?.clone();
    let ticket = run(settrade.mqtt(&credentials), &|request| service(secrets, request))?;

    // Refused, in words that repeat what was sent.
    let token = credentials.refresh_token().ok_or("no refresh token")?.clone();
    let refused = |_: &Request| {
        let refresh = secrets.get("settrade refresh");
        answer(401, &[r#"{"code":"NO","message":"invalid "#, &refresh, r#""}"#])
    };
    drop(format!("{:?}", run(settrade.refresh("app", &token, "Bearer"), &refused).map(drop)));
    Ok(vec![Box::new(session), Box::new((login, credentials, ticket, token))])
}
