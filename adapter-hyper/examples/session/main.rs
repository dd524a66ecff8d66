//! Keeps a session alive and tells on screen what happens.
//!
//! Without an account it plays a story of 20 seconds against an emulator that it starts itself:
//!
//! ```sh
//! cargo run --example session
//! ```
//!
//! With `NAVIEN_EMAIL` and `NAVIEN_PASSWORD` set (and `NAVIEN_BASE_URL`, if it is not the real service) it keeps
//! that account alive until Ctrl-C. Tokens are never printed.

mod args;
mod live;
mod screen;
mod story;
mod timeline;

use std::error::Error;
use std::process::ExitCode;

use args::Args;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("session: {}", sentence(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let Some(args) = Args::parse(std::env::args().skip(1))? else {
        print!("{}", args::HELP);
        return Ok(());
    };
    let given = |name| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    match (given("NAVIEN_EMAIL"), given("NAVIEN_PASSWORD")) {
        (true, true) => live::run(args).await,
        (false, false) if args.save.is_some() => Err("--save needs an account: set NAVIEN_EMAIL and NAVIEN_PASSWORD".into()),
        (false, false) => story::run(args).await,
        (true, false) => Err("NAVIEN_EMAIL is set, NAVIEN_PASSWORD is not".into()),
        (false, true) => Err("NAVIEN_PASSWORD is set, NAVIEN_EMAIL is not".into()),
    }
}

/// What happened and why, in one line.
fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
