//! A real account, kept alive until Ctrl-C.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use perennial_core::credentials::masked;
use perennial_core::{Account, FromEnv, Grant, Need, Provider};
use perennial_hyper::{Client, Handle, Setup};

use crate::args::Args;
use crate::screen::Screen;

pub(crate) async fn run<P: FromEnv>(args: Args) -> Result<(), Box<dyn Error>> {
    keep(Screen::new(args.json), Setup::<P>::from_env()?, None, args.save).await
}

/// Keeps a session alive, beginning with a grant that a person brought, if there is one.
pub(crate) async fn keep<P: Provider>(
    screen: Screen,
    mut setup: Setup<P>,
    grant: Option<Grant>,
    file: Option<PathBuf>,
) -> Result<(), Box<dyn Error>> {
    if let Some(path) = file.as_deref().filter(|path| path.exists() && grant.is_none()) {
        setup = setup.saved(fs::read(path)?);
        screen.say(&format!("goes on from {}", path.display()));
    }
    let events = screen.clone();
    let session = Client::new().build(setup.on_event(move |event| events.event(event)))?;
    if let Some(grant) = grant {
        session.accept(grant)?;
    }
    session.credentials().await?;
    save(&session, file.as_deref())?;
    screen.say(&format!("signed in{}; Ctrl-C ends", session.account().map_or_else(String::new, |who| named(&who))));

    let (mut access, mut aws) = (session.changes(Need::Access), session.changes(Need::Aws));
    loop {
        tokio::select! {
            end = tokio::signal::ctrl_c() => {
                end?;
                break;
            }
            change = access.next() => drop(change?),
            change = aws.next() => drop(change?),
        }
        save(&session, file.as_deref())?;
    }
    screen.timeline();
    screen.say("ended; the session at the service goes on");
    Ok(())
}

/// As whom, as far as the service says.
fn named(account: &Account) -> String {
    match (account.full_name(), account.user_id.as_str()) {
        (name, "") if name.is_empty() => String::new(),
        (name, id) if name.is_empty() => format!(" as {}", masked(id)),
        (name, "") => format!(" as {name}"),
        (name, id) => format!(" as {name} ({})", masked(id)),
    }
}

/// The whole file or the old one: written beside it, for its owner alone, and moved over it.
fn save<P: Provider>(session: &Handle<P>, path: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let (Some(path), Some(saved)) = (path, session.export()) else { return Ok(()) };
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(saved.to_json().expose().as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(())
}
