//! What one thread keeps: the reader of core, waiting in threads.

use std::fmt;

use http::HeaderMap;
use perennial_core::adapter;
use perennial_core::{Credentials, Error, LeaseId, Provider, SessionError};

use crate::park::block_on;

/// A handle that one thread keeps, to read credentials over and over. A read looks whether there is anything new, and
/// at the wall clock; it takes no lock, allocates nothing and writes nothing that others look at. Made by
/// [`Handle::reader`](crate::Handle::reader); every clone reads for itself.
///
/// ```
/// # use http::{HeaderMap, StatusCode};
/// # use perennial_blocking::Handle;
/// # use perennial_core::{Error, LeaseId, Provider};
/// # fn call(_: HeaderMap) -> StatusCode { StatusCode::OK }
/// # fn example<P: Provider>(session: &Handle<P>) -> Result<(), Error> {
/// let mut reader = session.reader(); // one for each thread
/// for _ in 0..1_000_000 {
///     let mut headers = HeaderMap::new();
///     reader.authorize(&mut headers)?; // waits only where nothing valid is held
///     if call(headers) == StatusCode::UNAUTHORIZED {
///         reader.rejected(LeaseId::Access); // renewed once, whoever else says so; then call again
///     }
/// }
/// # Ok(()) }
/// ```
///
/// It is a handle: while there is one, the session goes on. What it read last stays in memory until it reads again or
/// is dropped, after a sign-out too: drop a reader that is done.
#[derive(Clone)]
pub struct Reader<P: Provider>(adapter::Reader<P>);

impl<P: Provider> Reader<P> {
    pub(crate) fn new(reader: adapter::Reader<P>) -> Self {
        Self(reader)
    }

    /// Valid credentials if they are held, without waiting or asking.
    #[inline]
    pub fn current(&mut self, lease_id: LeaseId) -> Option<&Credentials> {
        self.0.current(lease_id)
    }

    /// The access token and what came with it, valid now. Waits as [`Handle::credentials`](crate::Handle::credentials)
    /// does, only where nothing valid is held.
    pub fn credentials(&mut self) -> Result<&Credentials, Error> {
        self.credentials_for(LeaseId::Access)
    }

    /// As [`credentials`](Self::credentials), valid for this need.
    pub fn credentials_for(&mut self, lease_id: LeaseId) -> Result<&Credentials, Error> {
        if self.0.at_once(lease_id).is_none() {
            return block_on(self.0.credentials_for(lease_id));
        }
        self.0.last().ok_or_else(|| SessionError::Closed.into())
    }

    /// Puts valid credentials into the headers of an API call, as the service wants them: a header value that was
    /// built when they came, marked sensitive. Waits only where nothing valid is held.
    pub fn authorize(&mut self, headers: &mut HeaderMap) -> Result<&Credentials, Error> {
        if self.0.at_once(LeaseId::Access).is_none() {
            return block_on(self.0.authorize(headers));
        }
        let held = self.0.last().ok_or(SessionError::Closed)?;
        self.0.handle().provider().authorize(held, headers);
        Ok(held)
    }

    /// What was read last, whether or not it is still valid; `None` where nothing was held.
    pub fn last(&self) -> Option<&Credentials> {
        self.0.last()
    }

    /// The service's API refused what was read last (a 401): it is renewed once, however many callers say so. Read
    /// again and repeat the call once.
    pub fn rejected(&self, lease_id: LeaseId) {
        self.0.rejected(lease_id);
    }
}

impl<P: Provider> fmt::Debug for Reader<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
