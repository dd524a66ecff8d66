//! Keeps a session alive and tells on screen what happens.
//!
//! Without an account it plays a story of 20 seconds against an emulator that it starts itself:
//!
//! ```sh
//! cargo run --example session
//! cargo run --example session -- --provider mosaia
//! ```
//!
//! With `--save FILE`, in several terminals at once, it shows that one of them renews and all go on.
//!
//! With an account in the environment (`NAVIEN_EMAIL` and `NAVIEN_PASSWORD`, say) it keeps that one alive until
//! Ctrl-C or SIGTERM, and then ends in order. Tokens are never printed.

mod args;
mod callers;
mod live;
mod person;
mod screen;
mod shared;
mod stop;
mod story;
mod timeline;
mod tour;

use std::error::Error;
use std::process::ExitCode;

use args::{Args, Service};
use perennial_core::providers::auth0::Auth0;
use perennial_core::providers::mosaia::Mosaia;
use perennial_core::providers::navien::Navien;
use perennial_core::providers::oauth2::OAuth2;
use perennial_core::providers::settrade::Settrade;

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
    if let Some(port) = args.serve {
        return shared::serve(port);
    }
    if args.issuer.is_some() {
        return person::run(args).await;
    }
    let prefix = args.provider.prefix();
    if !std::env::vars().any(|(name, value)| name.starts_with(prefix) && !value.trim().is_empty()) {
        return match args.save.clone() {
            Some(file) if args.provider == Service::Navien => shared::run(args, &file).await,
            Some(_) => Err(format!("--save needs an account here: set the variables {prefix}…").into()),
            None => tour::run(args).await,
        };
    }
    match args.provider {
        Service::Navien => live::run::<Navien>(args).await,
        Service::Mosaia => live::run::<Mosaia>(args).await,
        Service::Auth0 => live::run::<Auth0>(args).await,
        Service::Settrade => live::run::<Settrade>(args).await,
        Service::OAuth => live::run::<OAuth2>(args).await,
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
