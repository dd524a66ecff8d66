//! A short story, the same for every service, against an emulator started here. Navien's is longer.

use std::time::Duration;

use perennial_core::oauth2::{AuthorizationRequest, Profile, ScopeSeparator};
use perennial_core::providers::auth0::{self, Auth0};
use perennial_core::providers::mosaia::{self, Mosaia};
use perennial_core::providers::oauth2::OAuth2;
use perennial_core::providers::settrade::{self, Settrade};
use perennial_core::{LeaseId, Provider, Request, SignOut};
use perennial_emulator::{Auth0Settings, Emulator, Endpoint, Fault, MosaiaSettings, SettradeSettings};
use perennial_hyper::{Connector, HttpTransport, Session, SessionBuilder, Transport};
use tokio::time::{sleep, timeout};

use crate::args::{Args, Service};
use crate::callers::{Callers, Outcome, wait_for_failure};
use crate::screen::Screen;
use crate::{person, story};

const LIFETIME: Duration = Duration::from_secs(8);

pub(crate) async fn run(args: Args) -> Outcome {
    let screen = Screen::new(args.json);
    match args.provider {
        Service::Navien => story::run(screen).await,
        Service::Mosaia => {
            let settings = MosaiaSettings { access_lifetime: LIFETIME, ..MosaiaSettings::default() };
            let service = Emulator::builder().mosaia(settings).start()?;
            let url = service.mosaia_url();
            let provider =
                Mosaia::builder().api_url(&url).app_url(&url).client_id(MosaiaSettings::CLIENT_ID).build()?;
            let login = mosaia::Login::password(MosaiaSettings::EMAIL, MosaiaSettings::PASSWORD)?;
            tell(screen, service, SessionBuilder::new(provider).login(login)).await
        }
        Service::Auth0 => {
            let settings = Auth0Settings { token_lifetime: LIFETIME, ..Auth0Settings::default() };
            let service = Emulator::builder().auth0(settings).start()?;
            let provider = Auth0::builder(&service.auth0_url()).auth_url(&service.auth0_auth_url()).build()?;
            let login = auth0::Login::new(Auth0Settings::EMAIL, Auth0Settings::PASSWORD)?;
            tell(screen, service, SessionBuilder::new(provider).login(login)).await
        }
        Service::Settrade => {
            let settings = SettradeSettings { access_lifetime: LIFETIME, ..SettradeSettings::default() };
            let service = Emulator::builder().settrade(settings).start()?;
            let provider =
                Settrade::new(settrade::SANDBOX, SettradeSettings::APP_CODE)?.with_base_url(&service.settrade_url())?;
            let login = settrade::Login::new(SettradeSettings::APP_ID, SettradeSettings::APP_SECRET)?;
            tell(screen, service, SessionBuilder::new(provider).login(login)).await
        }
        Service::OAuth => oauth(screen).await,
    }
}

/// Code with PKCE at the emulated Mosaia, which is an OAuth 2 server of its own kind; consent is given at once.
async fn oauth(screen: Screen) -> Outcome {
    let settings = MosaiaSettings { access_lifetime: LIFETIME, ..MosaiaSettings::default() };
    let service = Emulator::builder().mosaia(settings).start()?;
    let url = service.mosaia_url();
    let profile = Profile::new(&format!("{url}/v1/auth/token"), MosaiaSettings::CLIENT_ID)?
        .with_authorization_endpoint(&format!("{url}/oauth"))?
        .with_scope_separator(ScopeSeparator::Comma)
        .with_absolute_expiry("exp")
        .with_clientless_refresh();
    let wanted = AuthorizationRequest::new("http://127.0.0.1:9/callback").scopes(["read", "write"]);
    let now = person::now();
    let authorization = profile.authorize(person::entropy()?, &wanted, now)?;
    screen.say("a browser would open the service's sign-in page; here consent is given at once");
    let page = http::Request::get(authorization.url()).body(Default::default())?;
    let answer = HttpTransport::new().send(Request::new(page)).await?;
    let redirect = answer.headers().get(http::header::LOCATION).ok_or("no redirect came")?.to_str()?;
    let grant = Connector::new().run(authorization.into_pending().exchange_code(redirect, now)?).await?;
    screen.say("the browser came back with a code, which was exchanged for tokens");

    let session = Connector::new().build(listened(&screen, SessionBuilder::new(OAuth2::new(profile))))?;
    session.install_grant(grant)?;
    told(screen, service, session).await
}

async fn tell<P: Provider>(screen: Screen, service: Emulator, setup: SessionBuilder<P>) -> Outcome {
    let session = Connector::new().connect(listened(&screen, setup)).await?;
    told(screen, service, session).await
}

fn listened<P: Provider>(screen: &Screen, setup: SessionBuilder<P>) -> SessionBuilder<P> {
    let events = screen.clone();
    setup.on_event(move |event| events.event(event))
}

async fn told<P: Provider>(screen: Screen, service: Emulator, session: Session<P>) -> Outcome {
    screen.say(&format!("signed in at an emulated service; its access tokens live {} s", LIFETIME.as_secs()));
    let callers = Callers::start(&session);
    // A story that hangs is a fault: it ends with a sentence, not with the reader's patience.
    timeout(Duration::from_secs(60), chapters(&screen, &service, &session, &callers)).await??;
    let (served, waited) = callers.count();
    screen.timeline();
    let requests = service.requests().len();
    screen.say(&format!("{served} calls served, {waited} of them had to wait; {requests} requests sent"));
    Ok(())
}

async fn chapters<P: Provider>(
    screen: &Screen,
    service: &Emulator,
    session: &Session<P>,
    callers: &Callers,
) -> Outcome {
    let mut issues = session.updates(LeaseId::Access);
    // What is held comes first.
    issues.next().await?;

    issues.next().await?;
    let (served, waited) = callers.count();
    screen.say(&format!("renewed ahead of time: {served} calls served so far, {waited} had to wait"));

    service.fault_always(Endpoint::Any, Fault::retry_after(503, "1"));
    screen.say("the service goes down");
    wait_for_failure(service).await?;
    screen.say("a renewal failed; the token is still valid, and nobody notices");
    service.clear_faults();
    screen.say("the service is back");
    issues.next().await?;
    let (_, waited) = callers.count();
    screen.say(&format!("renewed; {waited} calls had to wait through the outage"));

    sleep(Duration::from_millis(1500)).await;
    callers.stop();
    session.sign_out(SignOut::ForgetLogin).await?;
    match session.credentials().await {
        Err(_) => screen.say("signed out: no credentials for anybody"),
        Ok(_) => return Err("credentials after a sign-out".into()),
    }
    Ok(())
}
