//! Twenty seconds in the life of a session, against an emulator started here.

use std::error::Error;
use std::time::Duration;

use perennial_core::credentials::masked;
use perennial_core::providers::navien::{Login, Navien};
use perennial_core::wire::json_request;
use perennial_core::{Judgement, LeaseId, Response, SignOut};
use perennial_emulator::{Emulator, Endpoint, Fault, NavienSettings};
use perennial_hyper::{Connector, HttpTransport, Session, SessionBuilder, Transport};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::callers::{Callers, Outcome, wait_for_failure};
use crate::screen::Screen;

const STORM: usize = 100;

pub(crate) async fn run(screen: Screen) -> Outcome {
    let settings = NavienSettings {
        access_lifetime: Duration::from_secs(8),
        aws_lifetime: Some(Duration::from_secs(11)),
        ..NavienSettings::default()
    };
    let service = Emulator::builder().navien(settings).start()?;
    screen.say(&format!("an emulated Navien service listens on {}", service.url()));
    screen.say("its access tokens live 8 s, its AWS credentials 11 s");

    let login = Login::new(NavienSettings::EMAIL, NavienSettings::PASSWORD)?;
    let events = screen.clone();
    let setup = SessionBuilder::new(Navien::new(&service.navien_url())?)
        .login(login)
        .on_event(move |event| events.event(event));
    let session = Connector::new().connect(setup).await?;
    let account = session.account().unwrap_or_default();
    screen.say(&format!("signed in as {} ({})", account.name, masked(&account.id)));

    let callers = Callers::start(&session);
    let story = Story { screen, service, session };
    // A story that hangs is a fault: it ends with a sentence, not with the reader's patience.
    timeout(Duration::from_secs(60), story.tell(&callers)).await??;

    let (served, waited) = callers.count();
    story.screen.timeline();
    story.screen.say(&format!(
        "{served} calls served, {waited} of them had to wait (while a refused token was replaced); {} requests sent",
        story.sign_in_requests()
    ));
    Ok(())
}

struct Story {
    screen: Screen,
    service: Emulator,
    session: Session<Navien>,
}

impl Story {
    async fn tell(&self, callers: &Callers) -> Outcome {
        let Self { screen, service, session } = self;
        let mut access = session.updates(LeaseId::Access);
        let mut aws = session.updates(LeaseId::Aws);
        // What is held comes first.
        access.next().await?;
        aws.next().await?;

        access.next().await?;
        let (served, waited) = callers.count();
        screen.say(&format!("renewed ahead of time: {served} calls served so far, {waited} had to wait"));
        aws.next().await?;
        screen.say("the AWS credentials were renewed by methods of their own");

        service.fault_always(Endpoint::Any, Fault::retry_after(503, "1"));
        screen.say("the service goes down");
        wait_for_failure(service).await?;
        screen.say("a renewal failed; the token is still valid, and nobody notices");
        service.clear_faults();
        screen.say("the service is back");
        access.next().await?;
        let (_, waited) = callers.count();
        screen.say(&format!("renewed; {waited} calls had to wait through the outage"));

        // The API's answer to one revoked token reaches a hundred callers.
        sleep(Duration::from_millis(1200)).await;
        let before = self.sign_in_requests();
        service.navien().revoke_access(NavienSettings::EMAIL);
        screen.say(&format!("the service revokes the token: {STORM} API calls at once get a 401"));
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..STORM {
            calls.spawn(call_api(session.clone(), service.navien_url()));
        }
        let mut repeated = 0;
        while let Some(outcome) = calls.join_next().await {
            repeated += usize::from(outcome?.map_err(|error| error.to_string())?);
        }
        let renewals = self.sign_in_requests() - before;
        screen
            .say(&format!("{STORM} calls succeeded, {repeated} of them by a second try; that cost {renewals} renewal"));

        sleep(Duration::from_millis(1200)).await;
        service.navien().revoke_refresh(NavienSettings::EMAIL);
        screen.say("the service revokes the refresh token");
        session.renew(LeaseId::Access).await?;
        screen.say("refused to refresh, the session signed in by itself");

        sleep(Duration::from_millis(1500)).await;
        callers.stop();
        session.sign_out(SignOut::KeepLogin).await?;
        screen.say(match session.credentials().await {
            Err(_) => "signed out: no credentials for anybody",
            Ok(_) => return Err("credentials after a sign-out".into()),
        });
        Ok(())
    }

    /// Requests of the session: all but the API calls.
    fn sign_in_requests(&self) -> usize {
        self.service.requests().iter().filter(|request| request.endpoint != Some(Endpoint::DeviceList)).count()
    }
}

/// One API call: where its credentials are rejected, it says so and repeats the call once. Answers whether it had to.
async fn call_api(session: Session<Navien>, url: String) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let transport = HttpTransport::new();
    for attempt in 0..2 {
        let body = json!({ "offset": 0, "count": 20, "userId": NavienSettings::EMAIL });
        let mut request = json_request(format!("{url}/device/list").parse()?, &body);
        let credentials = session.authorize_request(&mut request.http).await?;
        let (method, uri) = (request.http.method().clone(), request.http.uri().clone());
        let response: Response = transport.send(request).await?;
        match session.judge(&method, &uri, response.status(), response.headers()) {
            Judgement::Rejected => session.rejected(LeaseId::Access, &credentials),
            _ if response.status() == 200 => return Ok(attempt > 0),
            _ => return Err(response.status().to_string().into()),
        }
    }
    Err("refused twice".into())
}
