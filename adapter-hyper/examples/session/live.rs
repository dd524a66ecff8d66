//! A real account, kept alive until Ctrl-C.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use perennial_core::Need;
use perennial_core::credentials::masked;
use perennial_core::providers::navien::Navien;
use perennial_hyper::{Client, Handle, Setup};

use crate::args::Args;
use crate::screen::Screen;

pub(crate) async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let screen = Screen::new(args.json);
    let events = screen.clone();
    let mut setup = Setup::<Navien>::from_env()?.on_event(move |event| events.event(event));
    if let Some(path) = args.save.as_deref().filter(|path| path.exists()) {
        setup = setup.saved(fs::read(path)?);
        screen.say(&format!("goes on from {}", path.display()));
    }
    let session = Client::new().connect(setup).await?;
    save(&session, args.save.as_deref())?;
    let account = session.account().unwrap_or_default();
    screen.say(&format!("signed in as {} ({}); Ctrl-C ends", account.full_name(), masked(&account.user_id)));

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
        save(&session, args.save.as_deref())?;
    }
    screen.timeline();
    screen.say("ended; the session at the service goes on");
    Ok(())
}

/// The whole file or the old one: written beside it, for its owner alone, and moved over it.
fn save(session: &Handle<Navien>, path: Option<&Path>) -> Result<(), Box<dyn Error>> {
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
