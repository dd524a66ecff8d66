//! Whether anything secret was said.

use std::error::Error as _;
use std::fmt::Write as _;

use perennial_core::{Credentials, Error};

/// Secrets, by pieces that no innocent text has in it.
#[derive(Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Adds one. A long one counts as leaked where a part of it shows.
    pub fn add(&mut self, secret: &str) {
        const PIECE: usize = 16;
        let places = [0, secret.len() / 2, secret.len().saturating_sub(PIECE)];
        if secret.len() <= PIECE {
            self.0.push(secret.to_owned());
        } else {
            let pieces = places.iter().filter_map(|start| secret.get(*start..)?.get(..PIECE));
            self.0.extend(pieces.map(str::to_owned));
        }
    }

    /// Adds all that these credentials hold.
    pub fn add_credentials(&mut self, credentials: &Credentials) {
        self.add(credentials.access().expose());
        let aws = credentials.aws().map(|aws| [aws.access_key_id(), aws.secret_access_key(), aws.session_token()]);
        let tokens = [credentials.refresh_token(), credentials.id_token()];
        for secret in tokens.into_iter().flatten().chain(aws.into_iter().flatten()) {
            self.add(secret.expose());
        }
    }

    /// What of them shows in a text.
    pub fn shown_in(&self, text: &str) -> Option<&str> {
        let shown = self.0.iter().find(|piece| !piece.is_empty() && text.contains(piece.as_str()));
        shown.map(String::as_str)
    }
}

/// All that an error says: to people, to programmers, of its sources.
pub fn everything_said(error: &Error) -> String {
    let mut said = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(said, " {error} {error:?}");
        source = error.source();
    }
    said
}
