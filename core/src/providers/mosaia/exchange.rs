//! The conversations with the service: one request each, but for a refresh whose endpoint is not where it was
//! looked for.

use super::consent::{self, TokenPath};
use super::{Checked, Login, Mosaia, parse_refresh, parse_self, parse_sign_in, parse_sign_out};
use crate::credentials::{AccessToken, Credentials, Now, Secret};
use crate::error::{Error, ServiceError, ServiceErrorKind};
use crate::exchange::{self, Exchange as _, Request, Response, Step};
use crate::grant::Grant;
use crate::oauth2::TokenRequest;

/// One conversation that ends in a grant; a sign-out's is empty.
#[derive(Debug)]
pub struct Exchange {
    what: What,
    /// Lifetimes run from here: the answer's arrival would add the network's delay to them.
    sent: Now,
}

#[derive(Debug)]
enum What {
    SignIn(Mosaia, Login),
    Refresh(Mosaia, Secret),
    OAuthRefresh(OAuthRefresh),
    SignOut(Mosaia, AccessToken),
}

/// A refresh at one of two endpoints.
///
/// Both are steps of one exchange, not rungs of the ladder: a rung that got no answer is followed by the next one,
/// which would show the same one-use token a second time.
#[derive(Debug)]
struct OAuthRefresh {
    path: TokenPath,
    here: TokenRequest,
    /// The other endpoint, until it has been tried.
    there: Option<TokenRequest>,
}

impl Exchange {
    pub(super) fn sign_in(mosaia: Mosaia, login: Login) -> Self {
        Self::new(What::SignIn(mosaia, login))
    }

    pub(super) fn refresh(mosaia: Mosaia, refresh_token: Secret) -> Self {
        Self::new(What::Refresh(mosaia, refresh_token))
    }

    /// Asks first where the last answer came from.
    pub(super) fn refresh_oauth(mosaia: &Mosaia, refresh_token: &Secret, have: Option<&Credentials>) -> Self {
        let path = have.map(TokenPath::remembered).unwrap_or_default();
        let at = |path| mosaia.oauth.at(path).refresh(refresh_token);
        Self::new(What::OAuthRefresh(OAuthRefresh { path, here: at(path), there: Some(at(path.other())) }))
    }

    pub(super) fn sign_out(mosaia: Mosaia, access: AccessToken) -> Self {
        Self::new(What::SignOut(mosaia, access))
    }

    fn new(what: What) -> Self {
        Self { what, sent: Now::default() }
    }
}

impl exchange::Exchange for Exchange {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        self.sent = now;
        match &mut self.what {
            What::SignIn(mosaia, login) => mosaia.sign_in_request(login),
            What::Refresh(mosaia, token) => mosaia.refresh_request(token),
            What::OAuthRefresh(refresh) => refresh.here.start(now),
            What::SignOut(mosaia, access) => mosaia.sign_out_request(access),
        }
    }

    // By value, as the trait has it: the answer's secrets are wiped here.
    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        let (answer, sent) = (&response, self.sent);
        let (result, secret) = match &mut self.what {
            What::SignIn(_, login) => (parse_sign_in(answer, login, sent, now), login.secret().expose()),
            What::Refresh(_, token) => (parse_refresh(answer, sent, now), token.expose()),
            What::SignOut(_, access) => (parse_sign_out(answer, now).map(|()| Grant::default()), access.expose()),
            What::OAuthRefresh(refresh) => return refresh.receive(response, now),
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

/// Whether there may be no such endpoint. Where it is missing the service may answer with a page of its own, and the
/// other one is asked in this exchange only.
fn is_missing(error: &ServiceError) -> bool {
    let nowhere = error.status().is_some_and(|status| matches!(status.as_u16(), 404 | 405 | 501));
    nowhere && matches!(error.kind(), ServiceErrorKind::Unsupported | ServiceErrorKind::Malformed { .. })
}

/// An API call that tells what an access token is worth.
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
