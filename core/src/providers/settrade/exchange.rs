//! The exchanges with the service.

use std::fmt;

use super::settings::Settrade;
use super::{Login, parse_refresh, parse_sign_in, server_clock};
use crate::credentials::{AccessToken, Now, Secret};
use crate::error::Error;
use crate::exchange::{self, Request, Response, Step};
use crate::grant::Grant;
use crate::mqtt::ConnectOptions;

/// A sign-in or a refresh: one request, and a second one for a sign-in that the service rejects because of this
/// machine's clock.
#[derive(Debug)]
pub struct Exchange {
    settrade: Settrade,
    what: Operation,
    /// When the request was sent, by this machine's clock. Lifetimes run from here: counted from the answer they would
    /// be too long. The service's clock is used for the signature alone.
    sent: Now,
    corrected: bool,
}

enum Operation {
    SignIn(Login),
    Refresh { app_id: Box<str>, token: Secret, token_type: Box<str> },
}

impl Exchange {
    pub(super) fn sign_in(settrade: Settrade, login: Login) -> Self {
        Self::new(settrade, Operation::SignIn(login))
    }

    pub(super) fn refresh(settrade: Settrade, app_id: &str, token: Secret, token_type: &str) -> Self {
        Self::new(settrade, Operation::Refresh { app_id: app_id.into(), token, token_type: token_type.into() })
    }

    fn new(settrade: Settrade, what: Operation) -> Self {
        Self { settrade, what, sent: Now::default(), corrected: false }
    }
}

impl exchange::Exchange for Exchange {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        (self.sent, self.corrected) = (now, false);
        match &self.what {
            Operation::SignIn(login) => self.settrade.sign_in_request(login, now.wall),
            Operation::Refresh { app_id, token, .. } => self.settrade.refresh_request(app_id, token),
        }
    }

    // The response is taken by value, as in the trait: its secrets are wiped here.
    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        let granted = match &self.what {
            Operation::SignIn(login) => parse_sign_in(&response, login.app_id(), self.sent, now),
            Operation::Refresh { token_type, .. } => parse_refresh(&response, token_type, self.sent, now),
        };
        let error = match granted {
            Ok(grant) => return Ok(Step::Done(grant)),
            Err(error) => error,
        };
        if let (Operation::SignIn(login), false, Some(server)) =
            (&self.what, self.corrected, server_clock(&response, now))
        {
            (self.sent, self.corrected) = (now, true);
            return Ok(Step::Send(self.settrade.sign_in_request(login, server)));
        }
        // A sign-in sends no secret: its signature is for one moment.
        let sent = match &self.what {
            Operation::SignIn(_) => None,
            Operation::Refresh { token, .. } => Some(token.expose()),
        };
        Err(error.without_echo(sent).into())
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::SignIn(_) => "SignIn(***)",
            Operation::Refresh { .. } => "Refresh(***)",
        })
    }
}

/// Fetches MQTT [`ConnectOptions`], with one request.
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
        let options = self.settrade.parse_ticket(&response, &self.access, now);
        Ok(Step::Done(options.map_err(|error| error.without_echo([self.access.expose()]))?))
    }
}
