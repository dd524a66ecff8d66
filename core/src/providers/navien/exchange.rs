//! The exchanges with the service. Each is one request.

use crate::credentials::{AccessToken, Now, Secret};
use crate::error::{Error, ServiceError};
use crate::exchange::{self, Request, Response, Step};
use crate::grant::Grant;

use super::settings::Navien;
use super::{Login, parse_refresh, parse_secured_sign_in, parse_session_refresh, parse_sign_in};

/// An exchange with Navien: one request and the parsing of its answer.
#[derive(Debug)]
pub struct Exchange {
    navien: Navien,
    what: Operation,
    /// When the request was sent. Lifetimes run from here: counted from the answer they would be too long.
    sent: Now,
}

#[derive(Debug)]
enum Operation {
    SignIn(Login),
    Refresh(Secret),
    SessionRefresh(Caller),
    SecuredSignIn(Caller),
}

/// The access token to send, with its user id.
struct Caller {
    user_id: Box<str>,
    access: AccessToken,
}

impl Exchange {
    pub(super) fn sign_in(navien: Navien, login: Login) -> Self {
        Self::new(navien, Operation::SignIn(login))
    }

    pub(super) fn refresh(navien: Navien, refresh_token: Secret) -> Self {
        Self::new(navien, Operation::Refresh(refresh_token))
    }

    pub(super) fn session_refresh(navien: Navien, user_id: &str, access: AccessToken) -> Self {
        Self::new(navien, Operation::SessionRefresh(Caller::new(user_id, access)))
    }

    pub(super) fn secured_sign_in(navien: Navien, user_id: &str, access: AccessToken) -> Self {
        Self::new(navien, Operation::SecuredSignIn(Caller::new(user_id, access)))
    }

    fn new(navien: Navien, what: Operation) -> Self {
        Self { navien, what, sent: Now::default() }
    }
}

impl exchange::Exchange for Exchange {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        self.sent = now;
        match &self.what {
            Operation::SignIn(login) => self.navien.sign_in_request(login),
            Operation::Refresh(token) => self.navien.refresh_request(token),
            Operation::SessionRefresh(caller) => self.navien.session_refresh_request(&caller.user_id, &caller.access),
            Operation::SecuredSignIn(caller) => self.navien.secured_sign_in_request(&caller.user_id, &caller.access),
        }
    }

    /// Always ends the exchange, with a grant or an error.
    // The response is taken by value, as in the trait: its secrets are wiped here.
    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        let (answer, sent) = (&response, self.sent);
        let granted = match &self.what {
            Operation::SignIn(login) => parse_sign_in(answer, login.email(), sent, now),
            Operation::Refresh(_) => parse_refresh(answer, sent, now),
            Operation::SessionRefresh(_) => parse_session_refresh(answer, sent, now),
            Operation::SecuredSignIn(caller) => parse_secured_sign_in(answer, &caller.user_id, sent, now),
        };
        let granted = granted.and_then(|grant| self.what.without_same_token(grant));
        granted.map(Step::Done).map_err(|error| error.without_echo([self.what.secret()]).into())
    }
}

impl Operation {
    /// Removes an access token that is the same as the one that was sent: it is not new, so its deadline does not move.
    /// Where nothing else came, the flaw is an error.
    fn without_same_token(&self, mut grant: Grant) -> Result<Grant, ServiceError> {
        if let Operation::SessionRefresh(caller) | Operation::SecuredSignIn(caller) = self {
            grant.access.take_if(|access| access.expose() == caller.access.expose());
        }
        let is_empty = grant.access.is_none() && grant.aws.is_none() && grant.refresh_token.is_none();
        match grant.flaw.take_if(|_| is_empty) {
            Some(flaw) => Err(flaw),
            None => Ok(grant),
        }
    }

    fn secret(&self) -> &str {
        match self {
            Operation::SignIn(login) => login.password().expose(),
            Operation::Refresh(token) => token.expose(),
            Operation::SessionRefresh(caller) | Operation::SecuredSignIn(caller) => caller.access.expose(),
        }
    }
}

impl Caller {
    fn new(user_id: &str, access: AccessToken) -> Self {
        Self { user_id: user_id.into(), access }
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Caller(***)")
    }
}
