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

/// A session that is kept alive. Cheap to clone, shared by any number of threads; the last clone dropped ends
/// the work.
///
/// # The end of a program
///
/// A program that ends in the middle of a renewal loses what that brings: the refresh token that was sent is used up,
/// and its successor is never saved. So dropping the last handle waits, as [`close`](Self::close) does: while a one-use
/// token is out or what it brought is not saved, and while the store is being written or locked; [`CLOSE_TIMEOUT`] at
/// most. Else it does not wait. Where a program ends by `process::exit` or a signal nothing is dropped: call
/// [`finish`](Self::finish) first.
///
/// A program that only wants a token and ends is best made with [`Policy::one_shot`](perennial_core::Policy::one_shot):
/// everything that begins is waited for by whoever asked.
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

    /// The access token and what came with it, valid now. Takes no lock and waits for nothing while a valid one
    /// is held; else it waits for one, or gets the error that everybody gets.
    pub fn credentials(&self) -> Result<CredentialsRef, Error> {
        self.credentials_for(LeaseId::Access)
    }

    /// As [`credentials`](Self::credentials), valid for this need.
    pub fn credentials_for(&self, lease_id: LeaseId) -> Result<CredentialsRef, Error> {
        self.0.at_once(lease_id).map_or_else(|| block_on(self.0.credentials_for(lease_id)), Ok)
    }

    /// As [`credentials_for`](Self::credentials_for), with at least this much life left: renewed first if need
    /// be. An error where the service's credentials never live that long.
    pub fn credentials_with(&self, lease_id: LeaseId, min_remaining: Duration) -> Result<CredentialsRef, Error> {
        block_on(self.0.credentials_with(lease_id, min_remaining))
    }

    /// Valid credentials if they are held, without waiting or asking.
    #[inline]
    pub fn current(&self, lease_id: LeaseId) -> Option<CredentialsRef> {
        self.0.current(lease_id)
    }

    /// Puts valid credentials into the headers of an API call, as the service wants them. They may be good for this call
    /// alone, where a service signs calls.
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

    /// As [`authorize`](Self::authorize), with credentials that are at hand.
    pub fn authorize_with(&self, credentials: &Credentials, method: &Method, uri: &Uri, headers: &mut HeaderMap) {
        self.0.authorize_with(credentials, method, uri, headers);
    }

    /// What the answer to an API call says of the credentials that it was made with. Where they are
    /// [`Rejected`](Judgement::Rejected), say so with [`rejected`](Self::rejected), authorize again, and repeat the call
    /// once.
    pub fn judge(&self, method: &Method, uri: &Uri, status: StatusCode, headers: &HeaderMap) -> Judgement {
        self.0.judge(method, uri, status, headers)
    }

    /// The service's API refused these credentials, as [`judge`](Self::judge) tells: they are renewed once, however many
    /// callers say so. Ask for credentials again and repeat the call once.
    pub fn rejected(&self, lease_id: LeaseId, credentials: &Credentials) {
        self.0.rejected(lease_id, credentials);
    }

    /// Renews now, before the time, and waits for it. During a pause after a failure: that failure.
    pub fn renew(&self, lease_id: LeaseId) -> Result<CredentialsRef, Error> {
        block_on(self.0.renew(lease_id))
    }

    /// Signs in with a login, from now on the session's own, and waits for it.
    pub fn sign_in(&self, login: P::Login) -> Result<CredentialsRef, Error> {
        block_on(self.0.sign_in(login))
    }

    /// Signs in with the login that is there, and waits for it: after a sign-out that kept it, or anew, whatever is
    /// held. A login that is kept in the store is found there. Where somebody else is about it, this waits for the same
    /// sign-in; during a pause after a failure: that failure.
    ///
    /// [`NoLogin`](perennial_core::SessionError::NoLogin) where there is none, and the service's refusal where it was
    /// refused: only [`sign_in`](Self::sign_in) helps then.
    pub fn sign_in_again(&self) -> Result<CredentialsRef, Error> {
        block_on(self.0.sign_in_again())
    }

    /// Takes what an interactive sign-in brought, in place of all that is held.
    pub fn install_grant(&self, grant: Grant) -> Result<(), Error> {
        self.0.install_grant(grant)
    }

    /// Signs out: credentials are gone at once; the service has been told, as far as it can be, and the store
    /// cleared when this returns. With a store it holds for every session on it. It ends with
    /// [`sign_in`](Self::sign_in), [`sign_in_again`](Self::sign_in_again) or [`install_grant`](Self::install_grant), here or in
    /// another process.
    ///
    /// Whatever the error, this session is signed out, but for [`Closed`](perennial_core::SessionError::Closed):
    /// nothing was done, or it was not brought to its end. A service's or a transport's error: the service could not be
    /// told, and its tokens may work until they end by themselves. A store's: it could not be cleared, which is tried
    /// again as long as there is a handle; should both have failed, [`unsaved`](Self::unsaved) tells it.
    pub fn sign_out(&self, login: SignOut) -> Result<(), Error> {
        block_on(self.0.sign_out(login))
    }

    /// Forgets the login. Credentials stay, and are renewed as far as they can be without it.
    pub fn forget_login(&self) {
        self.0.forget_login();
    }

    /// The credentials of a lease: what is held first, if it is valid, then each renewal. An MQTT client connects with the
    /// first and connects anew with each further one.
    pub fn updates(&self, lease_id: LeaseId) -> Updates<P> {
        Updates(self.0.updates(lease_id))
    }

    /// The same without the provider's type, for code that takes credentials of any service.
    pub fn source(&self) -> CredentialSource {
        CredentialSource::new(self.0.source())
    }

    /// Why what is held is not in the store, where the last attempt to save it failed. It serves all the same, and is
    /// saved as soon as it can be.
    pub fn unsaved(&self) -> Option<StoreError> {
        self.0.unsaved()
    }

    /// How the service is spoken to.
    pub fn provider(&self) -> &P {
        self.0.provider()
    }

    /// Whose credentials are held; `None` where none are.
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

    /// The session to save, secrets in the clear; `None` where nothing is held.
    pub fn export(&self) -> Option<SavedSession> {
        self.0.export()
    }

    /// Ends the work, for all clones: who waits is told, and nothing begins any more. Returns when nothing would be lost
    /// by ending the program: a one-use token that was out is heard of, what it brought is saved, the store's lock is
    /// given back, all events are told. That takes no time where nothing is under way; it takes [`CLOSE_TIMEOUT`] at
    /// most. Dropping the last handle does the same, where there is a store; without one it does not wait.
    pub fn close(&self) {
        block_on(self.0.close());
    }

    /// As [`close`](Self::close), and takes this long at most. An error says what a program that ends now leaves
    /// undone; it goes on being done as long as the program does.
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
    /// Waits for the next renewal; the first call returns at once where valid credentials are held. Renewals that were
    /// missed are coalesced. Where nothing valid is held it asks for some, as a caller of
    /// [`Session::credentials_for`] would, unless the session is at it already. Ends with an error only when the
    /// session is closed: failures pass, and a sign-out may be followed by a sign-in.
    #[expect(clippy::should_implement_trait, reason = "the same name as in perennial-hyper; it ends with a reason")]
    pub fn next(&mut self) -> Result<CredentialsRef, Error> {
        block_on(self.0.next())
    }
}
