//! What one caller keeps, to read credentials over and over.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::HeaderMap;

use super::Clock;
use super::handle::Handle;
use super::shared::Shared;
use super::view::{Snapshot, Use};
use crate::credentials::{Credentials, LeaseId, Timestamp};
use crate::error::{Error, SessionError};
use crate::exchange::Provider;

/// A handle that one task or thread keeps, to read credentials over and over. A read looks whether there is anything
/// new, and at the wall clock; it takes no lock, allocates nothing and writes nothing that others look at. Made by
/// [`Handle::reader`]; every clone reads for itself.
///
/// ```
/// # use http::{HeaderMap, StatusCode};
/// # use perennial_core::{Error, LeaseId, Provider};
/// # use perennial_core::adapter::Handle;
/// # async fn call(_: HeaderMap) -> StatusCode { StatusCode::OK }
/// # async fn example<P: Provider>(session: &Handle<P>) -> Result<(), Error> {
/// let mut reader = session.reader(); // one for each task
/// for _ in 0..1_000_000 {
///     let mut headers = HeaderMap::new();
///     reader.authorize(&mut headers).await?; // waits only where nothing valid is held
///     if call(headers).await == StatusCode::UNAUTHORIZED {
///         reader.rejected(LeaseId::Access); // renewed once, whoever else says so; then call again
///     }
/// }
/// # Ok(()) }
/// ```
///
/// It is a handle: while there is one, the session goes on. What it read last stays in memory until it reads again or
/// is dropped, after a sign-out too: drop a reader that is done.
pub struct Reader<P: Provider> {
    handle: Handle<P>,
    kept: Arc<Snapshot>,
    edition: usize,
}

impl<P: Provider> Reader<P> {
    pub(super) fn new(handle: Handle<P>) -> Self {
        let published = &handle.shared().view;
        let (edition, kept) = (published.edition(), published.load_full());
        Self { handle, kept, edition }
    }

    /// What [`credentials_for`](Self::credentials_for) has without waiting; `None` where it would wait.
    #[doc(hidden)]
    #[inline]
    pub fn at_once(&mut self, lease_id: LeaseId) -> Option<&Credentials> {
        if self.is_served(lease_id, Otherwise::Waits) { self.last() } else { None }
    }

    /// Valid credentials if they are held, without waiting or asking.
    #[inline]
    pub fn current(&mut self, lease_id: LeaseId) -> Option<&Credentials> {
        if self.is_served(lease_id, Otherwise::GoesWithout) { self.last() } else { None }
    }

    /// The access token and what came with it, valid now. Waits as [`Handle::credentials`] does, only where nothing
    /// valid is held.
    pub async fn credentials(&mut self) -> Result<&Credentials, Error> {
        if !self.is_served(LeaseId::Access, Otherwise::Waits) {
            self.wait_for(LeaseId::Access).await?;
        }
        self.last().ok_or_else(|| SessionError::Closed.into())
    }

    /// As [`credentials`](Self::credentials), valid for this need.
    pub async fn credentials_for(&mut self, lease_id: LeaseId) -> Result<&Credentials, Error> {
        if !self.is_served(lease_id, Otherwise::Waits) {
            self.wait_for(lease_id).await?;
        }
        self.last().ok_or_else(|| SessionError::Closed.into())
    }

    /// Puts valid credentials into the headers of an API call, as the service wants them: a header value that was
    /// built when they came, marked sensitive. Waits only where nothing valid is held.
    pub async fn authorize(&mut self, headers: &mut HeaderMap) -> Result<&Credentials, Error> {
        if !self.is_served(LeaseId::Access, Otherwise::Waits) {
            self.wait_for(LeaseId::Access).await?;
        }
        let held = self.last().ok_or(SessionError::Closed)?;
        self.handle.provider().authorize(held, headers);
        Ok(held)
    }

    /// What was read last, whether or not it is still valid; `None` where nothing was held.
    #[inline]
    pub fn last(&self) -> Option<&Credentials> {
        self.kept.held().map(Arc::as_ref)
    }

    /// The service's API refused what was read last (a 401): it is renewed once, however many callers say so. Read
    /// again and repeat the call once.
    pub fn rejected(&self, lease_id: LeaseId) {
        if let Some(held) = self.last() {
            self.handle.rejected(lease_id, held);
        }
    }

    /// The handle it was made by.
    pub fn handle(&self) -> &Handle<P> {
        &self.handle
    }

    /// Looks at the newest picture, and whether it has valid credentials.
    #[inline]
    fn is_served(&mut self, lease_id: LeaseId, otherwise: Otherwise) -> bool {
        let edition = self.handle.shared().view.edition();
        if edition != self.edition {
            self.turn_to(edition);
        }
        self.handle.shared().serves(&self.kept, lease_id, otherwise) || self.is_served_by_newest(lease_id, otherwise)
    }

    /// As where a handle looks once more.
    #[cold]
    fn is_served_by_newest(&mut self, lease_id: LeaseId, otherwise: Otherwise) -> bool {
        self.turn_to(self.handle.shared().view.edition());
        self.handle.shared().serves(&self.kept, lease_id, otherwise)
    }

    /// On the heap, as where a handle waits.
    #[cold]
    fn wait_for(&mut self, lease_id: LeaseId) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + '_>> {
        Box::pin(async move {
            self.kept = self.handle.wait_for(lease_id).await?.into_view();
            Ok(())
        })
    }

    #[cold]
    fn turn_to(&mut self, edition: usize) {
        self.edition = edition;
        self.kept = self.handle.shared().view.load_full();
    }
}

impl<P: Provider> Clone for Reader<P> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), kept: Arc::clone(&self.kept), edition: self.edition }
    }
}

impl<P: Provider> fmt::Debug for Reader<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reader").field(&self.handle).finish()
    }
}

impl<P: Provider> Shared<P> {
    /// Whether a picture has credentials for a caller, now. The clock is looked at in every read: while a machine is
    /// suspended no timer takes them back.
    #[inline]
    pub(super) fn serves(self: &Arc<Self>, view: &Snapshot, lease_id: LeaseId, otherwise: Otherwise) -> bool {
        let wall = self.clock.wall();
        view.is_ready(lease_id, wall) || self.looks_closer(view, lease_id, wall, otherwise)
    }

    #[cold]
    fn looks_closer(
        self: &Arc<Self>,
        view: &Snapshot,
        lease_id: LeaseId,
        wall: Timestamp,
        otherwise: Otherwise,
    ) -> bool {
        match view.usage(lease_id, wall) {
            Use::Nothing => false,
            Use::Take => true,
            Use::TakeAndKnock => {
                self.command(|session, now| session.demand(lease_id, now));
                // Without a driver the knock is heard when somebody has to wait.
                let _ = self.ensure_driver();
                true
            }
            Use::Ask => otherwise == Otherwise::GoesWithout,
        }
    }
}

/// What a caller does where nothing can be had at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Otherwise {
    GoesWithout,
    Waits,
}
