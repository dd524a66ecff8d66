//! Credentials from anywhere, for code that does not name a provider.

use http::{HeaderMap, Method, StatusCode, Uri};
use perennial_adapter::CredentialsRef;
use perennial_core::{Credentials, Error, Judgement, LeaseId, State};

use crate::park::block_on;

/// A session without the type of its provider, for code that needs valid credentials of any service: a client library,
/// a struct of yours. Cheap to clone; while there is a clone the session is kept alive. Made by
/// [`Session::source`](crate::Session::source), or, for the tests of code that takes one, by [`fixed`](Self::fixed).
#[derive(Clone, Debug)]
pub struct CredentialSource(perennial_adapter::CredentialSource);

impl CredentialSource {
    pub(crate) fn new(source: perennial_adapter::CredentialSource) -> Self {
        Self(source)
    }

    /// Always these credentials, even after their deadline: for the tests of code that takes a source. They are put
    /// into headers as a bearer token. Nothing renews them, and [`rejected`](Self::rejected) does nothing.
    pub fn fixed(credentials: Credentials) -> Self {
        Self(perennial_adapter::CredentialSource::fixed(credentials))
    }

    /// The access token and what came with it, valid now: see [`Session::credentials`](crate::Session::credentials).
    pub fn credentials(&self) -> Result<CredentialsRef, Error> {
        self.credentials_for(LeaseId::Access)
    }

    /// As [`credentials`](Self::credentials), with this lease valid.
    pub fn credentials_for(&self, lease_id: LeaseId) -> Result<CredentialsRef, Error> {
        self.0.at_once(lease_id).map_or_else(|| block_on(self.0.credentials_for(lease_id)), Ok)
    }

    /// Valid credentials if they are held. If not, this returns `None` at once and starts no sign-in.
    pub fn current(&self, lease_id: LeaseId) -> Option<CredentialsRef> {
        self.0.current(lease_id)
    }

    /// Puts valid credentials into the headers of an API call, as the service wants them: see
    /// [`Session::authorize`](crate::Session::authorize).
    pub fn authorize(&self, method: &Method, uri: &Uri, headers: &mut HeaderMap) -> Result<CredentialsRef, Error> {
        let credentials = self.credentials()?;
        self.0.authorize_with(&credentials, method, uri, headers);
        Ok(credentials)
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

    /// What the answer to an API call says of the credentials that it was made with: see
    /// [`Session::judge`](crate::Session::judge).
    pub fn judge(&self, method: &Method, uri: &Uri, status: StatusCode, headers: &HeaderMap) -> Judgement {
        self.0.judge(method, uri, status, headers)
    }

    /// The service's API refused these credentials: see [`Session::rejected`](crate::Session::rejected).
    pub fn rejected(&self, lease_id: LeaseId, credentials: &Credentials) {
        self.0.rejected(lease_id, credentials);
    }

    /// The credentials of a lease: what is held first, then each renewal. See
    /// [`Session::updates`](crate::Session::updates).
    pub fn updates(&self, lease_id: LeaseId) -> SourceUpdates {
        SourceUpdates(self.0.updates(lease_id))
    }

    /// What the session is doing.
    pub fn state(&self) -> State {
        self.0.state()
    }
}

/// The credentials of a lease, one renewal after another. Made by [`CredentialSource::updates`].
#[derive(Debug)]
pub struct SourceUpdates(perennial_adapter::SourceUpdates);

impl SourceUpdates {
    /// Waits for the next credentials: see [`Updates::next`](crate::Updates::next).
    #[expect(clippy::should_implement_trait, reason = "the same name as in perennial-hyper; it ends with a reason")]
    pub fn next(&mut self) -> Result<CredentialsRef, Error> {
        block_on(self.0.next())
    }
}
