//! Every answer that a hostile service can think of, at every way to sign in and to renew of every service, over both
//! adapters: whatever repeats a secret shows it nowhere.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use perennial_adapter::SessionBuilder;
use perennial_core::oauth2::{AuthorizationRequest, ClientAuth, Profile};
use perennial_core::providers::auth0::{self, Auth0};
use perennial_core::providers::mosaia::{self, Mosaia};
use perennial_core::providers::navien::{self, Navien};
use perennial_core::providers::oauth2::{self, OAuth2};
use perennial_core::providers::settrade::{self, Settrade};
use perennial_core::{Error, Event, Exchange, LeaseId, Now, Provider};
use perennial_tests::{Heard, Link};

use crate::adapters::{OverBlocking, OverHyper, Side};
use crate::canary::{canary, secret, shown_in};
use crate::hostile::{Answer, Service, Shape};
use crate::listening;
use crate::probe::chain;
use crate::shown::have;

/// The log and the panic hook are the whole process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn link() -> Link {
    Link { root: Vec::new(), before: Arc::new(|_| ()) }
}

/// Looks at what came of something, and at all that was written meanwhile.
fn look<T: Debug>(answer: Answer, what: &str, result: &Result<T, Error>) {
    let said = match result {
        Ok(value) => format!("{value:?} {value:#?}"),
        Err(error) => chain(error),
    };
    check(answer, what, &said);
    check(answer, what, &listening::written());
}

fn check(answer: Answer, what: &str, said: &str) {
    if let Some(shape) = shown_in(said) {
        let line = said.lines().find(|line| shown_in(line).is_some()).unwrap_or(said);
        panic!("{shape} shows at {what}, {answer:?}: {line}");
    }
}

fn run<P: Provider, H: Side<P>, X: Exchange>(answer: Answer, what: &str, exchange: X)
where
    X::Output: Debug,
{
    look(answer, what, &H::run(link(), exchange));
}

/// Every method of a provider, its sign-out, and a session with a listener.
fn every_way<P: Provider, H: Side<P>>(answer: Answer, provider: &P, login: &P::Login)
where
    P::Login: Clone,
    <P::Exchange as Exchange>::Output: Debug,
{
    let have = have();
    for lease_id in LeaseId::ALL {
        for method in provider.methods(lease_id) {
            if let Some(exchange) = provider.begin(*method, Some(login), Some(&have)) {
                let what = format!("{} of {}", provider.method_name(*method), provider.name());
                run::<P, H, _>(answer, &what, exchange);
            }
        }
    }
    if let Some(exchange) = provider.sign_out(&have) {
        run::<P, H, _>(answer, &format!("sign-out of {}", provider.name()), exchange);
    }
    let heard = Heard::default();
    let setup = SessionBuilder::new(provider.clone()).login(login.clone()).on_event(heard.listener()).seed(1);
    let session = H::build(link(), setup).unwrap();
    let what = format!("a session of {}", provider.name());
    look(answer, &what, &session.credentials(LeaseId::Access));
    if provider.methods(LeaseId::Aws).is_empty() {
        look(answer, &what, &session.renew(LeaseId::Access));
    } else {
        look(answer, &what, &session.credentials(LeaseId::Aws));
    }
    // Callers are told first, listeners then.
    let ends = |event: &Event| matches!(event, Event::Renewed { .. } | Event::Failed { .. } | Event::Exhausted { .. });
    assert!(heard.wait_until(perennial_tests::LONG, |events| events.iter().any(ends)), "no event tells of it");
    let events: String = heard.all().iter().map(|event| format!("{event} {event:?} {event:#?}\n")).collect();
    check(answer, &what, &(events + &session.debug()));
}

fn mail() -> String {
    format!("{}@host.example", canary("user"))
}

fn navien<H: Side<Navien>>(service: &Service, answer: Answer) {
    let login = navien::Login::new(&mail(), secret("password")).unwrap();
    every_way::<Navien, H>(answer, &Navien::new(&service.url()).unwrap(), &login);
}

fn mosaia<H: Side<Mosaia>>(service: &Service, answer: Answer) {
    let builder = Mosaia::builder().api_url(&service.url()).app_url(&service.url()).client_id("app");
    let mosaia = builder.build().unwrap();
    let password = mosaia::Login::password(&mail(), secret("password")).unwrap();
    let program = mosaia::Login::client("robot", secret("secret")).unwrap();
    every_way::<Mosaia, H>(answer, &mosaia, &password);
    run::<_, H, _>(answer, "a program's sign-in at Mosaia", mosaia.sign_in(&program));
    run::<_, H, _>(answer, "an OAuth refresh at Mosaia", mosaia.refresh_oauth(&secret("refresh")));
    run::<_, H, _>(answer, "a check at Mosaia", mosaia.check(have().access()));
    let now = Now::default();
    let url = mosaia.authorize([7; mosaia::ENTROPY], &AuthorizationRequest::new("http://127.0.0.1/done"), now).unwrap();
    let state = url.url().split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let redirect = format!("?code={}&state={state}", canary("code"));
    let code = mosaia.exchange_code(url.into_pending(), &redirect, now).unwrap();
    run::<_, H, _>(answer, "a code at Mosaia", code);
}

fn auth0<H: Side<Auth0>>(service: &Service, answer: Answer) {
    let auth0 = Auth0::builder(&service.url()).auth_url(&service.url()).build().unwrap();
    let login = auth0::Login::new(&mail(), secret("password")).unwrap();
    every_way::<Auth0, H>(answer, &auth0, &login);
}

fn settrade<H: Side<Settrade>>(service: &Service, answer: Answer) {
    let settrade = Settrade::new("041", "ALGO").unwrap().with_base_url(&service.url()).unwrap();
    let login = settrade::Login::new("app", format!("{:A<43}=", "Canary")).unwrap();
    every_way::<Settrade, H>(answer, &settrade, &login);
    run::<_, H, _>(answer, "a ticket of Settrade", settrade.mqtt(&have()));
}

fn oauth<H: Side<OAuth2>>(service: &Service, answer: Answer) {
    let profile = |auth| {
        let profile = Profile::new(&format!("{}/token", service.url()), "app").unwrap().with_client_auth(auth);
        let profile = profile.with_device_endpoint(&format!("{}/device", service.url())).unwrap();
        let profile = profile.with_authorization_endpoint(&format!("{}/authorize", service.url())).unwrap();
        profile.with_revocation_endpoint(&format!("{}/revoke", service.url())).unwrap()
    };
    let login = oauth2::Login::legacy_password(&mail(), secret("password")).unwrap();
    for auth in [ClientAuth::SecretPost(secret("client")), ClientAuth::SecretBasic(secret("client"))] {
        let profile = profile(auth);
        every_way::<OAuth2, H>(answer, &OAuth2::new(profile.clone()), &login);
        run::<_, H, _>(answer, "client credentials", profile.client_credentials(&["a"]));
        run::<_, H, _>(answer, "a device's sign-in", profile.device(&["a"]).unwrap());
        let now = Now::default();
        let url = profile.authorize([7; 64], &AuthorizationRequest::new("http://127.0.0.1/done"), now).unwrap();
        let state = url.url().split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        let redirect = format!("?code={}&state={state}", canary("code"));
        run::<_, H, _>(answer, "a code", url.into_pending().exchange_code(&redirect, now).unwrap());
        device::<H>(service, answer, &profile);
    }
}

/// A device that was told its code. What passes is waited out, which is not for here.
fn device<H: Side<OAuth2>>(service: &Service, answer: Answer, profile: &Profile) {
    if !matches!(answer.status, 200 | 400 | 401) {
        return;
    }
    service.answer_with(Answer { status: 200, shape: Shape::Granted });
    let device = H::run(link(), profile.device(&["a"]).unwrap()).unwrap();
    service.answer_with(answer);
    look(answer, "a device's question", &H::poll(link(), device.poll()));
}

#[test]
fn no_answer_of_any_service_makes_a_secret_show() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    listening::begin();
    let service = Service::start();
    for answer in Answer::all() {
        service.answer_with(answer);
        navien::<OverHyper<_>>(&service, answer);
        navien::<OverBlocking<_>>(&service, answer);
        mosaia::<OverHyper<_>>(&service, answer);
        mosaia::<OverBlocking<_>>(&service, answer);
        auth0::<OverHyper<_>>(&service, answer);
        auth0::<OverBlocking<_>>(&service, answer);
        settrade::<OverHyper<_>>(&service, answer);
        settrade::<OverBlocking<_>>(&service, answer);
        oauth::<OverHyper<_>>(&service, answer);
        oauth::<OverBlocking<_>>(&service, answer);
    }
    let targets = listening::targets();
    for writer in ["perennial_adapter", "ureq"] {
        assert!(targets.iter().any(|target| target.starts_with(writer)), "{writer} wrote nothing: {targets:?}");
    }
}

/// A panic's message is for whoever reads logs, too: of the caller's listener, while secrets are at hand.
#[test]
fn what_a_panic_says_has_no_secret() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let said = Arc::new(Mutex::new(String::new()));
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new({
        let said = Arc::clone(&said);
        move |panic| *said.lock().unwrap() += &format!("{panic} {panic:?}")
    }));
    let service = Service::start();
    service.answer_with(Answer { status: 200, shape: Shape::Granted });
    let login = navien::Login::new(&mail(), secret("password")).unwrap();
    let setup = SessionBuilder::new(Navien::new(&service.url()).unwrap()).login(login).seed(1);
    let setup = setup.on_event(|event| panic!("{event:?}"));
    let session = <OverBlocking<Navien> as Side<Navien>>::build(link(), setup).unwrap();
    let credentials = perennial_tests::within(perennial_tests::LONG, move || session.credentials(LeaseId::Access));
    std::panic::set_hook(before);
    assert!(credentials.is_some(), "the caller hangs");
    let said = said.lock().unwrap();
    assert!(said.contains("RenewalStarted"), "{said}");
    assert_eq!(shown_in(&said), None, "{said}");
}

#[test]
fn what_is_written_is_listened_to() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    listening::begin();
    log::trace!(target: "rustls", "heard {}", "by log");
    tracing::trace!(field = "heard by tracing");
    tracing::debug_span!("a span", inner = "heard in a span").in_scope(|| ());
    let written = listening::written();
    for heard in ["heard by log", "heard by tracing", "heard in a span"] {
        assert!(written.contains(heard), "{heard}");
    }
}
