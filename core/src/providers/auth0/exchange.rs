//! The sign-in through the pages.

use http::{HeaderMap, StatusCode, Uri, header};

use super::Login;
use super::cookies::Jar;
use super::jwt::Claims;
use super::location::{self, Origin, RedirectError};
use super::page::Page;
use super::refusal::{missing_form, page_failure, parse_refusal};
use super::saved::cookie_extra;
use super::settings::{Auth0, MAX_REDIRECTS};
use crate::credentials::{AccessToken, Account, Now, Secret, Timestamp};
use crate::error::{Error, ServiceError};
use crate::exchange::{self, Request, Response, Step};
use crate::grant::Grant;
use crate::wire::server_time;

/// A sign-in through the pages: several requests, with cookies of its own.
pub struct Exchange {
    auth0: Auth0,
    login: Login,
    stage: Stage,
    jar: Jar,
    /// The address of the last request.
    at: Uri,
    /// How many redirects were followed since the last step.
    redirects: u32,
    /// When the last request was sent: the token's lifetime runs from here.
    sent: Now,
}

/// What the last request was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    LoginPage,
    PasswordPage,
    /// The form with the password. Nothing before it can be a rejected password.
    Submit,
    /// A page that the redirects after it lead to.
    Landing,
}

impl Exchange {
    pub(super) fn new(auth0: Auth0, login: Login) -> Self {
        Self {
            auth0,
            login,
            stage: Stage::LoginPage,
            jar: Jar::default(),
            at: Uri::default(),
            redirects: 0,
            sent: Now::default(),
        }
    }

    fn send(&mut self, stage: Stage, mut request: Request, now: Now) -> Request {
        (self.stage, self.sent) = (stage, now);
        self.at = request.http.uri().clone();
        if let Some(cookies) = self.jar.header(&self.at) {
            request.http.headers_mut().insert(header::COOKIE, cookies);
        }
        request
    }

    fn step(&mut self, stage: Stage, request: Request, now: Now) -> Step {
        self.redirects = 0;
        Step::Send(self.send(stage, request, now))
    }

    fn answered(&mut self, response: &Response, now: Now) -> Result<Step, ServiceError> {
        let (status, headers) = (response.status(), response.headers());
        let server = server_time(headers);
        self.jar.take(&self.at, headers, server.unwrap_or(now.wall));
        if is_redirect(status) {
            return self.redirected(status, headers, now);
        }
        let incomplete = |what| Err(ServiceError::malformed(what).with_status(status));
        match self.stage {
            Stage::LoginPage => {
                let page = Page::read(response.body().as_ref());
                if let Some(error) = page_failure(response, &page, now) {
                    return Err(error);
                }
                let kept = || self.jar.get(&self.auth0.settings.state_cookie, None).map(Secret::from);
                let Some(state) = page.state().cloned().or_else(kept) else {
                    return Err(missing_form(&page, "a sign-in page without a state", response, now));
                };
                let request = self.auth0.password_page_request(&self.login, &state);
                Ok(self.step(Stage::PasswordPage, request, now))
            }
            Stage::PasswordPage => {
                let page = Page::read(response.body().as_ref());
                if let Some(error) = page_failure(response, &page, now) {
                    return Err(error);
                }
                let (Some(state), Some(csrf_token)) = (page.state(), page.csrf_token()) else {
                    return Err(missing_form(&page, "a password page without its form", response, now));
                };
                let request = self.auth0.submit_request(&self.login, state, csrf_token);
                Ok(self.step(Stage::Submit, request, now))
            }
            Stage::Submit => match parse_refusal(response, now) {
                Some(refusal) => Err(refusal),
                None => self.token(server)?.map_or(incomplete("a page that neither signs in nor refuses"), Ok),
            },
            // Once there is a token, what the page says does not matter.
            Stage::Landing => match (self.token(server)?, parse_refusal(response, now)) {
                (Some(done), _) => Ok(done),
                (None, Some(refusal)) => Err(refusal),
                (None, None) => incomplete("a sign-in that brought no token"),
            },
        }
    }

    fn redirected(&mut self, status: StatusCode, headers: &HeaderMap, now: Now) -> Result<Step, ServiceError> {
        match self.next(status, headers) {
            Ok(uri) => {
                self.redirects += 1;
                let stage = if self.stage == Stage::Submit { Stage::Landing } else { self.stage };
                let request = self.auth0.page_request(uri);
                Ok(Step::Send(self.send(stage, request, now)))
            }
            Err(reason) => {
                let error = ServiceError::malformed(reason).with_status(status);
                let signed_in = matches!(self.stage, Stage::Submit | Stage::Landing);
                let done = if signed_in { self.token(server_time(headers))? } else { None };
                done.ok_or(error)
            }
        }
    }

    fn next(&self, status: StatusCode, headers: &HeaderMap) -> Result<Uri, RedirectError> {
        // RFC 9110 §15.4.8: these redirects repeat the request, password included. No sign-in needs that.
        if self.stage == Stage::Submit && matches!(status.as_u16(), 307 | 308) {
            return Err("a redirect that asks for the password again");
        }
        if self.redirects >= MAX_REDIRECTS {
            return Err("one redirect after another");
        }
        location::follow(&self.at, headers.get(header::LOCATION), &self.auth0.settings.allowed)
    }

    /// The token from the first preferred cookie that holds a JWT. `Ok(None)` where no such cookie was set, an error
    /// where none of them holds a JWT.
    fn token(&self, server: Option<Timestamp>) -> Result<Option<Step>, ServiceError> {
        let web = Origin::of(&self.auth0.settings.base.join(""));
        let held = || {
            let names = self.auth0.settings.cookie_names.iter();
            names.filter_map(|name| Some((name, self.jar.get(name, web.as_ref())?)))
        };
        let read = held().find_map(|(name, token)| Some((name, token, Claims::of(token)?)));
        let Some((name, token, claims)) = read else {
            return if held().next().is_none() { Ok(None) } else { Err(ServiceError::malformed(NOT_A_JWT)) };
        };
        let access = AccessToken::new("Bearer", token, claims.validity(self.sent, server));
        let grant = Grant {
            access: Some(access.map_err(|_| ServiceError::malformed(NOT_A_JWT))?),
            account: Some(Account::new(self.login.email())),
            extra: Some(cookie_extra(name)),
            ..Grant::default()
        };
        Ok(Some(Step::Done(grant)))
    }
}

const NOT_A_JWT: &str = "a token that is no JWT";

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

impl exchange::Exchange for Exchange {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        (self.jar, self.redirects) = (Jar::default(), 0);
        let request = self.auth0.login_page_request();
        self.send(Stage::LoginPage, request, now)
    }

    // By value, as the trait has it: the answer's secrets are wiped here.
    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        // Pages repeat what was entered.
        let typed = self.login.clone();
        let typed = [typed.password().expose(), typed.email()];
        self.answered(&response, now).map_err(|error| error.without_echo(typed).into())
    }

    /// The pages before the form do not depend on the login.
    fn has_shown_login(&self) -> bool {
        matches!(self.stage, Stage::Submit | Stage::Landing)
    }
}

/// The stage alone: no secrets.
impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("stage", &self.stage).field("login", &self.login).finish_non_exhaustive()
    }
}
