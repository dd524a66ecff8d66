//! The conversations with the service.

use std::fmt;

use super::{Login, Settrade, parse_refresh, parse_sign_in, server_clock};
use crate::credentials::{AccessToken, Now, Secret};
use crate::error::Error;
use crate::exchange::{self, Request, Response, Step};
use crate::grant::Grant;
use crate::mqtt::ConnectOptions;

/// A sign-in or a refresh: one request, and the reading of its answer. A sign-in with a clock that the service
/// refuses is corrected by the service's, once.
#[derive(Debug)]
pub struct Exchange {
    settrade: Settrade,
    what: What,
    /// Lifetimes run from here: the answer's arrival would add the network's delay to them. By this machine's clock:
    /// the service's is good for its signature only.
    sent: Now,
    corrected: bool,
}

enum What {
    SignIn(Login),
    Refresh { app_id: Box<str>, token: Secret, token_type: Box<str> },
}

impl Exchange {
    pub(super) fn sign_in(settrade: Settrade, login: Login) -> Self {
        Self::new(settrade, What::SignIn(login))
    }

    pub(super) fn refresh(settrade: Settrade, app_id: &str, token: Secret, token_type: &str) -> Self {
        Self::new(settrade, What::Refresh { app_id: app_id.into(), token, token_type: token_type.into() })
    }

    fn new(settrade: Settrade, what: What) -> Self {
        Self { settrade, what, sent: Now::default(), corrected: false }
    }
}

impl exchange::Exchange for Exchange {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        (self.sent, self.corrected) = (now, false);
        match &self.what {
            What::SignIn(login) => self.settrade.sign_in_request(login, now.wall),
            What::Refresh { app_id, token, .. } => self.settrade.refresh_request(app_id, token),
        }
    }

    // By value, as the trait has it: the answer's secrets are wiped here.
    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        let granted = match &self.what {
            What::SignIn(login) => parse_sign_in(&response, login.app_id(), self.sent, now),
            What::Refresh { token_type, .. } => parse_refresh(&response, token_type, self.sent, now),
        };
        let error = match granted {
            Ok(grant) => return Ok(Step::Done(grant)),
            Err(error) => error,
        };
        if let (What::SignIn(login), false, Some(server)) = (&self.what, self.corrected, server_clock(&response, now)) {
            (self.sent, self.corrected) = (now, true);
            return Ok(Step::Send(self.settrade.sign_in_request(login, server)));
        }
        // What a sign-in sends is no secret: a signature of the moment.
        let sent = match &self.what {
            What::SignIn(_) => None,
            What::Refresh { token, .. } => Some(token.expose()),
        };
        Err(error.without_echo(sent).into())
    }
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            What::SignIn(_) => "SignIn(***)",
            What::Refresh { .. } => "Refresh(***)",
        })
    }
}

/// The fetching of a [`ConnectOptions`]: one request.
#[derive(Debug)]
pub struct MqttExchange {
    settrade: Settrade,
    access: AccessToken,
}

impl MqttExchange {
    pub(super) fn new(settrade: Settrade, access: AccessToken) -> Self {
        Self { settrade, access }
    }
}

impl exchange::Exchange for MqttExchange {
    type Output = ConnectOptions;

    fn start(&mut self, _now: Now) -> Request {
        self.settrade.ticket_request(&self.access)
    }

    fn receive(&mut self, response: Response, now: Now) -> Result<Step<ConnectOptions>, Error> {
        let ticket = self.settrade.parse_ticket(&response, &self.access, now);
        Ok(Step::Done(ticket.map_err(|error| error.without_echo([self.access.expose()]))?))
    }
}
