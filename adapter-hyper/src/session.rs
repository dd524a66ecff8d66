//! What callers hold.

use std::fmt;
use std::ops::Deref;

use perennial_adapter::SessionBuilder;
use perennial_core::{FromEnv, InvalidEnv, Provider};

use crate::connector::Connector;

/// A session that is kept alive on tokio: everything that [`perennial_adapter::Session`] does, to which it derefs, and
/// the [`builder`](Self::builder). Cheap to clone; the last clone dropped ends the work.
pub struct Session<P: Provider>(perennial_adapter::Session<P>);

impl<P: Provider> Session<P> {
    /// Builds a session at this provider: give it a login, a store, whatever overrides the defaults, then
    /// [`connect`](SessionBuilder::connect).
    pub fn builder(provider: P) -> SessionBuilder<P, Connector> {
        SessionBuilder::new(provider).opened_by()
    }

    /// The same from environment variables, under the names that the provider's [`FromEnv`] tells. What is set by hand
    /// afterwards wins; an empty variable is absent.
    pub fn builder_from_env() -> Result<SessionBuilder<P, Connector>, InvalidEnv>
    where
        P: FromEnv,
    {
        SessionBuilder::from_env().map(SessionBuilder::opened_by)
    }

    pub(crate) fn new(session: perennial_adapter::Session<P>) -> Self {
        Self(session)
    }
}

impl<P: Provider> Deref for Session<P> {
    type Target = perennial_adapter::Session<P>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

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
