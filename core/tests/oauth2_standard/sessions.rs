//! The provider `oauth2` in a session.

use perennial_core::oauth2::{ClientAuth, Rotation};
use perennial_core::providers::oauth2::{Login, OAuth2};
use perennial_core::{Error, Input, LeaseId, Output, Policy, Secret, Session, SessionError, State};

use super::*;

struct Desk {
    session: Session<OAuth2>,
    now: Now,
}

impl Desk {
    fn new(profile: Profile, login: Option<Login>) -> Self {
        Self { session: Session::new(OAuth2::new(profile), login, Policy::default(), 7), now: now(0) }
    }

    fn pass(&mut self, seconds: u64) {
        let by = Duration::from_secs(seconds);
        self.now = Now::new(self.now.wall.saturating_add(by), self.now.monotonic + by);
        self.session.handle_input(Input::Wake, self.now);
    }

    /// The request that the session sends now, if it sends one.
    fn request(&mut self) -> Option<Request> {
        loop {
            match self.session.poll_output() {
                Output::Send(request) => return Some(request),
                Output::Sleep(_) => return None,
                _ => {}
            }
        }
    }

    /// Answers the request that the session sends now.
    fn answer(&mut self, status: u16, body: &str) -> Request {
        let request = self.request().expect("a request");
        self.session.handle_input(Input::Response(request.id, answer(status, body)), self.now);
        request
    }
}

fn accepted(profile: Profile) -> Desk {
    let mut desk = Desk::new(profile, None);
    let body = r#"{"access_token":"at-1","refresh_token":"rt-1","expires_in":3600}"#;
    desk.session.install_grant(granted(body), desk.now).unwrap();
    desk
}

#[test]
fn a_client_signs_in_by_itself_and_again() {
    let profile = profile().with_client_auth(ClientAuth::SecretBasic(Secret::from("s")));
    let mut desk = Desk::new(profile, Some(Login::client_credentials().scopes(["read"])));
    desk.session.demand(LeaseId::Access, desk.now);
    let request = desk.answer(200, r#"{"access_token":"at-1","expires_in":600}"#);
    assert_eq!(field(&request, "grant_type").unwrap(), "client_credentials");
    assert_eq!(field(&request, "scope").unwrap(), "read");
    desk.pass(600);
    desk.session.demand(LeaseId::Access, desk.now);
    let request = desk.answer(200, r#"{"access_token":"at-2","expires_in":600}"#);
    assert_eq!(field(&request, "grant_type").unwrap(), "client_credentials");
    assert_eq!(desk.session.credentials(LeaseId::Access, desk.now).unwrap().access().expose(), "at-2");
}

#[test]
fn a_grant_of_an_interactive_sign_in_is_renewed() {
    let mut desk = accepted(profile());
    desk.pass(3400);
    let request = desk.answer(200, r#"{"access_token":"at-2","refresh_token":"rt-2","expires_in":3600}"#);
    assert_eq!(field(&request, "refresh_token").unwrap(), "rt-1");
    desk.pass(3400);
    assert_eq!(field(&desk.answer(200, r#"{"access_token":"at-3"}"#), "refresh_token").unwrap(), "rt-2");
    let held = desk.session.credentials(LeaseId::Access, desk.now).unwrap();
    assert_eq!((held.access().expose(), held.refresh_token().unwrap().expose()), ("at-3", "rt-2"));
}

#[test]
fn a_refused_refresh_token_asks_for_a_new_sign_in() {
    let mut desk = accepted(profile());
    desk.pass(3400);
    desk.answer(400, r#"{"error":"invalid_grant"}"#);
    desk.pass(300);
    desk.session.demand(LeaseId::Access, desk.now);
    assert!(desk.request().is_none());
    assert!(desk.session.credentials(LeaseId::Access, desk.now).is_none());
}

#[test]
fn a_server_that_needs_a_person_ends_the_session_at_the_first_refresh() {
    let mut desk = accepted(profile());
    desk.pass(3400);
    desk.answer(401, r#"{"error":"login_required"}"#);
    desk.pass(300);
    for _ in 0..100 {
        desk.session.demand(LeaseId::Access, desk.now);
        desk.pass(60);
        assert!(desk.request().is_none(), "it is not asked again");
    }
    assert_eq!(desk.session.state(), State::SignInRequired);
    let Some(Error::Session(SessionError::SignInRequired { source, .. })) = desk.session.obstacle(LeaseId::Access)
    else {
        panic!("{:?}", desk.session.obstacle(LeaseId::Access));
    };
    assert!(source.is_some_and(|error| error.to_string().contains("login_required")), "it says why");
}

#[test]
fn a_misconfigured_client_does_not_cost_the_refresh_token() {
    for rotation in [Rotation::OneUse, Rotation::Reusable] {
        let mut desk = accepted(profile().with_rotation(rotation));
        desk.pass(3400);
        desk.answer(401, r#"{"error":"invalid_client"}"#);
        desk.pass(300);
        let request = desk.request().expect("it tries again");
        assert_eq!(field(&request, "refresh_token").unwrap(), "rt-1");
    }
}

#[cfg(feature = "es256")]
mod signed {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    use perennial_core::ServiceErrorKind;
    use perennial_core::oauth2::{Assertions, Es256};

    use super::*;

    /// Ten minutes after the session's clock, which shows 22:13:20.
    const DATE: &str = "Tue, 14 Nov 2023 22:23:20 GMT";

    fn signing() -> Profile {
        let assertions = Assertions::new(Es256::new([1; 32]).unwrap(), [2; 32]);
        profile().with_client_auth(ClientAuth::PrivateKeyJwt(assertions))
    }

    /// The `iat` of a request's assertion.
    fn issued_at(request: &Request) -> i64 {
        let statement = field(request, "client_assertion").unwrap();
        let claims = Base64UrlUnpadded::decode_vec(statement.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice::<serde_json::Value>(&claims).unwrap()["iat"].as_i64().unwrap()
    }

    fn refuse(desk: &mut Desk, date: Option<&'static str>) -> i64 {
        let request = desk.request().expect("a request");
        let mut refused = answer(401, r#"{"error":"invalid_client"}"#);
        refused.headers_mut().extend(date.map(|date| (http::header::DATE, http::HeaderValue::from_static(date))));
        desk.session.handle_input(Input::Response(request.id, refused), desk.now);
        issued_at(&request)
    }

    #[test]
    fn an_assertion_rejected_while_clocks_differ_is_made_again_for_the_servers_time() {
        let mut desk = Desk::new(signing(), Some(Login::client_credentials()));
        desk.session.demand(LeaseId::Access, desk.now);
        assert_eq!(refuse(&mut desk, Some(DATE)), 1_700_000_000);
        let second = desk.answer(200, r#"{"access_token":"at-1","expires_in":600}"#);
        assert_eq!(issued_at(&second), 1_700_000_600);
        let held = desk.session.credentials(LeaseId::Access, desk.now).unwrap();
        assert_eq!(held.time_until_expiry(desk.now), Some(time::Duration::seconds(600)), "by our own clock");

        // The refresh token that was sent is not lost.
        let mut desk = accepted(signing());
        desk.pass(3400);
        refuse(&mut desk, Some(DATE));
        let second = desk.answer(200, r#"{"access_token":"at-2"}"#);
        assert_eq!(field(&second, "refresh_token").unwrap(), "rt-1");
        assert!(desk.session.credentials(LeaseId::Access, desk.now).is_some());
    }

    #[test]
    fn a_client_rejected_with_an_assertion_for_the_servers_time_is_rejected() {
        let dead = |desk: &Desk| match desk.session.obstacle(LeaseId::Access) {
            Some(Error::Service(error)) => error.kind() == ServiceErrorKind::InvalidCredentials,
            _ => false,
        };
        let mut desk = Desk::new(signing(), Some(Login::client_credentials()));
        desk.session.demand(LeaseId::Access, desk.now);
        refuse(&mut desk, Some(DATE));
        refuse(&mut desk, Some(DATE));
        assert!(desk.request().is_none() && dead(&desk), "once");
        for date in [None, Some("Tue, 14 Nov 2023 22:13:49 GMT"), Some("soon")] {
            let mut desk = Desk::new(signing(), Some(Login::client_credentials()));
            desk.session.demand(LeaseId::Access, desk.now);
            refuse(&mut desk, date);
            assert!(desk.request().is_none() && dead(&desk), "{date:?}");
        }
    }
}

#[test]
fn a_gateways_page_in_place_of_the_endpoint_is_retried() {
    for status in [404, 405, 501] {
        let mut desk = accepted(profile());
        desk.pass(3400);
        desk.answer(status, "<html><title>404 Not Found</title></html>");
        desk.pass(300);
        let request = desk.answer(200, r#"{"access_token":"at-2"}"#);
        assert_eq!(field(&request, "refresh_token").unwrap(), "rt-1", "{status}");
        assert_eq!(desk.session.credentials(LeaseId::Access, desk.now).unwrap().access().expose(), "at-2");
    }
}

#[test]
fn signing_out_clears_locally_even_if_revoking_fails() {
    let revoking = profile().with_revocation_endpoint("https://auth.example/revoke").unwrap();
    let mut desk = accepted(revoking);
    desk.session.sign_out(perennial_core::SignOut::KeepLogin, desk.now);
    assert!(desk.session.credentials(LeaseId::Access, desk.now).is_none());
    let first = desk.answer(500, "");
    assert_eq!(field(&first, "token").unwrap(), "rt-1");
    let second = desk.answer(500, "");
    assert_eq!(field(&second, "token").unwrap(), "at-1");
    desk.pass(3600);
    assert!(desk.session.credentials(LeaseId::Access, desk.now).is_none());
    assert!(matches!(desk.session.state(), State::SignedOut));
}
