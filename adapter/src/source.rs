//! Credentials from anywhere, for code that does not name a provider.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, Uri};

use super::BoxFuture;
use super::session::{Session, Updates};
use super::snapshot::{CredentialsRef, Snapshot, Snapshots};
use perennial_core::{Credentials, Error, Judgement, LeaseId, Provider, State};

/// A session without the type of its provider, for code that needs valid credentials of any service: a client library,
/// a middleware, a struct of yours. Cheap to clone; while there is a clone the session is kept alive.
///
/// ```
/// # use http::{Request, Response};
/// # use perennial_adapter::CredentialSource;
/// # use perennial_core::{Error, Judgement, LeaseId};
/// # async fn send(_: &Request<String>) -> Result<Response<String>, Error> { Ok(Response::new(String::new())) }
/// struct Api {
///     credentials: CredentialSource, // no type parameter
/// }
///
/// impl Api {
///     async fn call(&self, mut request: Request<String>) -> Result<Response<String>, Error> {
///         let shown = self.credentials.authorize_request(&mut request).await?;
///         let answer = send(&request).await?;
///         match self.credentials.judge(request.method(), request.uri(), answer.status(), answer.headers()) {
///             Judgement::Rejected => {
///                 self.credentials.rejected(LeaseId::Access, &shown);
///                 self.credentials.authorize_request(&mut request).await?;
///                 send(&request).await
///             }
///             _ => Ok(answer),
///         }
///     }
/// }
/// ```
///
/// A [`Session`] gives one ([`Session::source`], or `From`). A test needs no session: [`fixed`](Self::fixed) hands out the
/// same credentials for ever.
#[derive(Clone)]
pub struct CredentialSource(Arc<dyn Source>);

/// The credentials of a lease, one renewal after another, from a [`CredentialSource`].
pub struct SourceUpdates(Box<dyn NextUpdate>);

impl CredentialSource {
    /// Always these credentials, even after their deadline: for the tests of code that takes a source. They are put
    /// into headers as a bearer token. Nothing renews them, and [`rejected`](Self::rejected) does nothing.
    pub fn fixed(credentials: Credentials) -> Self {
        Self(Arc::new(Fixed(Snapshots::new(Snapshot::fixed(credentials)))))
    }

    /// The access token and what came with it, valid now: see [`Session::credentials`].
    pub async fn credentials(&self) -> Result<CredentialsRef, Error> {
        self.credentials_for(LeaseId::Access).await
    }

    /// As [`credentials`](Self::credentials), with this lease valid.
    pub async fn credentials_for(&self, lease_id: LeaseId) -> Result<CredentialsRef, Error> {
        match self.0.at_once(lease_id) {
            Some(credentials) => Ok(credentials),
            None => self.0.wait_for(lease_id).await,
        }
    }

    /// Valid credentials if they are held. If not, this returns `None` at once and starts no sign-in.
    pub fn current(&self, lease_id: LeaseId) -> Option<CredentialsRef> {
        self.0.current(lease_id)
    }

    /// What [`credentials_for`](Self::credentials_for) has without waiting; `None` where it would wait.
    #[doc(hidden)]
    pub fn at_once(&self, lease_id: LeaseId) -> Option<CredentialsRef> {
        self.0.at_once(lease_id)
    }

    /// Puts valid credentials into the headers of an API call, as the service wants them: see [`Session::authorize`].
    pub async fn authorize(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &mut HeaderMap,
    ) -> Result<CredentialsRef, Error> {
        let credentials = self.credentials().await?;
        self.0.authorize(&credentials, method, uri, headers);
        Ok(credentials)
    }

    /// As [`authorize`](Self::authorize), for a whole request.
    pub async fn authorize_request<B>(&self, request: &mut http::Request<B>) -> Result<CredentialsRef, Error> {
        let credentials = self.credentials().await?;
        let mut headers = std::mem::take(request.headers_mut());
        self.0.authorize(&credentials, request.method(), request.uri(), &mut headers);
        *request.headers_mut() = headers;
        Ok(credentials)
    }

    /// As [`authorize`](Self::authorize), with credentials that you got before. Does not wait.
    pub fn authorize_with(&self, credentials: &Credentials, method: &Method, uri: &Uri, headers: &mut HeaderMap) {
        self.0.authorize(credentials, method, uri, headers);
    }

    /// What the answer to an API call says of the credentials that it was made with: see [`Session::judge`].
    pub fn judge(&self, method: &Method, uri: &Uri, status: StatusCode, headers: &HeaderMap) -> Judgement {
        self.0.judge(method, uri, status, headers)
    }

    /// The service's API refused these credentials: see [`Session::rejected`].
    pub fn rejected(&self, lease_id: LeaseId, credentials: &Credentials) {
        self.0.rejected(lease_id, credentials);
    }

    /// The credentials of a lease: what is held first, then each renewal. See [`Session::updates`].
    pub fn updates(&self, lease_id: LeaseId) -> SourceUpdates {
        SourceUpdates(self.0.updates(lease_id))
    }

    /// What the session is doing.
    pub fn state(&self) -> State {
        self.0.state()
    }
}

impl SourceUpdates {
    /// The next credentials: see [`Updates::next`].
    pub async fn next(&mut self) -> Result<CredentialsRef, Error> {
        self.0.next().await
    }
}

impl<P: Provider> Session<P> {
    /// This session without the type of its provider, for code that takes credentials of any service.
    pub fn source(&self) -> CredentialSource {
        self.clone().into()
    }
}

impl<P: Provider> From<Session<P>> for CredentialSource {
    fn from(session: Session<P>) -> Self {
        Self(Arc::new(session))
    }
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialSource").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl fmt::Debug for SourceUpdates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceUpdates")
    }
}

trait Source: Send + Sync {
    fn current(&self, lease_id: LeaseId) -> Option<CredentialsRef>;
    fn at_once(&self, lease_id: LeaseId) -> Option<CredentialsRef>;
    fn wait_for(&self, lease_id: LeaseId) -> BoxFuture<Result<CredentialsRef, Error>>;
    fn authorize(&self, credentials: &Credentials, method: &Method, uri: &Uri, headers: &mut HeaderMap);
    fn judge(&self, method: &Method, uri: &Uri, status: StatusCode, headers: &HeaderMap) -> Judgement;
    fn rejected(&self, lease_id: LeaseId, credentials: &Credentials);
    fn updates(&self, lease_id: LeaseId) -> Box<dyn NextUpdate>;
    fn state(&self) -> State;
}

trait NextUpdate: Send {
    fn next(&mut self) -> std::pin::Pin<Box<dyn Future<Output = Result<CredentialsRef, Error>> + Send + '_>>;
}

impl<P: Provider> Source for Session<P> {
    fn current(&self, lease_id: LeaseId) -> Option<CredentialsRef> {
        self.current(lease_id)
    }

    fn at_once(&self, lease_id: LeaseId) -> Option<CredentialsRef> {
        self.at_once(lease_id)
    }

    fn wait_for(&self, lease_id: LeaseId) -> BoxFuture<Result<CredentialsRef, Error>> {
        let session = self.clone();
        Box::pin(async move { session.credentials_for(lease_id).await })
    }

    fn authorize(&self, credentials: &Credentials, method: &Method, uri: &Uri, headers: &mut HeaderMap) {
        self.authorize_with(credentials, method, uri, headers);
    }

    fn judge(&self, method: &Method, uri: &Uri, status: StatusCode, headers: &HeaderMap) -> Judgement {
        self.judge(method, uri, status, headers)
    }

    fn rejected(&self, lease_id: LeaseId, credentials: &Credentials) {
        self.rejected(lease_id, credentials);
    }

    fn updates(&self, lease_id: LeaseId) -> Box<dyn NextUpdate> {
        Box::new(self.updates(lease_id))
    }

    fn state(&self) -> State {
        self.state()
    }
}

impl<P: Provider> NextUpdate for Updates<P> {
    fn next(&mut self) -> std::pin::Pin<Box<dyn Future<Output = Result<CredentialsRef, Error>> + Send + '_>> {
        Box::pin(Updates::next(self))
    }
}

/// The same credentials for ever.
struct Fixed(Snapshots);

impl Source for Fixed {
    fn current(&self, _: LeaseId) -> Option<CredentialsRef> {
        CredentialsRef::new(self.0.load())
    }

    fn at_once(&self, lease_id: LeaseId) -> Option<CredentialsRef> {
        self.current(lease_id)
    }

    /// Never asked: they are always held.
    fn wait_for(&self, _: LeaseId) -> BoxFuture<Result<CredentialsRef, Error>> {
        Box::pin(std::future::pending())
    }

    fn authorize(&self, credentials: &Credentials, _: &Method, _: &Uri, headers: &mut HeaderMap) {
        headers.insert(http::header::AUTHORIZATION, credentials.bearer().clone());
    }

    fn judge(&self, _: &Method, _: &Uri, status: StatusCode, _: &HeaderMap) -> Judgement {
        if status == StatusCode::UNAUTHORIZED { Judgement::Rejected } else { Judgement::Accepted }
    }

    fn rejected(&self, _: LeaseId, _: &Credentials) {}

    fn updates(&self, lease_id: LeaseId) -> Box<dyn NextUpdate> {
        Box::new(Once(self.current(lease_id)))
    }

    fn state(&self) -> State {
        State::Live
    }
}

/// What is held, and nothing after it.
struct Once(Option<CredentialsRef>);

impl NextUpdate for Once {
    fn next(&mut self) -> std::pin::Pin<Box<dyn Future<Output = Result<CredentialsRef, Error>> + Send + '_>> {
        let held = self.0.take();
        Box::pin(async move {
            match held {
                Some(held) => Ok(held),
                None => std::future::pending().await,
            }
        })
    }
}
