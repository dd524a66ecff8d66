//! Auth0: a walk through the pages, with their cookies.

use perennial_core::providers::auth0::{Auth0, Login};
use perennial_core::{LeaseId, Policy, Request, Response, Session};
use perennial_tests::forgetful::Secrets;

use crate::answers::{Held, answer, drive, now, path, run, with};

/// `{"exp":1700086400}`, between a head and what is secret.
const CLAIMS: &str = "e30.eyJleHAiOjE3MDAwODY0MDB9.";

fn service(secrets: Secrets, request: &Request) -> Response {
    match path(request) {
        "/auth/login" => {
            let cookie = secrets.get("auth0 session cookie");
            let page = answer(200, &[r#"<form><input name="state" value="s-1"></form>"#]);
            with(page, "set-cookie", &["angelSession=", &cookie, "; Path=/"])
        }
        "/u/login/password" => {
            let (csrf, cookie) = (secrets.get("auth0 form token"), secrets.get("auth0 other cookie"));
            let form = "<form><input name='state' value='s-2'><input name='_csrf_token' value='";
            with(answer(200, &[form, &csrf, "'></form>"]), "set-cookie", &["auth0=", &cookie, "; HttpOnly"])
        }
        "/u/login" => {
            let token = secrets.get("auth0 token");
            let page = with(answer(302, &[]), "location", &["https://www.angel.com/"]);
            with(page, "set-cookie", &["angel_jwt=", CLAIMS, &token, "; Domain=.angel.com; Path=/"])
        }
        _ => answer(200, &["<p>welcome</p>"]),
    }
}

pub(crate) fn play(secrets: Secrets) -> Held {
    let login = Login::new("viewer@example.com", secrets.get("auth0 password").as_str())?;
    let auth0 = Auth0::angel_studios();
    let mut session = Session::new(auth0.clone(), login.clone(), Policy::default(), 1);
    session.demand(LeaseId::Access, now(0));
    drive(&mut session, None, &|request| service(secrets, request), now(0))?;
    let Some(credentials) = session.credentials(LeaseId::Access, now(1)).cloned() else {
        return Err(format!("no credentials: {:?}", session.pause(LeaseId::Access)).into());
    };

    // Refused, on a page that repeats what was typed.
    let refused = |request: &Request| match path(request) {
        "/u/login" => {
            let password = secrets.get("auth0 password");
            answer(400, &[r#"<div class="error-message">Wrong password: "#, &password, "</div>"])
        }
        _ => service(secrets, request),
    };
    drop(format!("{:?}", run(auth0.sign_in(&login), &refused).map(drop)));
    Ok(vec![Box::new(session), Box::new((login, credentials))])
}
