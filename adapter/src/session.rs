//! What callers hold.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Uri};
use tracing::{Instrument, debug_span};

use super::shared::Shared;
use super::sync::Guard;
use super::{CLOSE_TIMEOUT, Clock};
use crate::snapshot::{CredentialsRef, Snapshot, Use};
use perennial_core::exchange::{Call, Judgement, Provider};
use perennial_core::session::{Session as Machine, SignOut, State, Unfinished};
use perennial_core::store::StoreError;
use perennial_core::{Account, Credentials, Generation, Grant, LeaseId, SavedSession, Timestamp, Validity};
use perennial_core::{Error, SessionError};

/// A session at one account, whose credentials are kept valid. Cheap to clone, shared by any number of tasks and
/// threads. When the last clone is dropped, it is closed.
///
/// The futures of this type need no particular runtime, but its adapter does: `perennial-hyper` needs tokio.
///
/// # The end of a program
///
/// If a program ends in the middle of a renewal, the refresh token that was sent may be used up, and the new one is
/// never saved. So before `main` returns, await [`close`](Self::close) or [`finish`](Self::finish). If the last clone
/// is only dropped, a session with a store goes on in the background until nothing would be lost, for as long as its
/// runtime runs.
///
/// For a program that gets a token and ends, take [`Policy::one_shot`](perennial_core::Policy::one_shot): a renewal
/// then begins only while a caller waits for it, so none is under way when the callers have their answers. No renewal
/// begins by itself later, either. If an error or an event of such a session names the time of the next attempt
/// ([`retry_at`](Error::retry_at)), it is made only if somebody asks again, then or later; after the program has ended
/// nothing is retried.
pub struct Session<P: Provider> {
    /// At hand, for readers.
    shared: Arc<Shared<P>>,
    owner: Arc<Owner<P>>,
}

/// Dropped with the last handle. The driver holds only what is shared.
struct Owner<P: Provider>(Arc<Shared<P>>);

impl<P: Provider> Drop for Owner<P> {
    fn drop(&mut self) {
        self.0.abandon();
        if !self.0.has_ended() {
            let end = Arc::clone(&self.0).ended(CLOSE_TIMEOUT);
            self.0.runtime.linger(Box::pin(async { drop(end.await) }));
        }
    }
}

impl<P: Provider> Clone for Session<P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), owner: Arc::clone(&self.owner) }
    }
}

impl<P: Provider> Session<P> {
    pub(crate) fn new(shared: Arc<Shared<P>>) -> Self {
        let owner = Arc::new(Owner(Arc::clone(&shared)));
        // A restored session renews by itself, if there is something to run it here; else with the first call.
        if shared.snapshots.load().held().is_some() {
            let _ = shared.ensure_driver();
        }
        Self { shared, owner }
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Arc<Shared<P>> {
        &self.shared
    }

    /// The access token and what came with it, valid now. While a valid one is held, this takes no lock and returns at
    /// once (a one-shot session renews first if the token expires soon). If none is held, it waits for the sign-in or
    /// renewal and gets its result, as all who wait do: credentials, or the same error. In the pause after a failure
    /// the error comes at once; its [`retry_at`](Error::retry_at) says when the pause ends.
    pub async fn credentials(&self) -> Result<CredentialsRef, Error> {
        match self.at_once(LeaseId::Access) {
            Some(current) => Ok(current),
            None => self.wait_for(LeaseId::Access).await,
        }
    }

    /// As [`credentials`](Self::credentials), but this lease is valid: the access token or the AWS credentials. An
    /// error ([`NotOffered`](perennial_core::SessionError::NotOffered)) if the service has none of that kind.
    pub async fn credentials_for(&self, lease_id: LeaseId) -> Result<CredentialsRef, Error> {
        match self.at_once(lease_id) {
            Some(current) => Ok(current),
            None => self.wait_for(lease_id).await,
        }
    }

    /// Asks for what is not held, and waits for it. On the heap: most callers never come here, and need not carry the
    /// room that waiting takes in every future of theirs.
    #[cold]
    pub(crate) fn wait_for(
        &self,
        lease_id: LeaseId,
    ) -> Pin<Box<dyn Future<Output = Result<CredentialsRef, Error>> + Send + '_>> {
        Box::pin(async move {
            let shared = self.shared();
            let before = shared.snapshots.load().told(lease_id);
            if let Some(error) = shared.command(|session, now| {
                session.demand(lease_id, now);
                session.obstacle(lease_id)
            }) {
                return Err(self.at_an_end().unwrap_or(error));
            }
            self.arrival(lease_id, before, None).await
        })
    }

    /// As [`credentials_for`](Self::credentials_for), with at least this much lifetime left, for something that takes
    /// long: an upload, a connection. If less is left they are renewed first; if that fails, its error is returned
    /// although the old ones are still valid. [`LifetimeTooShort`](perennial_core::SessionError::LifetimeTooShort) if
    /// the service's credentials never live that long.
    pub async fn credentials_with(&self, lease_id: LeaseId, min_remaining: Duration) -> Result<CredentialsRef, Error> {
        let enough = |held: &Credentials| {
            let left = held.validity(lease_id).and_then(Validity::deadline);
            left.is_none_or(|left| left.remaining(self.shared().clock.now()) >= min_remaining)
        };
        let current = self.credentials_for(lease_id).await?;
        if enough(&current) {
            return Ok(current);
        }
        let lifetime = current.validity(lease_id).and_then(Validity::lifetime);
        if lifetime.is_some_and(|lifetime| lifetime < min_remaining) {
            return Err(SessionError::LifetimeTooShort.into());
        }
        drop(current);
        self.renew(lease_id).await?;
        let current = self.credentials_for(lease_id).await?;
        if enough(&current) { Ok(current) } else { Err(SessionError::LifetimeTooShort.into()) }
    }

    /// Valid credentials if they are held. If not, this returns `None` at once and starts no sign-in: for a status
    /// page, or where an access token is of use but not needed.
    #[inline]
    pub fn current(&self, lease_id: LeaseId) -> Option<CredentialsRef> {
        self.read(lease_id, IfNotHeld::GoesWithout)
    }

    /// What [`credentials_for`](Self::credentials_for) has without waiting; `None` where it would wait.
    #[doc(hidden)]
    #[inline]
    pub fn at_once(&self, lease_id: LeaseId) -> Option<CredentialsRef> {
        self.read(lease_id, IfNotHeld::Waits)
    }

    #[inline]
    fn read(&self, lease_id: LeaseId, otherwise: IfNotHeld) -> Option<CredentialsRef> {
        let view = self.shared.snapshots.load();
        if self.shared.is_served(&view, lease_id, otherwise) {
            CredentialsRef::new(view)
        } else {
            self.read_again(lease_id, otherwise)
        }
    }

    /// Once more: this thread may have been stopped between its look at the picture and the one at the clock, long
    /// enough for that picture to run out and another to come.
    #[cold]
    fn read_again(&self, lease_id: LeaseId, otherwise: IfNotHeld) -> Option<CredentialsRef> {
        let view = self.shared.snapshots.load();
        if self.shared.is_served(&view, lease_id, otherwise) { CredentialsRef::new(view) } else { None }
    }

    /// Puts valid credentials into the headers of an API call, as the service wants them. Waits and fails as
    /// [`credentials`](Self::credentials) does. Authorize each call, and each repetition of one: some services want
    /// headers that are good for one call only.
    pub async fn authorize(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &mut HeaderMap,
    ) -> Result<CredentialsRef, Error> {
        let current = match self.at_once(LeaseId::Access) {
            Some(current) => current,
            None => self.wait_for(LeaseId::Access).await?,
        };
        self.authorize_with(&current, method, uri, headers);
        Ok(current)
    }

    /// As [`authorize`](Self::authorize), for a whole request.
    pub async fn authorize_request<B>(&self, request: &mut http::Request<B>) -> Result<CredentialsRef, Error> {
        let current = self.credentials().await?;
        let mut headers = std::mem::take(request.headers_mut());
        self.authorize_with(&current, request.method(), request.uri(), &mut headers);
        *request.headers_mut() = headers;
        Ok(current)
    }

    /// As [`authorize`](Self::authorize), with credentials that you got before. Does not wait.
    pub fn authorize_with(&self, credentials: &Credentials, method: &Method, uri: &Uri, headers: &mut HeaderMap) {
        self.provider().authorize(&self.call(method, uri), credentials, headers);
    }

    /// Whether an API accepted the credentials of a call, by the status and the headers of its answer. If they are
    /// [`Rejected`](Judgement::Rejected), tell the session with [`rejected`](Self::rejected), authorize again, and
    /// repeat the call once.
    pub fn judge(&self, method: &Method, uri: &Uri, status: StatusCode, headers: &HeaderMap) -> Judgement {
        self.provider().judge(&self.call(method, uri), status, headers)
    }

    fn call<'a>(&self, method: &'a Method, uri: &'a Uri) -> Call<'a> {
        Call::new(method, uri, self.shared().clock.wall())
    }

    /// Tells the session that the service's API refused these credentials: [`judge`](Self::judge) says when. They are
    /// given to nobody any more and are renewed once, however many callers say so; this does not wait for it. Then
    /// authorize again and repeat the call once.
    pub fn rejected(&self, lease_id: LeaseId, credentials: &Credentials) {
        let generation = credentials.generation(lease_id);
        self.shared().command(|session, now| session.rejected(lease_id, generation, now));
        let _ = self.shared().ensure_driver();
    }

    /// Renews now, although it is not due yet, and waits for the result. In the pause after a failure it returns that
    /// failure at once. You need this only if you know that the credentials have to change, after new rights were
    /// granted for example: renewal before the end needs no call.
    pub async fn renew(&self, lease_id: LeaseId) -> Result<CredentialsRef, Error> {
        let shared = self.shared();
        let (before, generation) = self.counts(lease_id);
        if let Some(error) = shared.command(|session, now| {
            session.renew(lease_id, now);
            session.pause(lease_id)
        }) {
            return Err(self.at_an_end().unwrap_or(error));
        }
        self.arrival(lease_id, before, Some(generation)).await
    }

    /// Signs in with this login, which replaces the session's own, and waits for the result: after a sign-out, or when
    /// the old login was refused. It is tried at once, even in the pause after a failure. Credentials that are held are
    /// dropped, unless they are known to be of the same account: those serve until the new ones come.
    pub async fn sign_in(&self, login: P::Login) -> Result<CredentialsRef, Error> {
        let (before, generation) = self.shared().command(|session, now| {
            let before = session.failures(LeaseId::Access).0;
            session.sign_in(login, now);
            // What came before this login is not what it brings.
            (before, session.held().map_or_else(Generation::default, |held| held.generation(LeaseId::Access)))
        });
        self.arrival(LeaseId::Access, before, Some(generation)).await
    }

    /// Signs in with the login that the session has, or that is kept in the store, and waits for the result: after a
    /// sign-out that kept the login, or to get new credentials whatever is held. If such a sign-in is under way, this
    /// waits for it. In the pause after a failure it returns that failure at once.
    ///
    /// [`NoLogin`](SessionError::NoLogin) if there is none. If the service has refused the login, the error is that
    /// refusal. Either way a login is needed: [`sign_in`](Self::sign_in).
    pub async fn sign_in_again(&self) -> Result<CredentialsRef, Error> {
        if self.shared().is_closed() {
            return Err(SessionError::Closed.into());
        }
        if !self.has_login() && self.shared().with(|session, _| session.has_unread_store()) {
            // Whatever else comes of it, it tells what is there.
            if let Err(error @ Error::Store(_)) = self.wait_for(LeaseId::Access).await {
                return Err(error);
            }
        }
        let begun = self.shared().command(|session, now| {
            let before = session.failures(LeaseId::Access).0;
            session.sign_in_again(now)?;
            let generation = session.held().map_or_else(Generation::default, |held| held.generation(LeaseId::Access));
            session.pause(LeaseId::Access).map_or(Ok((before, generation)), Err)
        });
        let (before, generation) = begun?;
        self.arrival(LeaseId::Access, before, Some(generation)).await
    }

    /// Takes the tokens of an interactive sign-in (in a browser, on another device), in place of all credentials that
    /// are held, and keeps them valid from now on. An error if there is no usable access token in them, or if the
    /// session is [`Closed`](perennial_core::SessionError::Closed).
    pub fn install_grant(&self, grant: Grant) -> Result<(), Error> {
        if self.shared().snapshots.load().closed {
            return Err(SessionError::Closed.into());
        }
        self.shared().command(|session, now| session.install_grant(grant, now))?;
        self.shared().ensure_driver()
    }

    /// Signs out: from when this is awaited, nobody gets the credentials any more. It is ready when the service was
    /// told to revoke the tokens, if it can do that, and the store is cleared. With a store every session on it is
    /// signed out. It stays so until [`sign_in`](Self::sign_in), [`sign_in_again`](Self::sign_in_again) or
    /// [`install_grant`](Self::install_grant), here or in another process.
    ///
    /// The session is signed out even if this returns an error:
    ///
    /// - of the service or the transport: the service could not be told. It is not told again, and the tokens may work
    ///   until they expire.
    /// - of the store: it could not be cleared, which is tried again as long as there is a handle. If the service could
    ///   not be told either, you get that error, and [`unsaved`](Self::unsaved) has this one.
    /// - [`Closed`](SessionError::Closed) is the exception: the session was closed, and nothing was done, or not all of
    ///   it.
    pub async fn sign_out(&self, login: SignOut) -> Result<(), Error> {
        let shared = self.shared();
        if shared.is_closed() {
            return Err(SessionError::Closed.into());
        }
        shared.command(|session, now| session.sign_out(login, now));
        let look = |view: Guard<Arc<Snapshot>>| match (view.signing_out, view.closed) {
            (true, true) => Some(Err(SessionError::Closed.into())),
            (true, false) => None,
            (false, _) => Some(match (&view.unrevoked, &view.unsaved) {
                (Some(error), _) => Err(error.clone()),
                (None, Some(error)) => Err(error.clone().into()),
                (None, None) => Ok(()),
            }),
        };
        shared.until(look).await?
    }

    /// Forgets the login, in the store too. Credentials stay, and are renewed for as long as that works without a
    /// login, by a refresh token for example.
    pub fn forget_login(&self) {
        self.shared().command(Machine::forget_login);
    }

    /// The credentials of a lease: what is held first, if it is valid, then each renewal. An MQTT client connects with the
    /// first and connects anew with each further one.
    pub fn updates(&self, lease_id: LeaseId) -> Updates<P> {
        Updates { handle: self.clone(), lease_id, told: None }
    }

    /// The error of the last attempt to save what is held, until it is saved; `None` if no attempt has failed. The
    /// credentials are valid all the same, and are saved as soon as the store works again; a restart before that may
    /// lose them.
    pub fn unsaved(&self) -> Option<StoreError> {
        self.shared().snapshots.load().unsaved.clone()
    }

    /// The provider: which service this is a session at, with its settings and its own methods.
    #[inline]
    pub fn provider(&self) -> &P {
        &self.shared.provider
    }

    /// The account whose credentials are held, valid or not; `None` if none are held.
    pub fn account(&self) -> Option<Account> {
        Some(self.shared().snapshots.load().held()?.account().clone())
    }

    /// What the session is doing.
    pub fn state(&self) -> State {
        self.shared().snapshots.load().state
    }

    /// Whether a valid access token is held.
    pub fn is_authenticated(&self) -> bool {
        self.shared().snapshots.load().is_valid(LeaseId::Access, self.shared().clock.wall())
    }

    /// Whether there is a login that was not refused: [`sign_in_again`](Self::sign_in_again) can use it. One that is
    /// kept in the store is known once that was read.
    pub fn has_login(&self) -> bool {
        self.shared().snapshots.load().has_login
    }

    /// A copy of what is held, with the tokens in the clear, to save it yourself and go on from it with
    /// [`import`](crate::SessionBuilder::import); `None` if nothing is held. The next renewal may use up the refresh
    /// token in it: over restarts a [`store`](crate::SessionBuilder::store) is safer.
    pub fn export(&self) -> Option<SavedSession> {
        self.shared().with(|session, _| session.export())
    }

    /// Closes the session for all clones, even if the future is not awaited: callers that wait get
    /// [`Closed`](SessionError::Closed), and nothing begins any more. The future is ready when nothing would be lost by
    /// ending the program: a request with a one-use token is answered, what it brought is saved, the store's lock is
    /// released, all events were reported. If nothing is under way it is ready at once, else after [`CLOSE_TIMEOUT`]
    /// (40 s) at most.
    pub fn close(&self) -> impl Future<Output = ()> + Send + use<P> {
        let end = self.finish(CLOSE_TIMEOUT);
        async { drop(end.await) }
    }

    /// As [`close`](Self::close), but waits for this long at most. The error says what would be lost if the program
    /// ended now; the session goes on with it for as long as the program runs, and this can be called again.
    pub fn finish(&self, within: Duration) -> impl Future<Output = Result<(), Unfinished>> + Send + use<P> {
        self.shared().close();
        Arc::clone(self.shared()).ended(within)
    }

    /// Waits until the session has done all that it can do at this moment of its clock: no request is out, nothing is
    /// being saved, and the listener has heard of everything. For tests over a [`ManualClock`](super::ManualClock):
    /// move it, and wait for this, so that nothing depends on how fast anybody is. Never ends while an answer is held
    /// back.
    #[cfg(feature = "test-util")]
    pub async fn settle(&self) {
        self.shared().settle().await;
    }

    fn counts(&self, lease_id: LeaseId) -> (u64, Generation) {
        let view = self.shared().snapshots.load();
        (view.told(lease_id), view.generation(lease_id))
    }

    fn at_an_end(&self) -> Option<Error> {
        self.shared().snapshots.load().end()
    }

    /// Waits for valid credentials of another generation than `seen`, or for a failure after `before` ones.
    async fn arrival(&self, lease_id: LeaseId, before: u64, seen: Option<Generation>) -> Result<CredentialsRef, Error> {
        let shared = self.shared();
        let look = |view: Guard<Arc<Snapshot>>| match view.end() {
            Some(end) => Some(Err(end)),
            None if seen != Some(view.generation(lease_id)) && view.answers(lease_id, shared.clock.wall()) => {
                CredentialsRef::new(view).map(Ok)
            }
            None if view.told(lease_id) != before => Some(Err(view.error(lease_id))),
            None => None,
        };
        let span = debug_span!("wait", provider = shared.provider.name(), lease_id = %lease_id);
        shared.until(look).instrument(span).await?
    }
}

impl<P: Provider> std::fmt::Debug for Session<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("provider", &self.shared().provider.name())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// The credentials of a lease, one renewal after another. Made by [`Session::updates`].
#[derive(Debug)]
pub struct Updates<P: Provider> {
    handle: Session<P>,
    lease_id: LeaseId,
    told: Option<Generation>,
}

impl<P: Provider> Updates<P> {
    /// Waits for the next renewal; the first call returns at once if valid credentials are held. If there were several
    /// renewals since the last call, only the newest is returned. If nothing valid is held it asks for credentials, as
    /// a caller of [`Session::credentials_for`] would, unless an attempt is under way or will begin by itself. Other
    /// failures than [`Closed`](SessionError::Closed) are not returned, it goes on waiting: they pass, and a sign-out
    /// may be followed by a sign-in. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<CredentialsRef, Error> {
        let shared = self.handle.shared();
        let (lease_id, told) = (self.lease_id, self.told);
        let look = |view: Guard<Arc<Snapshot>>| {
            if view.closed {
                return Some(Err(Error::from(SessionError::Closed)));
            }
            if !view.is_valid(lease_id, shared.clock.wall()) {
                shared.command(|session, now| session.demand_unless_awaited(lease_id, now));
                return None;
            }
            if told == Some(view.generation(lease_id)) { None } else { CredentialsRef::new(view).map(Ok) }
        };
        let current = shared.until(look).await??;
        self.told = Some(current.generation(lease_id));
        Ok(current)
    }
}

impl<P: Provider> Shared<P> {
    /// Whether a picture has credentials for a caller, now. The clock is looked at in every read: while a machine is
    /// suspended no timer takes them back.
    #[inline]
    pub(crate) fn is_served(self: &Arc<Self>, view: &Snapshot, lease_id: LeaseId, otherwise: IfNotHeld) -> bool {
        let wall = self.clock.wall();
        view.is_ready(lease_id, wall) || self.is_served_slow(view, lease_id, wall, otherwise)
    }

    #[cold]
    fn is_served_slow(
        self: &Arc<Self>,
        view: &Snapshot,
        lease_id: LeaseId,
        wall: Timestamp,
        otherwise: IfNotHeld,
    ) -> bool {
        match view.usage(lease_id, wall) {
            Use::Nothing => false,
            Use::Take => true,
            Use::TakeAndRequestRefresh => {
                self.command(|session, now| session.demand(lease_id, now));
                // Without a driver the request is seen when somebody has to wait.
                let _ = self.ensure_driver();
                true
            }
            Use::Ask => otherwise == IfNotHeld::GoesWithout,
        }
    }
}

/// What a caller does where nothing can be had at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfNotHeld {
    GoesWithout,
    Waits,
}
