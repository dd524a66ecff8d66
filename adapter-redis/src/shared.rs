//! What all clones of one store share: its settings, and the locks it still has to release.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::random::OwnerId;
use crate::resp::Command;
use crate::scripts::{RELEASE_LOCK, eval};
use crate::settings::Settings;

/// What all clones of one store share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    /// Locks that Redis may still keep for us although nobody here holds them, because the release failed or the reply
    /// to an acquisition was lost. The next connection releases them.
    pending_releases: Mutex<Vec<PendingRelease>>,
}

/// A lock that has to be released.
pub(crate) struct PendingRelease {
    pub(crate) owner: OwnerId,
    /// When Redis expires the lock by itself, at the latest.
    pub(crate) expires: Instant,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, pending_releases: Mutex::default() }
    }

    /// Remembers a lock for the next connection to release.
    pub(crate) fn add_pending_release(&self, owner: OwnerId, expires: Instant) {
        let mut pending = self.pending_releases.lock().unwrap_or_else(PoisonError::into_inner);
        pending.push(PendingRelease { owner, expires });
    }

    /// Takes out all locks to release, without those that have expired by now.
    pub(crate) fn take_pending_releases(&self) -> Vec<PendingRelease> {
        let mut pending = std::mem::take(&mut *self.pending_releases.lock().unwrap_or_else(PoisonError::into_inner));
        let now = Instant::now();
        pending.retain(|release| release.expires > now);
        pending
    }

    /// The command that releases the lock of this owner.
    pub(crate) fn release_command(&self, owner: &OwnerId) -> Command {
        eval(RELEASE_LOCK, &[&self.settings.keys.lock], &[owner.as_bytes()])
    }
}
