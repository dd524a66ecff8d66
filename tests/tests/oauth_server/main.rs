//! A certified OAuth 2 and OpenID Connect server (npm `oidc-provider`, installed by `tests/clients/install.sh`) and
//! both adapters.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![allow(unreachable_pub, reason = "modules of one test")]

mod adapters;
mod browser;
mod server;

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use perennial_adapter::{Clock, ManualClock, SessionBuilder, SystemClock};
use perennial_core::oauth2::{
    Assertions, AuthorizationError, AuthorizationRequest, ClientAuth, DevicePoll, Discovery, ErrorCode, Es256,
    PendingAuthorization, Profile, scopes,
};
use perennial_core::providers::oauth2::{Login, OAuth2};
use perennial_core::{Error, Grant, Now, Request, Response, Secret, ServiceErrorKind, SessionError};
use perennial_core::{Polled, PollingExchange};

use self::adapters::{Adapter, Blocking, Hyper};
use self::browser::Browser;
use self::server::{Server, Stats};

/// Where nobody listens: the browser of these tests stops before it.
const REDIRECT_URI: &str = "http://127.0.0.1:1/done";

/// RFC 7515 appendix A.3.1; the server has the public half.
const KEY: &str = r#"{"kty":"EC","crv":"P-256","kid":"k1","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;

/// No byte of it like the one before.
fn entropy(seed: u8) -> [u8; 64] {
    std::array::from_fn(|n| seed.wrapping_add(u8::try_from(n).unwrap()))
}

fn wanted() -> AuthorizationRequest {
    // A refresh token is for those who were asked for it (OpenID Connect §11).
    AuthorizationRequest::new(REDIRECT_URI).scopes(["openid", "offline_access"]).parameter("prompt", "consent")
}

/// Signs in through the browser.
fn sign_in<A: Adapter>(profile: &Profile) -> Grant {
    let now = SystemClock.now();
    let authorization = profile.authorize(entropy(1), &wanted(), now).unwrap();
    let redirect = Browser::default().visit(authorization.url(), REDIRECT_URI);
    A::run(authorization.into_pending().exchange_code(&redirect, now).unwrap()).unwrap()
}

fn kind(error: &Error) -> ServiceErrorKind {
    match error {
        Error::Service(error) => error.kind(),
        other => panic!("{other}"),
    }
}

fn discovery<A: Adapter>() {
    let Some(server) = Server::start() else { return };
    let metadata = A::run(Discovery::new(server.issuer()).unwrap()).unwrap();
    assert_eq!(metadata.issuer(), server.issuer());
    assert!(metadata.promises_issuer());
    let profile = metadata.profile("app", ClientAuth::None).unwrap();
    assert!(profile.device_endpoint().is_some() && profile.revocation_endpoint().is_some());
    // Letter by letter: this is another issuer.
    let error = A::run(Discovery::new(&format!("{}/", server.issuer())).unwrap()).unwrap_err();
    assert!(matches!(kind(&error), ServiceErrorKind::Malformed { .. }));
}

fn code_with_pkce<A: Adapter>() {
    let Some(server) = Server::start() else { return };
    let profile = server.profile::<A>();
    let grant = sign_in::<A>(&profile);
    assert_eq!(grant.grant_type, Some("authorization_code"));
    assert!(grant.refresh_token.is_some() && grant.id_token.is_some());
    assert!(server.is_active(grant.access.as_ref().unwrap().expose()));
    let credentials = perennial_core::Credentials::from_grant(grant, None).unwrap();
    assert_eq!(scopes(&credentials), ["openid", "offline_access"]);
}

fn a_pending_sign_in_survives_between_two_web_requests<A: Adapter>() {
    let Some(server) = Server::start() else { return };
    let (profile, now) = (server.profile::<A>(), SystemClock.now());
    let authorization = profile.authorize(entropy(2), &wanted(), now).unwrap();
    let redirect = Browser::default().visit(authorization.url(), REDIRECT_URI);
    let kept = authorization.into_pending().export();
    let pending = PendingAuthorization::restore(&profile, kept.clone(), now).unwrap();
    assert!(A::run(pending.exchange_code(&redirect, now).unwrap()).is_ok());
    // A copy brings nothing: the server takes a code once.
    let copy = PendingAuthorization::restore(&profile, kept, now).unwrap();
    assert_eq!(
        kind(&A::run(copy.exchange_code(&redirect, now).unwrap()).unwrap_err()),
        ServiceErrorKind::InvalidCredentials
    );
}

fn another_sign_ins_code_is_refused<A: Adapter>() {
    let Some(server) = Server::start() else { return };
    let (profile, now) = (server.profile::<A>(), SystemClock.now());
    let mine = profile.authorize(entropy(3), &wanted(), now).unwrap();
    let theirs = profile.authorize(entropy(4), &wanted(), now).unwrap();
    let redirect = Browser::default().visit(theirs.url(), REDIRECT_URI);
    let mine = mine.into_pending();
    assert!(!mine.matches(&redirect));
    assert_eq!(mine.exchange_code(&redirect, now).unwrap_err(), AuthorizationError::State);
    // The right state around a code of another sign-in: the verifier does not fit.
    let mine = profile.authorize(entropy(3), &wanted(), now).unwrap();
    let state = |url: &str| url.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let swapped = redirect.replace(&state(&redirect), &state(mine.url()));
    let error = A::run(mine.into_pending().exchange_code(&swapped, now).unwrap()).unwrap_err();
    assert_eq!(kind(&error), ServiceErrorKind::InvalidCredentials);
}

fn a_person_who_says_no<A: Adapter>() {
    let Some(server) = Server::start() else { return };
    let (profile, now) = (server.profile::<A>(), SystemClock.now());
    let wanted = wanted().parameter("login_hint", "nobody");
    let authorization = profile.authorize(entropy(5), &wanted, now).unwrap();
    let redirect = Browser::default().visit(authorization.url(), REDIRECT_URI);
    match authorization.into_pending().exchange_code(&redirect, now).unwrap_err() {
        AuthorizationError::Refused(refusal) => {
            assert_eq!(refusal.code(), ErrorCode::AccessDenied);
            assert_eq!(refusal.description(), Some("the person said no"));
        }
        other => panic!("{other}"),
    }
}

fn refresh_with_rotation_and_reuse_detection<A: Adapter>() {
    let Some(server) = Server::start() else { return };
    let profile = server.profile::<A>();
    let first = sign_in::<A>(&profile).refresh_token.unwrap();
    let renewed = A::run(profile.refresh(&first)).unwrap();
    let second = renewed.refresh_token.unwrap();
    assert_ne!(first.expose(), second.expose());
    assert_eq!(renewed.grant_type, None);

    // A token that was shown twice is stolen or lost: the server ends the whole family.
    assert_eq!(kind(&A::run(profile.refresh(&first)).unwrap_err()), ServiceErrorKind::RefreshRefused);
    assert_eq!(kind(&A::run(profile.refresh(&second)).unwrap_err()), ServiceErrorKind::RefreshRefused);
    assert_eq!(server.stats(), Stats { refreshes: 1, reuses: 1 });
}

fn a_session_whose_family_was_ended_asks_for_a_sign_in<A: Adapter>() {
    let Some(server) = Server::start() else { return };
    let profile = server.profile::<A>();
    let grant = sign_in::<A>(&profile);
    let stolen = grant.refresh_token.clone().unwrap();
    let session = A::build(SessionBuilder::new(OAuth2::new(profile.clone())));
    A::accept(&session, grant);
    A::run(profile.refresh(&stolen)).unwrap();
    assert!(A::renew(&session).is_err());
    // What is valid yet stays in use until the session is asked for more.
    let again = A::renew(&session).unwrap_err();
    assert!(matches!(again, Error::Session(SessionError::SignInRequired { .. }) | Error::Service(_)), "{again}");
    A::accept(&session, sign_in::<A>(&profile));
    assert!(server.is_active(A::renew(&session).unwrap().access().expose()));
}

fn client_credentials<A: Adapter>() {
    let Some(server) = Server::start() else { return };
    let assertions = Assertions::new(Es256::from_jwk(KEY).unwrap(), [7; 32]);
    for (client, auth) in [
        ("basic:1 %+", ClientAuth::SecretBasic(Server::secret())),
        ("post", ClientAuth::SecretPost(Server::secret())),
        ("signed", ClientAuth::PrivateKeyJwt(assertions)),
    ] {
        let profile = server.profile_of::<A>(client, auth).with_resource("https://api.example/").unwrap();
        let session =
            A::build(SessionBuilder::new(OAuth2::new(profile)).login(Login::client_credentials().scopes(["read"])));
        let credentials = A::credentials(&session).unwrap();
        assert_eq!(scopes(&credentials), ["read"], "{client}");
        assert_eq!(credentials.access().validity().lifetime(), Some(Duration::from_secs(600)));
        assert_eq!(server.introspect(credentials.access().expose())["aud"], "https://api.example/");
        assert_eq!(credentials.grant_type(), Some("client_credentials"));
        // Each statement is good once: the second sign-in brings a new one.
        let renewed = A::renew(&session).unwrap();
        assert_ne!(renewed.access().expose(), credentials.access().expose());
        assert!(server.is_active(renewed.access().expose()));
    }
}

fn a_wrong_client_secret_is_refused_and_not_tried_again<A: Adapter>() {
    let Some(server) = Server::start() else { return };
    for (client, auth) in [
        ("basic:1 %+", ClientAuth::SecretBasic(Secret::from("wrong"))),
        ("post", ClientAuth::SecretPost(Secret::from("wrong"))),
        ("signed", ClientAuth::PrivateKeyJwt(Assertions::new(Es256::new([1; 32]).unwrap(), [7; 32]))),
    ] {
        let profile = server.profile_of::<A>(client, auth);
        let session = A::build(SessionBuilder::new(OAuth2::new(profile)).login(Login::client_credentials()));
        let refused = [A::credentials(&session).unwrap_err(), A::credentials(&session).unwrap_err()];
        assert_eq!(kind(&refused[0]), ServiceErrorKind::InvalidCredentials, "{client}");
        assert!(!refused[1].is_retryable(), "{client}");
    }
}

/// Asks once, and tells the pause before the next time.
struct Once(DevicePoll);

impl PollingExchange for Once {
    type Output = Option<Duration>;

    fn request(&mut self, now: Now) -> Request {
        self.0.request(now)
    }

    fn receive(&mut self, response: Response, now: Now) -> Result<Polled<Self::Output>, Error> {
        Ok(Polled::Ready(match self.0.receive(response, now)? {
            Polled::Pending(pause) => Some(pause),
            Polled::Ready(_) => None,
        }))
    }
}

fn device_flow<A: Adapter>() {
    let Some(server) = Server::start() else { return };
    let profile = server.profile::<A>();
    let device = A::run(profile.device(&["openid", "offline_access"]).unwrap()).unwrap();
    assert!(device.verification_uri().starts_with(server.issuer()));
    assert!(device.verification_uri_complete().unwrap().ends_with(device.user_code()));
    assert_eq!(A::poll(Once(device.poll())).unwrap(), Some(Duration::from_secs(5)));

    Browser::default().approve(device.verification_uri(), device.user_code());
    let grant = A::poll(device.poll()).unwrap();
    assert_eq!(grant.grant_type, Some("device_code"));
    let session = A::build(SessionBuilder::new(OAuth2::new(profile)));
    A::accept(&session, grant);
    assert!(server.is_active(A::renew(&session).unwrap().access().expose()));
    // The code worked once.
    assert_eq!(kind(&A::poll(device.poll()).unwrap_err()), ServiceErrorKind::InvalidCredentials);
}

fn revocation<A: Adapter>() {
    let Some(server) = Server::start() else { return };
    let profile = server.profile::<A>();
    let session = A::build(SessionBuilder::new(OAuth2::new(profile.clone())));
    A::accept(&session, sign_in::<A>(&profile));
    let held = A::credentials(&session).unwrap();
    assert!(server.is_active(held.access().expose()));
    A::sign_out(&session);
    assert!(matches!(A::credentials(&session), Err(Error::Session(SessionError::SignedOut))));
    assert!(!server.is_active(held.access().expose()));
    let refused = A::run(profile.refresh(held.refresh_token().unwrap())).unwrap_err();
    assert_eq!(kind(&refused), ServiceErrorKind::RefreshRefused);
    // A second time: the server knows these tokens no more, and says 200.
    A::run(profile.revoke(&held).unwrap()).unwrap();
}

const CALLERS: usize = 16;
const ROTATIONS: u64 = 1000;

fn sixteen_callers_rotate_a_thousand_times_without_one_reuse<A: Adapter>() {
    let Some(server) = Server::start() else { return };
    let profile = server.profile::<A>();
    let clock = ManualClock::at(SystemClock.now().wall);
    let session = A::build(SessionBuilder::new(OAuth2::new(profile.clone())).clock(clock.clone()));
    A::accept(&session, sign_in::<A>(&profile));
    let barrier = Arc::new(Barrier::new(CALLERS));
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let (session, barrier, clock) = (session.clone(), Arc::clone(&barrier), clock.clone());
            thread::spawn(move || {
                let mut tokens = Vec::new();
                for _ in 0..ROTATIONS {
                    // One of them lets the token run out, then all ask at once.
                    if barrier.wait().is_leader() {
                        clock.advance(Duration::from_secs(3601));
                    }
                    barrier.wait();
                    let held = A::credentials(&session).unwrap_or_else(|error| panic!("caller {number}: {error}"));
                    tokens.push(held.access().expose().to_owned());
                }
                tokens
            })
        })
        .collect();
    let told: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
    assert!(told.iter().all(|tokens| *tokens == told[0]), "callers of one round hold different tokens");
    let stats = server.stats();
    println!("{CALLERS} callers, {} rotations, {} reuses", stats.refreshes, stats.reuses);
    assert_eq!(stats, Stats { refreshes: ROTATIONS, reuses: 0 });
}

/// Each test over both adapters.
macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod hyper {
            $(#[test]
            fn $name() {
                super::$name::<super::Hyper>();
            })*
        }
        mod blocking {
            $(#[test]
            fn $name() {
                super::$name::<super::Blocking>();
            })*
        }
    };
}

both!(
    a_pending_sign_in_survives_between_two_web_requests,
    a_person_who_says_no,
    a_session_whose_family_was_ended_asks_for_a_sign_in,
    a_wrong_client_secret_is_refused_and_not_tried_again,
    another_sign_ins_code_is_refused,
    client_credentials,
    code_with_pkce,
    device_flow,
    discovery,
    refresh_with_rotation_and_reuse_detection,
    revocation,
    sixteen_callers_rotate_a_thousand_times_without_one_reuse,
);
