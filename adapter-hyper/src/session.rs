//! What callers hold.

use std::fmt;
use std::ops::Deref;

use perennial_core::Provider;

/// A session whose credentials are kept valid by a task on tokio. Begin with [`builder`](Self::builder) or
/// [`builder_from_env`](Self::builder_from_env); all other methods are those of [`perennial_adapter::Session`], to
/// which it derefs. Cheap to clone. When the last clone is dropped it is closed, but nobody waits for the end: await
/// [`close`](perennial_adapter::Session::close) before `main` returns.
pub struct Session<P: Provider>(perennial_adapter::Session<P>);

impl<P: Provider> Session<P> {
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
