//! What callers hold: the handle of core, waiting in threads.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Uri};
#[cfg(doc)]
use perennial_adapter::CLOSE_TIMEOUT;
use perennial_adapter::CredentialsRef;
use perennial_core::{
    Account, Credentials, Error, Grant, Judgement, LeaseId, Provider, SavedSession, SignOut, State, StoreError,
    Unfinished,
};

use crate::park::block_on;
use crate::source::CredentialSource;

/// A session at one account, whose credentials are kept valid by a thread of its own. Cheap to clone, shared by any
/// number of threads. When the last clone is dropped, it is closed.
///
/// # The end of a program
///
/// If a program ends in the middle of a renewal, the refresh token that was sent may be used up, and the new one is
/// never saved. So, with a store, dropping the last handle waits as [`close`](Self::close) does: while a request with a
/// one-use token is not answered, while its result is not saved, and while the store is being written or locked, for
/// [`CLOSE_TIMEOUT`] (40 s) at most. Otherwise it does not wait. `process::exit` and signals drop nothing: call
/// [`finish`](Self::finish) before.
///
/// For a program that gets a token and ends, take [`Policy::one_shot`](perennial_core::Policy::one_shot): a renewal
/// then begins only while a caller waits for it, so none is under way when the callers have their answers. No renewal
/// begins by itself later, either. If an error or an event of such a session names the time of the next attempt
/// ([`retry_at`](Error::retry_at)), it is made only if somebody asks again, then or later; after the program has ended
/// nothing is retried.
pub struct Session<P: Provider>(perennial_adapter::Session<P>);

impl<P: Provider> Clone for Session<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Provider> fmt::Debug for Session<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<P: Provider> Session<P> {
    pub(crate) fn new(session: perennial_adapter::Session<P>) -> Self {
        Self(session)
    }

    /// The access token and what came with it, valid now. While a valid one is held, this takes no lock and returns at
    /// once (a one-shot session renews first if the token expires soon). If none is held, it waits for the sign-in or
    /// renewal and gets its result, as all who wait do: credentials, or the same error. In the pause after a failure
    /// the error comes at once; its [`retry_at`](Error::retry_at) says when the pause ends.
    pub fn credentials(&self) -> Result<CredentialsRef, Error> {
        self.credentials_for(LeaseId::Access)
    }

    /// As [`credentials`](Self::credentials), but this lease is valid: the access token or the AWS credentials. An
    /// error ([`NotOffered`](perennial_core::SessionError::NotOffered)) if the service has none of that kind.
    pub fn credentials_for(&self, lease_id: LeaseId) -> Result<CredentialsRef, Error> {
        self.0.at_once(lease_id).map_or_else(|| block_on(self.0.credentials_for(lease_id)), Ok)
    }

    /// As [`credentials_for`](Self::credentials_for), with at least this much lifetime left, for something that takes
    /// long: an upload, a connection. If less is left they are renewed first; if that fails, its error is returned
    /// although the old ones are still valid. [`LifetimeTooShort`](perennial_core::SessionError::LifetimeTooShort) if
    /// the service's credentials never live that long.
    pub fn credentials_with(&self, lease_id: LeaseId, min_remaining: Duration) -> Result<CredentialsRef, Error> {
        block_on(self.0.credentials_with(lease_id, min_remaining))
    }

    /// Valid credentials if they are held. If not, this returns `None` at once and starts no sign-in: for a status
    /// page, or where an access token is of use but not needed.
    #[inline]
    pub fn current(&self, lease_id: LeaseId) -> Option<CredentialsRef> {
        self.0.current(lease_id)
    }

    /// Puts valid credentials into the headers of an API call, as the service wants them. Waits and fails as
    /// [`credentials`](Self::credentials) does. Authorize each call, and each repetition of one: some services want
    /// headers that are good for one call only.
    pub fn authorize(&self, method: &Method, uri: &Uri, headers: &mut HeaderMap) -> Result<CredentialsRef, Error> {
        let current = self.credentials()?;
        self.0.authorize_with(&current, method, uri, headers);
        Ok(current)
    }

    /// As [`authorize`](Self::authorize), for a whole request.
    pub fn authorize_request<B>(&self, request: &mut http::Request<B>) -> Result<CredentialsRef, Error> {
        let mut headers = std::mem::take(request.headers_mut());
        let authorized = self.authorize(request.method(), request.uri(), &mut headers);
        *request.headers_mut() = headers;
        authorized
    }

    /// As [`authorize`](Self::authorize), with credentials that you got before. Does not wait.
    pub fn authorize_with(&self, credentials: &Credentials, method: &Method, uri: &Uri, headers: &mut HeaderMap) {
        self.0.authorize_with(credentials, method, uri, headers);
    }

    /// Whether an API accepted the credentials of a call, by the status and the headers of its answer. If they are
    /// [`Rejected`](Judgement::Rejected), tell the session with [`rejected`](Self::rejected), authorize again, and
    /// repeat the call once.
    pub fn judge(&self, method: &Method, uri: &Uri, status: StatusCode, headers: &HeaderMap) -> Judgement {
        self.0.judge(method, uri, status, headers)
    }

    /// Tells the session that the service's API refused these credentials: [`judge`](Self::judge) says when. They are
    /// given to nobody any more and are renewed once, however many callers say so; this does not wait for it. Then
    /// authorize again and repeat the call once.
    pub fn rejected(&self, lease_id: LeaseId, credentials: &Credentials) {
        self.0.rejected(lease_id, credentials);
    }

    /// Renews now, although it is not due yet, and waits for the result. In the pause after a failure it returns that
    /// failure at once. You need this only if you know that the credentials have to change, after new rights were
    /// granted for example: renewal before the end needs no call.
    pub fn renew(&self, lease_id: LeaseId) -> Result<CredentialsRef, Error> {
        block_on(self.0.renew(lease_id))
    }

    /// Signs in with this login, which replaces the session's own, and waits for the result: after a sign-out, or when
    /// the old login was refused. It is tried at once, even in the pause after a failure. Credentials that are held are
    /// dropped, unless they are known to be of the same account: those serve until the new ones come.
    pub fn sign_in(&self, login: P::Login) -> Result<CredentialsRef, Error> {
        block_on(self.0.sign_in(login))
    }

    /// Signs in with the login that the session has, or that is kept in the store, and waits for the result: after a
    /// sign-out that kept the login, or to get new credentials whatever is held. If such a sign-in is under way, this
    /// waits for it. In the pause after a failure it returns that failure at once.
    ///
    /// [`NoLogin`](perennial_core::SessionError::NoLogin) if there is none. If the service has refused the login, the
    /// error is that refusal. Either way a login is needed: [`sign_in`](Self::sign_in).
    pub fn sign_in_again(&self) -> Result<CredentialsRef, Error> {
        block_on(self.0.sign_in_again())
    }

    /// Takes the tokens of an interactive sign-in (in a browser, on another device), in place of all credentials that
    /// are held, and keeps them valid from now on. An error if there is no usable access token in them, or if the
    /// session is [`Closed`](perennial_core::SessionError::Closed).
    pub fn install_grant(&self, grant: Grant) -> Result<(), Error> {
        self.0.install_grant(grant)
    }

    /// Signs out: nobody gets the credentials any more. Waits until the service was told to revoke the tokens, if it
    /// can do that, and until the store is cleared. With a store every session on it is signed out. It stays so until
    /// [`sign_in`](Self::sign_in), [`sign_in_again`](Self::sign_in_again) or [`install_grant`](Self::install_grant),
    /// here or in another process.
    ///
    /// The session is signed out even if this returns an error:
    ///
    /// - of the service or the transport: the service could not be told. It is not told again, and the tokens may work
    ///   until they expire.
    /// - of the store: it could not be cleared, which is tried again as long as there is a handle. If the service could
    ///   not be told either, you get that error, and [`unsaved`](Self::unsaved) has this one.
    /// - [`Closed`](perennial_core::SessionError::Closed) is the exception: the session was closed, and nothing was
    ///   done, or not all of it.
    pub fn sign_out(&self, login: SignOut) -> Result<(), Error> {
        block_on(self.0.sign_out(login))
    }

    /// Forgets the login, in the store too. Credentials stay, and are renewed for as long as that works without a
    /// login, by a refresh token for example.
    pub fn forget_login(&self) {
        self.0.forget_login();
    }

    /// The credentials of a lease: what is held first, if it is valid, then each renewal. An MQTT client connects with the
    /// first and connects anew with each further one.
    pub fn updates(&self, lease_id: LeaseId) -> Updates<P> {
        Updates(self.0.updates(lease_id))
    }

    /// This session without the type of its provider, for code that takes credentials of any service.
    pub fn source(&self) -> CredentialSource {
        CredentialSource::new(self.0.source())
    }

    /// The error of the last attempt to save what is held, until it is saved; `None` if no attempt has failed. The
    /// credentials are valid all the same, and are saved as soon as the store works again; a restart before that may
    /// lose them.
    pub fn unsaved(&self) -> Option<StoreError> {
        self.0.unsaved()
    }

    /// The provider: which service this is a session at, with its settings and its own methods.
    pub fn provider(&self) -> &P {
        self.0.provider()
    }

    /// The account whose credentials are held, valid or not; `None` if none are held.
    pub fn account(&self) -> Option<Account> {
        self.0.account()
    }

    /// What the session is doing.
    pub fn state(&self) -> State {
        self.0.state()
    }

    /// Whether a valid access token is held.
    pub fn is_authenticated(&self) -> bool {
        self.0.is_authenticated()
    }

    /// Whether there is a login that was not refused: [`sign_in_again`](Self::sign_in_again) can use it. One that is
    /// kept in the store is known once that was read.
    pub fn has_login(&self) -> bool {
        self.0.has_login()
    }

    /// A copy of what is held, with the tokens in the clear, to save it yourself and go on from it with
    /// [`import`](crate::SessionBuilder::import); `None` if nothing is held. The next renewal may use up the refresh
    /// token in it: over restarts a [`store`](crate::SessionBuilder::store) is safer.
    pub fn export(&self) -> Option<SavedSession> {
        self.0.export()
    }

    /// Closes the session for all clones: callers that wait get [`Closed`](perennial_core::SessionError::Closed), and
    /// nothing begins any more. Returns when nothing would be lost by ending the program: a request with a one-use
    /// token is answered, what it brought is saved, the store's lock is released, all events were reported. If nothing
    /// is under way it returns at once, else after [`CLOSE_TIMEOUT`] (40 s) at most. Dropping the last handle does the
    /// same if there is a store; without one it does not wait.
    pub fn close(&self) {
        block_on(self.0.close());
    }

    /// As [`close`](Self::close), but waits for this long at most. The error says what would be lost if the program
    /// ended now; the session goes on with it for as long as the program runs, and this can be called again.
    pub fn finish(&self, within: Duration) -> Result<(), Unfinished> {
        block_on(self.0.finish(within))
    }

    /// Waits until the session has done all that it can do at this moment of its clock: no request is out, nothing is
    /// being saved, and the listener has heard of everything. For tests over a `ManualClock`: move it, and wait for
    /// this, so that nothing depends on how fast anybody is. Never ends while an answer is held back.
    #[cfg(feature = "test-util")]
    pub fn settle(&self) {
        block_on(self.0.settle());
    }
}

/// The credentials of a lease, one renewal after another. Made by [`Session::updates`].
#[derive(Debug)]
pub struct Updates<P: Provider>(perennial_adapter::Updates<P>);

impl<P: Provider> Updates<P> {
    /// Waits for the next renewal; the first call returns at once if valid credentials are held. If there were several
    /// renewals since the last call, only the newest is returned. If nothing valid is held it asks for credentials, as
    /// a caller of [`Session::credentials_for`] would, unless an attempt is under way or will begin by itself. Other
    /// failures than [`Closed`](perennial_core::SessionError::Closed) are not returned, it goes on waiting: they pass,
    /// and a sign-out may be followed by a sign-in.
    #[expect(clippy::should_implement_trait, reason = "the same name as in perennial-hyper; it ends with a reason")]
    pub fn next(&mut self) -> Result<CredentialsRef, Error> {
        block_on(self.0.next())
    }
}
