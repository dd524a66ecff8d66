//! The command line.

use std::path::PathBuf;

pub(crate) const HELP: &str = "\
Keeps a sign-in alive and tells what happens.

usage: session [--json] [--save FILE]

  --json       one JSON object a line in place of text
  --save FILE  go on from this file, and keep the session in it
  --help       this text

Without an account it plays a story against an emulator of its own. With NAVIEN_EMAIL and NAVIEN_PASSWORD set
(and NAVIEN_BASE_URL, for another address) it keeps that account alive until Ctrl-C.
";

#[derive(Clone, Debug, Default)]
pub(crate) struct Args {
    pub(crate) json: bool,
    pub(crate) save: Option<PathBuf>,
}

impl Args {
    /// `None` where help is asked for.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut args = Self::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--json" => args.json = true,
                "--save" => args.save = Some(words.next().ok_or("--save wants a file")?.into()),
                "--help" | "-h" => return Ok(None),
                other => return Err(format!("unknown option {other:?}; --help tells the known ones")),
            }
        }
        Ok(Some(args))
    }
}
