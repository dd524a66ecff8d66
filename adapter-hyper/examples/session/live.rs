//! A session kept alive until Ctrl-C, or until a service manager asks the program to end.

use std::error::Error;
use std::future::pending;
use std::time::Duration;

use perennial_core::credentials::masked;
use perennial_core::{Account, FromEnv, Grant, LeaseId, Provider};
use perennial_file::FileStore;
use perennial_hyper::{Connector, Session, SessionBuilder};
use tokio::time::sleep;

use crate::args::Args;
use crate::callers::Callers;
use crate::screen::Screen;
use crate::stop;

/// Service managers kill a program that takes much longer to end.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn run<P: FromEnv>(args: Args) -> Result<(), Box<dyn Error>> {
    keep(Screen::new(args.json), SessionBuilder::<P>::from_env()?, None, &args).await
}

/// Keeps a session alive, beginning with a grant that a person brought, if there is one.
pub(crate) async fn keep<P: Provider>(
    screen: Screen,
    mut setup: SessionBuilder<P>,
    grant: Option<Grant>,
    args: &Args,
) -> Result<(), Box<dyn Error>> {
    if let Some(path) = &args.save {
        setup = setup.store(FileStore::new(path));
    }
    let stop = stop::asked()?;
    tokio::pin!(stop);
    let events = screen.clone();
    let session = Connector::new().build(setup.on_event(move |event| events.event(event)))?;
    if let Some(grant) = grant {
        session.install_grant(grant)?;
    }
    tokio::select! {
        held = session.credentials() => drop(held?),
        () = &mut stop => return end(&screen, &session).await,
    }
    screen.say(&format!("signed in{}; Ctrl-C ends", session.account().map_or_else(String::new, |who| named(&who))));

    let callers = Callers::start(&session);
    let mut issues = session.updates(LeaseId::Access);
    let time = async {
        match args.seconds {
            Some(seconds) => sleep(Duration::from_secs(seconds)).await,
            None => pending().await,
        }
    };
    tokio::pin!(time);
    loop {
        tokio::select! {
            () = &mut stop => break,
            () = &mut time => break,
            issue = issues.next() => drop(issue?),
        }
    }
    callers.stop();
    let (served, waited) = callers.count();
    screen.timeline();
    screen.say(&format!("{served} calls served, {waited} of them had to wait"));
    end(&screen, &session).await
}

/// In order: a renewal that is under way is saved first.
async fn end<P: Provider>(screen: &Screen, session: &Session<P>) -> Result<(), Box<dyn Error>> {
    session.finish(PATIENCE).await?;
    screen.say("ended; the session at the service goes on");
    Ok(())
}

/// As whom, as far as the service says.
fn named(account: &Account) -> String {
    match (account.name.as_str(), account.id.as_str()) {
        ("", "") => String::new(),
        ("", id) => format!(" as {}", masked(id)),
        (name, "") => format!(" as {name}"),
        (name, id) => format!(" as {name} ({})", masked(id)),
    }
}
