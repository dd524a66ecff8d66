//! One conversation with the service: always one request.

use crate::credentials::{AccessToken, Now, Secret};
use crate::error::Error;
use crate::exchange::{self, Request, Response, Step};
use crate::grant::Grant;

use super::{Login, Navien, parse_refresh, parse_secured_sign_in, parse_session_refresh, parse_sign_in};

/// One request to the service, and the reading of its answer.
#[derive(Debug)]
pub struct Exchange {
    navien: Navien,
    what: What,
    /// Lifetimes run from here: the answer's arrival would add the network's delay to them.
    sent: Now,
}

#[derive(Debug)]
enum What {
    SignIn(Login),
    Refresh(Secret),
    SessionRefresh(Caller),
    SecuredSignIn(Caller),
}

/// Who shows an access token.
struct Caller {
    user_id: Box<str>,
    access: AccessToken,
}

impl Exchange {
    pub(super) fn sign_in(navien: Navien, login: Login) -> Self {
        Self::new(navien, What::SignIn(login))
    }

    pub(super) fn refresh(navien: Navien, refresh_token: Secret) -> Self {
        Self::new(navien, What::Refresh(refresh_token))
    }

    pub(super) fn session_refresh(navien: Navien, user_id: &str, access: AccessToken) -> Self {
        Self::new(navien, What::SessionRefresh(Caller::new(user_id, access)))
    }

    pub(super) fn secured_sign_in(navien: Navien, user_id: &str, access: AccessToken) -> Self {
        Self::new(navien, What::SecuredSignIn(Caller::new(user_id, access)))
    }

    fn new(navien: Navien, what: What) -> Self {
        Self { navien, what, sent: Now::default() }
    }
}

impl exchange::Exchange for Exchange {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        self.sent = now;
        match &self.what {
            What::SignIn(login) => self.navien.sign_in_request(login),
            What::Refresh(token) => self.navien.refresh_request(token),
            What::SessionRefresh(caller) => self.navien.session_refresh_request(&caller.user_id, &caller.access),
            What::SecuredSignIn(caller) => self.navien.secured_sign_in_request(&caller.user_id, &caller.access),
        }
    }

    /// Always ends the exchange: with a grant, or with what the service said instead.
    // By value, as the trait has it: the answer's secrets are wiped here.
    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        let (answer, sent) = (&response, self.sent);
        let granted = match &self.what {
            What::SignIn(login) => parse_sign_in(answer, login.email(), sent, now),
            What::Refresh(_) => parse_refresh(answer, sent, now),
            What::SessionRefresh(_) => parse_session_refresh(answer, sent, now),
            What::SecuredSignIn(caller) => parse_secured_sign_in(answer, &caller.user_id, sent, now),
        };
        match granted {
            Ok(grant) => Ok(Step::Done(self.what.without_shown(grant))),
            Err(error) => Err(error.without_echo([self.what.secret()]).into()),
        }
    }
}

impl What {
    /// An access token that is the one that was shown is not new: its end stays where it was.
    fn without_shown(&self, mut grant: Grant) -> Grant {
        if let What::SessionRefresh(caller) | What::SecuredSignIn(caller) = self {
            grant.access.take_if(|access| access.expose() == caller.access.expose());
        }
        grant
    }

    fn secret(&self) -> &str {
        match self {
            What::SignIn(login) => login.password().expose(),
            What::Refresh(token) => token.expose(),
            What::SessionRefresh(caller) | What::SecuredSignIn(caller) => caller.access.expose(),
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
