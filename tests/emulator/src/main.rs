//! The emulator as a program: start it, point a client at it, stop it with Ctrl-C.

use perennial_emulator::{Auth0Settings, Builder, Emulator, NavienSettings, SettradeSettings};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, io, thread};

const USAGE: &str = "\
Emulates the sign-in of Navien Smart Control and other services on loopback.

  --access-lifetime SECONDS  how long access tokens live (3600)
  --aws-lifetime SECONDS     how long AWS credentials live; 0 leaves the field out (3600)
  --endpoint-set old|new     old: without session refresh and secured sign-in (new)
  --port N                   the port of the plain listener (a free one)
  --skew SECONDS             how much the server's clock is ahead; may be negative (0)
  --control                  offer /_control/..., to turn the knobs from scripts
  --root FILE                write the root certificate for https to this file (PEM)
  --help                     this text";

fn main() -> ExitCode {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            eprintln!("{complaint}");
            return ExitCode::from(2);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("The emulator could not start: {error}.");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> io::Result<()> {
    let emulator = options.builder.https().start()?;
    emulator.skew(options.skew);
    if let Some(file) = &options.root_file {
        fs::write(file, emulator.root_certificate_pem())?;
    }
    let https = emulator.https_url().unwrap_or_default();
    println!("http      {}/api/v2.1", emulator.http_url());
    println!("https     {https}/api/v2.1");
    println!("mosaia    {}", emulator.mosaia_url());
    println!("auth0     {}   sign-in pages: {}", emulator.auth0_url(), emulator.auth0_auth_url());
    println!("          {}   password: {}", Auth0Settings::EMAIL, Auth0Settings::PASSWORD);
    println!(
        "settrade  {}   broker: SANDBOX, app: {} {}, secret: {}",
        emulator.settrade_url(),
        SettradeSettings::APP_CODE,
        SettradeSettings::APP_ID,
        SettradeSettings::APP_SECRET
    );
    println!("trap      {}   (redirects lead there; nothing should arrive)", emulator.trap_url());
    println!("account   {}   password: {}", NavienSettings::EMAIL, NavienSettings::PASSWORD);
    println!("stop      Ctrl-C");
    loop {
        thread::park();
    }
}

#[derive(Debug)]
struct Options {
    builder: Builder,
    skew: i64,
    root_file: Option<String>,
}

impl Options {
    /// `None` asks for the usage text; an error is one sentence for the user.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut settings = NavienSettings::default();
        let (mut builder, mut skew, mut root_file) = (Emulator::builder(), 0, None);
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name} needs a value; try --help."));
            match name.as_str() {
                "--help" | "-h" => return Ok(None),
                "--control" => builder = builder.control(),
                "--port" => builder = builder.port(number(&name, &value()?)?),
                "--skew" => skew = number(&name, &value()?)?,
                "--root" => root_file = Some(value()?),
                "--access-lifetime" => settings.access_lifetime = Duration::from_secs(number(&name, &value()?)?),
                "--aws-lifetime" => {
                    let lifetime = Duration::from_secs(number(&name, &value()?)?);
                    settings.aws_lifetime = Some(lifetime).filter(|lifetime| !lifetime.is_zero());
                }
                "--endpoint-set" => {
                    settings.endpoint_set = value()?.parse().map_err(|error| format!("{name}: {error}."))?;
                }
                _ => return Err(format!("{name} is not an option of the emulator; try --help.")),
            }
        }
        Ok(Some(Self { builder: builder.navien(settings), skew, root_file }))
    }
}

fn number<N: std::str::FromStr>(name: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{name} needs a whole number in its range, not \"{text}\"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_option_is_understood() {
        let line = "--access-lifetime 10 --aws-lifetime 0 --endpoint-set old --port 0 --skew -5 --control --root r.pem";
        let options = parse(line).unwrap().unwrap();
        assert_eq!(options.skew, -5);
        assert_eq!(options.root_file.as_deref(), Some("r.pem"));
    }

    #[test]
    fn a_mistake_is_one_sentence() {
        for line in ["--no-such", "--port", "--port x", "--port 70000", "--endpoint-set newest", "file"] {
            let complaint = parse(line).unwrap_err();
            assert!(complaint.ends_with('.') && !complaint.contains('\n'), "{complaint}");
        }
    }
}
