//! What threads share: the standard library's locks, and the cell of arc-swap.
//!
//! Under `--cfg loom` and `--cfg shuttle` they are those of the checkers, which try out in which order threads can
//! run. Whatever waits or wakes in this module takes them from here.

#[cfg(not(any(all(loom, test), shuttle)))]
mod chosen {
    pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

    pub(crate) use arc_swap::{ArcSwap, Guard};
}

#[cfg(all(loom, test))]
mod chosen {
    pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};

    pub(crate) use super::swap::{ArcSwap, Guard};
}

#[cfg(shuttle)]
mod chosen {
    pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};

    pub(crate) use super::swap::{ArcSwap, Guard};
}

pub(crate) use self::chosen::{ArcSwap, Guard, Mutex, MutexGuard, atomic};

/// In place of arc-swap, which no checker can look into: no more than what its documentation promises. A load sees
/// some store that is not older than the last one known to the thread, and all that came before that store.
#[cfg(any(all(loom, test), shuttle))]
mod swap {
    use std::ops::Deref;
    use std::sync::{Arc, PoisonError};

    use super::atomic::{AtomicUsize, Ordering};

    pub(crate) struct ArcSwap<T> {
        current: AtomicUsize,
        /// All that was ever stored. No checker sees this lock: nobody is ever stopped while holding it.
        stored: std::sync::Mutex<Vec<Arc<T>>>,
    }

    impl<T> ArcSwap<T> {
        pub(crate) fn from_pointee(first: T) -> Self {
            Self { current: AtomicUsize::new(0), stored: std::sync::Mutex::new(vec![Arc::new(first)]) }
        }

        pub(crate) fn load(&self) -> Guard<Arc<T>> {
            let current = self.current.load(Ordering::Acquire);
            Guard(Arc::clone(&lock(&self.stored)[current]))
        }

        pub(crate) fn store(&self, next: Arc<T>) {
            let next = {
                let mut stored = lock(&self.stored);
                stored.push(next);
                stored.len() - 1
            };
            self.current.store(next, Ordering::Release);
        }
    }

    fn lock<T>(stored: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
        stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) struct Guard<T>(T);

    impl<T> Deref for Guard<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }
}
