//! What callers hold.

use std::fmt;
use std::ops::Deref;

use perennial_core::Provider;

/// A session that is kept alive on tokio: everything that [`perennial_adapter::Session`] does, to which it derefs, and
/// the [`builder`](Self::builder). Cheap to clone; the last clone dropped ends the work.
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
