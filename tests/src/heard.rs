//! What a session's listener heard.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use perennial_core::{Event, LeaseId};

/// All events so far, to be asked and waited for. Clones hear the same.
#[derive(Clone, Default)]
pub struct Heard(Arc<Inner>);

#[derive(Default)]
struct Inner {
    events: Mutex<Vec<Event>>,
    changed: Condvar,
}

impl Heard {
    /// A listener for a setup.
    pub fn listener(&self) -> impl Fn(&Event) + Send + Sync + 'static {
        let heard = self.clone();
        move |event| {
            heard.lock().push(event.clone());
            heard.0.changed.notify_all();
        }
    }

    /// All so far.
    pub fn all(&self) -> Vec<Event> {
        self.lock().clone()
    }

    /// How many of a kind.
    pub fn count(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.lock().iter().filter(|event| which(event)).count()
    }

    /// Waits for a state of affairs; false if the time is up first.
    pub fn wait_until(&self, limit: Duration, condition: impl Fn(&[Event]) -> bool) -> bool {
        let end = Instant::now() + limit;
        let mut events = self.lock();
        while !condition(&events) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.0.changed.wait_timeout(events, left);
            (events, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Waits for this issue of a lease, or a later one; false if the time is up first.
    pub fn wait_for_issue(&self, limit: Duration, lease: LeaseId, count: u64) -> bool {
        let issued = |event: &Event| matches!(event, Event::Renewed { lease_id, generation, .. } if *lease_id == lease && generation.get() >= count);
        self.wait_until(limit, |events| events.iter().any(issued))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
