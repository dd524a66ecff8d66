//! A process that does with the core all that can be done with it, over canned answers, and then drops everything:
//! `tests/memory.rs` looks through its memory. `perennial_tests::forgetful` is the other end.
//!
//! What a scene itself handles secrets in is wiped, too: what is found is the core's.

mod answers;
mod auth0;
mod mosaia;
mod navien;
mod oauth;
mod settrade;
mod stores;

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use perennial_tests::forgetful::Secrets;

fn main() -> ExitCode {
    match obey() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("forgetful: {error}");
            ExitCode::FAILURE
        }
    }
}

fn obey() -> Result<(), Box<dyn Error>> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let (scene, seed) = line.trim().split_once(' ').ok_or("the first line is a scene and a seed")?;
    let secrets = Secrets::of(seed.parse()?);
    let held = match scene {
        "navien" => navien::play(secrets),
        "mosaia" => mosaia::play(secrets),
        "auth0" => auth0::play(secrets),
        "settrade" => settrade::play(secrets),
        "oauth" => oauth::play(secrets),
        "stores" => stores::play(secrets),
        _ => Err("an unknown scene".into()),
    }?;
    say_and_wait("holding")?;
    drop(held);
    say_and_wait("dropped")
}

fn say_and_wait(word: &str) -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout(), "{word}")?;
    io::stdin().lock().read_line(&mut String::new())?;
    Ok(())
}
