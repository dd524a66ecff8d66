//! The command line.

use std::path::PathBuf;

pub(crate) const HELP: &str = "\
Keeps a sign-in alive and tells what happens.

usage: session [--provider NAME] [--json] [--save FILE] [--seconds N]
       session --provider oauth2 --issuer URL --client-id ID [--device] [--scope SCOPE]… [--json]

  --provider NAME  navien (the default), mosaia, auth0, settrade, oauth2
  --json           one JSON object a line in place of text
  --save FILE      keep the session in this file, and share it with whoever else does
  --seconds N      end after so long
  --issuer URL     sign in as a person at this OAuth 2 server, in a browser on this machine
  --client-id ID   as this client
  --device         or in a browser elsewhere, with a code to type
  --scope SCOPE    with this scope; may be given more than once
  --help           this text

Without an account it plays a story against an emulator of its own. With an account in the environment it keeps that
one alive until Ctrl-C or SIGTERM; the README lists the variables (NAVIEN_EMAIL and NAVIEN_PASSWORD, for instance).
With --save and no account, all programs on one file share one emulated service, which ends a minute after the last of
them.
";

#[derive(Clone, Debug, Default)]
pub(crate) struct Args {
    pub(crate) provider: Service,
    pub(crate) json: bool,
    pub(crate) save: Option<PathBuf>,
    pub(crate) seconds: Option<u64>,
    /// Be the emulated service, on this port: for [`shared`](crate::shared) alone.
    pub(crate) serve: Option<u16>,
    pub(crate) issuer: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) device: bool,
    pub(crate) scopes: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Service {
    #[default]
    Navien,
    Mosaia,
    Auth0,
    Settrade,
    OAuth,
}

impl Args {
    /// `None` where help is asked for.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut args = Self::default();
        while let Some(word) = words.next() {
            let mut value = |what: &str| words.next().ok_or(format!("{word} wants {what}"));
            match word.as_str() {
                "--provider" => args.provider = Service::named(&value("a name")?)?,
                "--json" => args.json = true,
                "--save" => args.save = Some(value("a file")?.into()),
                "--seconds" => args.seconds = Some(number(&value("a number")?)?),
                "--serve" => args.serve = Some(number(&value("a port")?)?),
                "--issuer" => args.issuer = Some(value("a URL")?),
                "--client-id" => args.client_id = Some(value("an id")?),
                "--device" => args.device = true,
                "--scope" => args.scopes.push(value("a scope")?),
                "--help" | "-h" => return Ok(None),
                other => return Err(format!("unknown option {other:?}; --help tells the known ones")),
            }
        }
        args.check()?;
        Ok(Some(args))
    }

    fn check(&self) -> Result<(), String> {
        let person = self.issuer.is_some() || self.client_id.is_some() || self.device || !self.scopes.is_empty();
        if person && self.provider != Service::OAuth {
            return Err("--issuer, --client-id, --device and --scope go with --provider oauth2".into());
        }
        if person && (self.issuer.is_none() || self.client_id.is_none()) {
            return Err("a sign-in at an OAuth 2 server needs both --issuer and --client-id".into());
        }
        Ok(())
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{text:?} is no number that fits"))
}

impl Service {
    fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "navien" => Self::Navien,
            "mosaia" => Self::Mosaia,
            "auth0" => Self::Auth0,
            "settrade" => Self::Settrade,
            "oauth2" => Self::OAuth,
            other => return Err(format!("unknown provider {other:?}: navien, mosaia, auth0, settrade, oauth2")),
        })
    }

    /// How the names of its environment variables begin.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Navien => "NAVIEN_",
            Self::Mosaia => "MOSAIA_",
            Self::Auth0 => "ANGEL_",
            Self::Settrade => "SETTRADE_",
            Self::OAuth => "OAUTH_",
        }
    }
}
