//! The two traits between *when* and *what*: a provider knows how a service is spoken to, an exchange is one
//! conversation with it.

use std::fmt;
use std::time::Duration;

use http::HeaderMap;

use crate::credentials::{Credentials, Grant, ImportError, LeaseId, Now, SavedSession, Secret};
use crate::error::Error;
use crate::wire::Body;

/// The time a request may take in all, unless something else is asked for.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// More requests than any exchange needs: a service that redirects for ever is cut off.
pub const MAX_STEPS: u32 = 32;

/// The largest answer that is read, in bytes, unless a request says otherwise. An answer that grants something has a few
/// tokens, each of which has [`MAX_TOKEN`](crate::credentials::MAX_TOKEN) bytes at most.
pub const BODY_CAP: usize = 256 * 1024;

/// How one service is spoken to: its endpoints, bodies, quirks. It never knows when.
///
/// Its [exchanges](Exchange) do the work: they may take their time. The methods here are called in the middle of a
/// session's steps, by an adapter under the session's lock ([`authorize`](Self::authorize) apart): they are to be quick and
/// to block on nothing. A panic in `begin`, `sign_out`, `write_login`, `read_login` or `read_saved_session` is a failure like others.
/// One in the rest, which do little more than name constants, is told to whoever called, or to all who wait.
pub trait Provider: Clone + Send + Sync + 'static {
    /// What signs in.
    type Login: Clone + fmt::Debug + Send + Sync + 'static;
    /// Its ways to renew: a plain enum.
    type Method: Copy + PartialEq + fmt::Debug + Send + Sync + 'static;
    /// Its conversations.
    type Exchange: Exchange<Output = Grant>;

    /// The service's short name, for logs and saved sessions.
    fn name(&self) -> &'static str;

    /// What a saved session is bound to beside the account: the service's address, the client's id.
    fn namespace(&self) -> String;

    /// Which account a login is for, as [`Account::user_id`](crate::Account::user_id) would say; `None` where a login does not tell.
    fn user_id<'a>(&self, login: &'a Self::Login) -> Option<&'a str>;

    /// Whose a login is. A person's password is not shown again and again: services lock accounts.
    fn login_owner(&self, login: &Self::Login) -> LoginOwner {
        let _ = login;
        LoginOwner::Person
    }

    /// The ways to renew a lease, cheapest first. Empty where the service has no such credentials.
    fn methods(&self, lease_id: LeaseId) -> &'static [Self::Method];

    /// What an attempt on this rung uses up.
    fn consumes(&self, method: Self::Method) -> Consumes;

    /// The lease that must be live for this rung to make sense: it is renewed first.
    fn requires(&self, method: Self::Method) -> Option<LeaseId> {
        let _ = method;
        None
    }

    /// The rung's name in events and logs.
    fn method_name(&self, method: Self::Method) -> &'static str;

    /// Begins an exchange; `None` where what it takes is not there.
    fn begin(
        &self,
        method: Self::Method,
        login: Option<&Self::Login>,
        have: Option<&Credentials>,
    ) -> Option<Self::Exchange>;

    /// The exchange that tells the service to forget these credentials; `None` where the service cannot.
    fn sign_out(&self, have: &Credentials) -> Option<Self::Exchange>;

    /// Puts the credentials into the headers of an API call.
    fn authorize(&self, credentials: &Credentials, headers: &mut HeaderMap);

    /// How long before a deadline renewal is due by default. Clamped to a quarter of the lifetime.
    fn margin(&self) -> Duration {
        Duration::from_secs(300)
    }

    /// A login as text, for a store whose owner asked to keep it there. `None`: logins of this service are not kept.
    fn write_login(&self, login: &Self::Login) -> Option<Secret> {
        let _ = login;
        None
    }

    /// Reads what [`write_login`](Self::write_login) wrote. `None`: it cannot be understood.
    fn read_login(&self, text: &str) -> Option<Self::Login> {
        let _ = text;
        None
    }

    /// Reads a saved session: Perennial's own form, and what else a service's users have on their disks.
    fn read_saved_session(&self, saved: &[u8], now: Now) -> Result<SavedSession, ImportError> {
        SavedSession::parse(saved, now)
    }
}

/// A provider that can be described by environment variables.
pub trait FromEnv: Provider {
    /// The provider, and a login if the variables tell one. `lookup` answers the value of a variable: this crate
    /// does not look at the environment.
    fn from_env(lookup: &dyn Fn(&str) -> Option<String>) -> Result<(Self, Option<Self::Login>), InvalidEnv>;
}

/// An environment variable that makes no sense. Its value is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} cannot be used: {what}")]
pub struct InvalidEnv {
    /// Which one.
    pub name: &'static str,
    /// What is wrong with it.
    pub what: &'static str,
}

/// What an attempt uses up, whether or not its answer arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumes {
    /// Nothing: it can be repeated.
    Nothing,
    /// A token that works once, because the service rotates it.
    RefreshToken,
    /// A try of the login: services lock accounts after some wrong ones.
    LoginAttempt,
}

/// Whose a login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginOwner {
    /// A person's: a password. Services lock accounts after some refused ones, and the person can say what is right.
    Person,
    /// A program's own: a client secret, a key to sign with. Nobody is locked out, and nobody is there to ask.
    Program,
}

/// One conversation with a service: one to some requests that end in a grant or an error. It owns all it needs.
///
/// [`start`](Self::start) and [`receive`](Self::receive) sign and parse. An adapter calls them without the session's
/// lock, so that nobody waits for them but who waits for the grant; a panic there is a failure, and is tried again
/// after a pause.
pub trait Exchange: Send + 'static {
    /// What it ends in: a [`Grant`] where a session runs it.
    type Output: Send;

    /// The first request.
    fn start(&mut self, now: Now) -> Request;

    /// Takes an answer, and says what follows.
    fn receive(&mut self, response: Response, now: Now) -> Result<Step<Self::Output>, Error>;

    /// Whether a request that carries the login has been handed out since the [start](Exchange::start): what fails
    /// before it says nothing about the login. Only asked of an exchange on a rung that spends
    /// [`Login`](Consumes::LoginAttempt).
    fn has_shown_login(&self) -> bool {
        true
    }

    /// Whether `start` and `receive` may block: on a key in hardware, say. In a session adapters then call them on a thread
    /// of their own, where they hold up no task, and no timer of the session. What only computes for a millisecond need not
    /// say so.
    fn may_block(&self) -> bool {
        false
    }
}

/// What follows an answer.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it is looked at once and never kept")]
pub enum Step<T = Grant> {
    /// Another request.
    Send(Request),
    /// Not yet: begin again after this pause. Only where somebody waits for a person, never in a session.
    Again(Duration),
    /// The end: this was granted.
    Done(T),
}

/// An answer. Its body is wiped when dropped.
pub type Response = http::Response<Body>;

/// A request to carry out.
///
/// [`TransportSecurity`](crate::TransportSecurity) stands in front of every transport and keeps what can be kept from
/// outside. The rest is the transport's own part:
///
/// - **Where.** To the host and port of the address and nowhere else. No proxy that was not given on purpose: HTTP
///   clients take one from `HTTP_PROXY` by themselves, and send it the password. No redirect is followed, whatever its
///   status: it is an answer, and the provider's to judge.
/// - **Once.** Nothing is repeated, and no connection is used for another exchange: renewals are rare, and only a fresh
///   one can prove that nothing was sent.
/// - **All of it.** Method, path and query, every header, the body as it is.
/// - **In time.** `timeout` is for all of it, from now to the last byte, name look-up and TLS included; a byte that
///   comes does not prolong it.
/// - **Within bounds.** Of the body at most `body_cap` bytes are read, and the head has an end, too. An answer that is
///   torn is an error: a body shorter than its length, chunks without the last one, TLS that ends without a farewell
///   where nothing else tells the length.
/// - **The whole answer.** Its status, every header and the body: `Retry-After`, `Date` and cookies are looked at. One
///   that comes before the request was sent is an answer, too.
/// - **Honest.** [`NotSent`](crate::TransportErrorKind::NotSent) only where nothing of the request can have left: no
///   such name, connection refused, certificate not trusted. It is repeated then, with the password.
/// - **Quiet.** No header, query or body in a log, or in the sources of an error.
pub struct Request {
    /// Which request of a session this is; the answer is given back under it. Zero outside a session.
    pub id: RequestId,
    /// What to send.
    pub http: http::Request<Body>,
    /// How long it may take in all, from now to the last byte of the answer, name look-up and TLS included.
    pub timeout: Duration,
    /// How many bytes of the answer's body are read at most.
    pub body_cap: usize,
}

/// Names a request of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

impl Request {
    /// A request with the default limits.
    pub fn new(http: http::Request<Body>) -> Self {
        Self { id: RequestId::default(), http, timeout: REQUEST_TIMEOUT, body_cap: BODY_CAP }
    }
}

/// Method, host and path: a query, headers and the body may hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri = self.http.uri();
        write!(f, "{} {}{}", self.http.method(), uri.host().unwrap_or_default(), uri.path())
    }
}
