//! The traits that a service is implemented with. A [`Provider`] describes how to talk to one service; an [`Exchange`]
//! is one conversation with it (a token refresh or a sign-in) that ends in a grant or an error. The session decides
//! when to run one.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Uri, header};

use crate::credentials::{Credentials, LeaseId, Now, Secret, Timestamp};
use crate::error::{Error, ImportError};
use crate::grant::Grant;
use crate::store::SavedSession;
pub use crate::wire::{BODY_CAP, REQUEST_TIMEOUT, Request, RequestId, Response};

/// The most requests of one exchange. A service that redirects for ever is cut off there, with an error.
pub const MAX_STEPS: u32 = 32;

/// Describes how access tokens and other credentials are obtained from one service: endpoints, bodies, quirks. A
/// session decides when. A guide with a whole example is at [`providers`](crate::providers), and
/// `perennial_testing::conformance::provider` tests what is said here, for a provider of your own.
///
/// The work is done by its [exchanges](Exchange), which may take their time. The methods here must be quick and must
/// not block: adapters call them under the session's lock, [`authorize`](Self::authorize) and [`judge`](Self::judge)
/// apart. A panic in `begin`,
/// `sign_out`, `write_login`, `read_login` or `read_saved_session` counts as a failed attempt. A panic in the others,
/// which do little more than name constants, reaches the caller or everybody who waits.
pub trait Provider: Clone + Send + Sync + 'static {
    /// What signs in: e-mail and password, a client secret, an API key.
    type Login: Clone + fmt::Debug + Send + Sync + 'static;
    /// The renewal methods, as a plain enum: refresh, sign-in, …
    type Method: Copy + PartialEq + fmt::Debug + Send + Sync + 'static;
    /// The conversations with the service.
    type Exchange: Exchange<Output = Grant>;

    /// The service's short name, for logs and saved sessions.
    fn name(&self) -> &'static str;

    /// What a saved session belongs to beside the service and the account: the service's address, the client's id. A
    /// session with another namespace does not import it.
    fn namespace(&self) -> String;

    /// The account that a login is for, as in [`Account::id`](crate::Account::id). `None` where the login does not
    /// tell.
    fn account_id<'a>(&self, login: &'a Self::Login) -> Option<&'a str>;

    /// Whether the login is a person's or a program's own. A person's password is not sent again and again, because
    /// services lock accounts. By default it is a person's.
    fn login_owner(&self, login: &Self::Login) -> LoginOwner {
        let _ = login;
        LoginOwner::Person
    }

    /// The methods that renew a lease, cheapest first: `[Refresh, SignIn]`. The session tries them in this order. Empty
    /// where the service has no such credentials.
    fn methods(&self, lease_id: LeaseId) -> &'static [Self::Method];

    /// What an attempt by this method uses up, even if its answer is lost.
    fn consumes(&self, method: Self::Method) -> Consumes;

    /// The lease that this method needs valid credentials of; the session renews that one first. `None`, which
    /// is the default: it needs none.
    fn requires(&self, method: Self::Method) -> Option<LeaseId> {
        let _ = method;
        None
    }

    /// The method's name in events and logs.
    fn method_name(&self, method: Self::Method) -> &'static str;

    /// Makes the exchange for a method. `None` where something that it needs is missing, such as the login or a refresh
    /// token: the session then goes on to the next method.
    fn begin(
        &self,
        method: Self::Method,
        login: Option<&Self::Login>,
        have: Option<&Credentials>,
    ) -> Option<Self::Exchange>;

    /// Makes the exchange that revokes these credentials at the service. `None` where the service cannot do that: a
    /// sign-out is then local.
    fn sign_out(&self, have: &Credentials) -> Option<Self::Exchange>;

    /// Puts the credentials into the headers of an API call: by default as `Authorization`, the access token with its type
    /// in front (RFC 6750 §2.1).
    fn authorize(&self, call: &Call<'_>, credentials: &Credentials, headers: &mut HeaderMap) {
        let _ = call;
        headers.insert(header::AUTHORIZATION, credentials.bearer().clone());
    }

    /// Whether the answer to an API call refuses the credentials that it was made with: by default a 401 does.
    fn judge(&self, call: &Call<'_>, status: StatusCode, headers: &HeaderMap) -> Judgement {
        let _ = (call, headers);
        if status == StatusCode::UNAUTHORIZED { Judgement::Rejected } else { Judgement::Accepted }
    }

    /// How long before a deadline renewal is due by default: 5 minutes. At most a quarter of the lifetime is used.
    fn margin(&self) -> Duration {
        Duration::from_secs(300)
    }

    /// Writes a login as text, for sessions that are told to keep the login in their store. `None`, which is the default:
    /// logins of this service are not kept. [`wire::write_login`](crate::wire::write_login) helps.
    fn write_login(&self, login: &Self::Login) -> Option<Secret> {
        let _ = login;
        None
    }

    /// Reads what [`write_login`](Self::write_login) wrote. `None` where it cannot be understood.
    fn read_login(&self, text: &str) -> Option<Self::Login> {
        let _ = text;
        None
    }

    /// Reads a saved session. By default Perennial's own format; a provider may read those of other programs too.
    fn read_saved_session(&self, saved: &[u8], now: Now) -> Result<SavedSession, ImportError> {
        SavedSession::parse(saved, now)
    }
}

/// A call of the service's API. Most credentials are the same for every call; some are made for one, such as a signature
/// over its address.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Call<'a> {
    /// The method.
    pub method: &'a Method,
    /// Where it goes: the whole address, as far as the caller knows it.
    pub uri: &'a Uri,
    /// The wall clock, to a few milliseconds.
    pub now: Timestamp,
}

impl<'a> Call<'a> {
    /// A call that is made now.
    pub fn new(method: &'a Method, uri: &'a Uri, now: Timestamp) -> Self {
        Self { method, uri, now }
    }
}

/// Method, host and path: a query may be secret.
impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.uri.host().unwrap_or_default(), self.uri.path())
    }
}

/// What the answer to an API call says of the credentials that it was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Judgement {
    /// Nothing against them, whatever else it says: the call may have failed for another reason.
    Accepted,
    /// They are refused. Tell the session, which renews them, and repeat the call once.
    Rejected,
}

/// A provider that can be configured by environment variables.
pub trait FromEnv: Provider {
    /// The provider, and a login if the variables name one. `lookup` returns the value of a variable: this crate does
    /// not read the environment itself.
    fn from_env(lookup: &dyn Fn(&str) -> Option<String>) -> Result<(Self, Option<Self::Login>), InvalidEnv>;
}

/// An environment variable cannot be used. The error does not repeat its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} cannot be used: {what}")]
pub struct InvalidEnv {
    /// The variable's name.
    pub name: &'static str,
    /// What is wrong with it.
    pub what: &'static str,
}

/// What an attempt uses up, whether or not its answer arrives. It decides whether the attempt may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumes {
    /// Nothing: it can be repeated.
    Nothing,
    /// A refresh token that works once, because the service rotates it.
    RefreshToken,
    /// A login attempt: services lock accounts after some wrong ones.
    LoginAttempt,
}

/// Whether a login belongs to a person or to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginOwner {
    /// A person's password. Services lock accounts after some wrong ones, and the person can be asked for the right
    /// one.
    Person,
    /// A program's own client secret or signing key. Nobody is locked out, and nobody is there to ask.
    Program,
}

/// One conversation with a service: one or a few requests that end in a grant or an error. It owns all that it needs.
///
/// [`start`](Self::start) and [`receive`](Self::receive) do the work, such as signing and parsing. Adapters call them
/// without holding the session's lock, so they delay only the callers that wait for this grant. A panic in one of them
/// counts as a failed attempt, which is tried again after a pause.
pub trait Exchange: Send + 'static {
    /// The result: a [`Grant`] where a session runs it.
    type Output: Send;

    /// Makes the first request.
    fn start(&mut self, now: Now) -> Request;

    /// Reads an answer and says what follows: another request, or the result.
    fn receive(&mut self, response: Response, now: Now) -> Result<Step<Self::Output>, Error>;

    /// Whether a request that carries the login has been made since [`start`](Exchange::start). A failure before that
    /// says nothing about the login. Only asked where the method consumes a [login attempt](Consumes::LoginAttempt).
    /// By default it has.
    fn has_shown_login(&self) -> bool {
        true
    }

    /// Whether `start` and `receive` may block, on a key in hardware for instance. The adapters then call them on a
    /// thread of their own, where they delay no task and no timer. Code that only computes for a millisecond does not
    /// block. By default they do not.
    fn may_block(&self) -> bool {
        false
    }
}

/// What follows an answer.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it is looked at once and never kept")]
pub enum Step<T = Grant> {
    /// Send this request, then call [`receive`](Exchange::receive) with its answer.
    Send(Request),
    /// The end, with the result.
    Done(T),
}

/// Asks a service over and over until a person has acted: the device authorization grant (RFC 8628 §3.4), for instance.
/// A session does not run these, only [`Exchange`]s, which need no person. Pass the [`Grant`] that this ends in to
/// [`Session::install_grant`](crate::Session::install_grant).
///
/// An adapter's `Connector::poll` carries it out: it asks again after each pause, and also where a request got lost.
pub trait PollingExchange: Send + 'static {
    /// What it ends in.
    type Output: Send;

    /// The next request.
    fn request(&mut self, now: Now) -> Request;

    /// Takes the answer to it. An error ends the polling.
    fn receive(&mut self, response: Response, now: Now) -> Result<Polled<Self::Output>, Error>;
}

/// What follows an answer to a [`PollingExchange`].
#[derive(Debug)]
pub enum Polled<T = Grant> {
    /// The person has not acted yet: ask again after this pause.
    Pending(Duration),
    /// The end, with what the service granted.
    Ready(T),
}
