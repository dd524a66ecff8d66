//! The exchanges with the service. Each is one request, or two for an OAuth refresh whose first endpoint is missing.

use super::consent;
use super::settings::Mosaia;
use super::token_path::TokenPath;
use super::{Checked, Login, parse_refresh, parse_self, parse_sign_in, parse_sign_out};
use crate::credentials::{AccessToken, Credentials, Now, Secret};
use crate::error::{Error, ServiceError, ServiceErrorKind};
use crate::exchange::{self, Exchange as _, Request, Response, Step};
use crate::grant::Grant;
use crate::oauth2::TokenRequest;

/// An exchange with Mosaia: a sign-in, a refresh or a sign-out. It ends in a grant, which is empty for a sign-out.
#[derive(Debug)]
pub struct Exchange {
    what: Operation,
    /// When the request was sent. Lifetimes run from here: counted from the answer they would be too long.
    sent: Now,
}

#[derive(Debug)]
enum Operation {
    SignIn(Mosaia, Login),
    Refresh(Mosaia, Secret),
    OAuthRefresh(OAuthRefresh),
    SignOut(Mosaia, AccessToken),
}

/// An OAuth refresh at one of two endpoints.
///
/// Both are steps of one exchange and not two renewal methods: a session goes on to the next method where the first got
/// no answer, and would send the same one-use token a second time.
#[derive(Debug)]
struct OAuthRefresh {
    path: TokenPath,
    here: TokenRequest,
    /// The request to the other endpoint, until it is made.
    there: Option<TokenRequest>,
}

impl Exchange {
    pub(super) fn sign_in(mosaia: Mosaia, login: Login) -> Self {
        Self::new(Operation::SignIn(mosaia, login))
    }

    pub(super) fn refresh(mosaia: Mosaia, refresh_token: Secret) -> Self {
        Self::new(Operation::Refresh(mosaia, refresh_token))
    }

    /// Asks the endpoint first that answered the last refresh.
    pub(super) fn refresh_oauth(mosaia: &Mosaia, refresh_token: &Secret, have: Option<&Credentials>) -> Self {
        let path = have.map(TokenPath::remembered).unwrap_or_default();
        let at = |path| mosaia.oauth.at(path).refresh(refresh_token);
        Self::new(Operation::OAuthRefresh(OAuthRefresh { path, here: at(path), there: Some(at(path.other())) }))
    }

    pub(super) fn sign_out(mosaia: Mosaia, access: AccessToken) -> Self {
        Self::new(Operation::SignOut(mosaia, access))
    }

    fn new(what: Operation) -> Self {
        Self { what, sent: Now::default() }
    }
}

impl exchange::Exchange for Exchange {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        self.sent = now;
        match &mut self.what {
            Operation::SignIn(mosaia, login) => mosaia.sign_in_request(login),
            Operation::Refresh(mosaia, token) => mosaia.refresh_request(token),
            Operation::OAuthRefresh(refresh) => refresh.here.start(now),
            Operation::SignOut(mosaia, access) => mosaia.sign_out_request(access),
        }
    }

    // The response is taken by value, as in the trait: its secrets are wiped here.
    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        let (answer, sent) = (&response, self.sent);
        let (result, secret) = match &mut self.what {
            Operation::SignIn(_, login) => (parse_sign_in(answer, login, sent, now), login.secret().expose()),
            Operation::Refresh(_, token) => (parse_refresh(answer, sent, now), token.expose()),
            Operation::SignOut(_, access) => (parse_sign_out(answer, now).map(|()| Grant::default()), access.expose()),
            Operation::OAuthRefresh(refresh) => return refresh.receive(response, now),
        };
        result.map(Step::Done).map_err(|error| error.without_echo([secret]).into())
    }
}

impl OAuthRefresh {
    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        match self.here.receive(response, now) {
            Ok(Step::Done(grant)) => Ok(Step::Done(self.path.remember(consent::begun(grant)))),
            Err(Error::Service(error)) if is_missing(&error) => match self.there.take() {
                Some(there) => {
                    self.here = there;
                    self.path = self.path.other();
                    Ok(Step::Send(self.here.start(now)))
                }
                None => Err(error.into()),
            },
            other => other,
        }
    }
}

/// Whether the endpoint may be missing: a 404, 405 or 501, also one with a web page.
fn is_missing(error: &ServiceError) -> bool {
    let nowhere = error.status().is_some_and(|status| matches!(status.as_u16(), 404 | 405 | 501));
    nowhere && matches!(error.kind(), ServiceErrorKind::Unsupported | ServiceErrorKind::Malformed { .. })
}

/// An API call that tells whether the service accepts an access token, and whom it belongs to.
#[derive(Debug)]
pub struct Check {
    mosaia: Mosaia,
    access: AccessToken,
}

impl Check {
    pub(super) fn new(mosaia: Mosaia, access: AccessToken) -> Self {
        Self { mosaia, access }
    }
}

impl exchange::Exchange for Check {
    type Output = Checked;

    fn start(&mut self, _now: Now) -> Request {
        self.mosaia.self_request(&self.access)
    }

    fn receive(&mut self, response: Response, now: Now) -> Result<Step<Checked>, Error> {
        parse_self(&response, now).map(Step::Done).map_err(|error| error.without_echo([self.access.expose()]).into())
    }
}
