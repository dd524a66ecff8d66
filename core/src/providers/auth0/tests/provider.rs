//! The provider's answers to a session, and tokens that were kept elsewhere.

use http::{HeaderValue, Uri};

use super::*;

fn credentials(grant: Grant) -> Credentials {
    Credentials::from_grant(grant, None).unwrap()
}

#[test]
fn an_api_call_carries_the_token_as_header_or_cookie() {
    let grant = Walk::submitted().ends(with(page(200, ""), &[("set-cookie", &token_cookie("angel_jwt"))]));
    let (have, expected) = (credentials(grant), jwt("angel_jwt", START + 86_400));
    let uri = Uri::default();
    let call = Call::new(&http::Method::GET, &uri, now(0).wall);
    let mut headers = HeaderMap::new();
    Auth0::angel_studios().authorize(&call, &have, &mut headers);
    assert_eq!(headers["authorization"], format!("Bearer {expected}"));
    assert!(headers["authorization"].is_sensitive());

    let by_cookie = Auth0::builder(ANGEL_BASE_URL).authorization(Authorization::Cookie).build().unwrap();
    let mut headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static("theme=dark"))]);
    by_cookie.authorize(&call, &have, &mut headers);
    // In the cookie that it came in, not the preferred one; also after an import.
    assert_eq!(headers["cookie"], format!("theme=dark; angel_jwt={expected}"));
    let saved = SavedSession::new(NAME, ANGEL_BASE_URL, have).to_json();
    let restored = by_cookie.read_saved_session(saved.expose().as_bytes(), now(5)).unwrap().into_credentials();
    let mut headers = HeaderMap::new();
    by_cookie.authorize(&call, &restored, &mut headers);
    assert_eq!(headers["cookie"], format!("angel_jwt={expected}"));
    let mut headers = HeaderMap::new();
    by_cookie.authorize(&call, &credentials(by_cookie.from_token(&expected, now(0)).unwrap()), &mut headers);
    assert_eq!(headers["cookie"], format!("angel_jwt_v2={expected}"));
}

#[test]
fn bug_the_refresh_buffer_had_no_effect() {
    assert_eq!(Auth0::angel_studios().margin(), Duration::from_secs(3600));
    let other = Auth0::builder(ANGEL_BASE_URL).refresh_buffer(Duration::from_secs(60)).build().unwrap();
    assert_eq!(other.margin(), Duration::from_secs(60));
    let grant = other.from_token(&jwt("x", START + 86_400), now(0)).unwrap();
    let have = credentials(grant).with_margin(Auth0::angel_studios().margin());
    assert!(!have.renewal_due(now(86_400 - 3601)));
    assert!(have.renewal_due(now(86_400 - 3600)) && !have.is_expired(now(86_400 - 3600)));
}

#[test]
fn there_is_one_renewal_method_and_no_revocation() {
    let auth0 = Auth0::angel_studios();
    assert_eq!(auth0.methods(LeaseId::Access), [Method::SignIn]);
    assert!(auth0.methods(LeaseId::Aws).is_empty());
    assert_eq!(auth0.consumes(Method::SignIn), Consumes::LoginAttempt);
    assert!(auth0.begin(Method::SignIn, None, None).is_none());
    assert!(auth0.begin(Method::SignIn, Some(&login()), None).is_some());
    let have = credentials(auth0.from_token(&jwt("x", START), now(0)).unwrap());
    assert!(auth0.sign_out(&have).is_none());
}

#[test]
fn requests_have_the_timeout_and_user_agent_of_the_settings() {
    let site = Auth0::builder(ANGEL_BASE_URL).timeout(Duration::from_secs(7)).user_agent("mine/1").build().unwrap();
    let mut walk = Walk::at(&site);
    walk.goes_on(login_page());
    walk.goes_on(password_page());
    for request in &walk.requests {
        assert_eq!((request.timeout, header(request, "user-agent")), (Duration::from_secs(7), "mine/1"));
    }
}

// -- Tokens that were kept elsewhere.

#[test]
fn a_kept_token_is_imported_bare_or_in_the_saved_form() {
    let auth0 = Auth0::angel_studios();
    let kept = jwt("x", START + 7200);
    for text in [kept.clone(), format!("  \"{kept}\"\n")] {
        let saved = auth0.read_saved_session(text.as_bytes(), now(0)).unwrap();
        assert_eq!((saved.provider(), saved.namespace()), ("auth0", ANGEL_BASE_URL));
        let again = auth0.read_saved_session(saved.to_json().expose().as_bytes(), now(60)).unwrap().into_credentials();
        assert_eq!((again.access().expose(), again.expires_at()), (kept.as_str(), Some(now(7200).wall)));
    }
    let over = credentials(auth0.from_token(&jwt("x", START - 5), now(0)).unwrap());
    assert!(over.is_expired(now(0)));
}

#[test]
fn bug_a_broken_stored_token_failed_for_ever() {
    let auth0 = Auth0::angel_studios();
    let grant = Walk::submitted().ends(with(page(200, ""), &[("set-cookie", &token_cookie("angel_jwt"))]));
    let whole = SavedSession::new(NAME, ANGEL_BASE_URL, credentials(grant)).to_json();
    let broken = whole.expose().replace(&jwt("angel_jwt", START + 86_400), "garbage");
    assert_ne!(broken, whole.expose());
    for bad in [broken.as_str(), "", "garbage", "{}", "a.b.c", "\u{0}", "null"] {
        let error = auth0.read_saved_session(bad.as_bytes(), now(0)).unwrap_err();
        assert!(matches!(error, ImportError::Malformed { .. }), "{bad}: {error:?}");
        assert_eq!(auth0.from_token(bad, now(0)).unwrap_err(), InvalidJwt);
    }
    assert!(auth0.read_saved_session(b"\xff", now(0)).is_err());
    // It is not imported: the session signs in.
    Walk::at(&auth0).goes_on(login_page());
}

#[test]
fn requests_and_parsers_work_without_an_exchange() {
    let auth0 = Auth0::angel_studios();
    let form = Page::read(password_page().body().as_ref());
    let (state, csrf_token) = (form.state().unwrap(), form.csrf_token().unwrap());
    assert_eq!(format!("{:?}", auth0.submit_request(&login(), state, csrf_token)), "POST auth.angel.com/u/login");
    assert_eq!(auth0.password_page_request(&login(), &Secret::from("s")).http.uri().path(), "/u/login/password");
    assert_eq!(auth0.login_page_request().http.uri(), "https://www.angel.com/auth/login");
    assert!(parse_refusal(&page(200, "hello"), now(0)).is_none());
}
