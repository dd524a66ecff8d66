//! A store in memory whose locks expire and whose watches notify, and that has one fault.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use perennial_core::store::{ChangeCallback, LockGuard, Store, StoreError, StoreErrorKind, WatchGuard};
use perennial_core::wire::Body;
use perennial_testing::conformance::store::StoreUnderTest;

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    ReadsAnEmptyRecordForNone,
    ReadsNoneForAnEmptyRecord,
    EndsARecordAtNul,
    KeepsTheTailOfALongerRecord,
    CutsRecords,
    CachesInEachStore,
    WritesWhenItIsDropped,
    WritesInTwoParts,
    LocksForAll,
    WaitsWithoutEnd,
    TellsUnavailableForBusy,
    AddsTimeouts,
    DoesNotWait,
    KeepsTheLock,
    KeepsTheLockInAPanic,
    ClaimsTooLong,
    ExpiresEarly,
    NeverExpires,
    MovesUnderALostLock,
    WritesUnderALostLock,
    ReleasesTheNextLock,
    DeletesForQuarantine,
    HasOnePlaceForQuarantine,
    FailsToMoveNothing,
    KeepsRetired,
    ClearsTheQuarantine,
    ClearsOnlyWhatIsThere,
    DoesNotReportMoves,
    ReportsTooEarly,
    KeepsCallbacks,
    CallsUnderItsOwnMutex,
    ShowsTheRecordInDebug,
    ShowsTheRecordInErrors,
    LosesItsLockInARead,
}
use Fault::*;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Promises {
    pub(crate) locks_expire: bool,
    pub(crate) notifies: bool,
}

#[derive(Default)]
struct State {
    record: Option<Vec<u8>>,
    quarantined: Vec<Vec<u8>>,
    retired: Vec<Vec<u8>>,
    /// The holder's number, and when its lock ends.
    holder: Option<(u64, Option<Instant>)>,
    last_holder: u64,
    watchers: Vec<(u64, ChangeCallback)>,
    last_watcher: u64,
    reads: u64,
}

struct Cell {
    state: Mutex<State>,
    released: Condvar,
    fault: Option<Fault>,
    promises: Promises,
}

impl Cell {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn notify(&self) {
        let state = self.state();
        let watchers: Vec<_> = state.watchers.iter().map(|(_, changed)| Arc::clone(changed)).collect();
        let _own = self.has(CallsUnderItsOwnMutex).then_some(state);
        watchers.iter().for_each(|changed| changed());
    }
}

pub(crate) struct UnderTest {
    cell: Arc<Cell>,
    said: Promises,
    patience: Duration,
}

impl UnderTest {
    pub(crate) fn new(fault: Option<Fault>, promises: Promises) -> Self {
        let cell = Cell { state: Mutex::default(), released: Condvar::new(), fault, promises };
        Self { cell: Arc::new(cell), said: promises, patience: Duration::from_secs(60) }
    }

    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Says something else of itself.
    pub(crate) fn that_says(self, said: Promises) -> Self {
        Self { said, ..self }
    }
}

impl Default for UnderTest {
    fn default() -> Self {
        Self::new(None, Promises { locks_expire: true, notifies: true })
    }
}

impl StoreUnderTest for UnderTest {
    type Store = OneStore;

    fn open(&self) -> OneStore {
        OneStore { cell: Arc::clone(&self.cell), cached: Mutex::default() }
    }

    fn locks_expire(&self) -> bool {
        self.said.locks_expire
    }

    fn notifies(&self) -> bool {
        self.said.notifies
    }

    fn quarantined(&self) -> Option<Vec<Vec<u8>>> {
        Some(self.cell.state().quarantined.clone())
    }

    fn retired(&self) -> Option<Vec<Vec<u8>>> {
        Some(self.cell.state().retired.clone())
    }

    fn break_lock(&self) -> bool {
        self.cell.state().holder = None;
        true
    }

    fn debug(&self, store: &OneStore) -> Option<String> {
        Some(format!("{store:?}"))
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}

pub(crate) struct OneStore {
    cell: Arc<Cell>,
    cached: Mutex<Option<Body>>,
}

impl Store for OneStore {
    fn read(&self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
        let cell = &self.cell;
        let mut cached = self.cached.lock().unwrap();
        if cell.has(CachesInEachStore) && cached.is_some() {
            return Ok(cached.clone());
        }
        let mut state = cell.state();
        state.reads += 1;
        let mut record = state.record.clone();
        drop(state);
        if cell.has(ReadsAnEmptyRecordForNone) {
            record = Some(record.unwrap_or_default());
        }
        if cell.has(ReadsNoneForAnEmptyRecord) {
            record = record.filter(|record| !record.is_empty());
        }
        *cached = record.map(Body::from);
        Ok(cached.clone())
    }

    fn lock(&self, timeout: Duration, ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
        let (cell, started) = (&self.cell, Instant::now());
        if cell.has(AddsTimeouts) {
            let _overflows = started + timeout;
        }
        let mut state = cell.state();
        loop {
            let ends = state.holder.and_then(|(_, ends)| ends);
            if state.holder.is_none() || ends.is_some_and(|ends| ends <= Instant::now()) || cell.has(LocksForAll) {
                break;
            }
            let timeout = if cell.has(WaitsWithoutEnd) { Duration::MAX } else { timeout };
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() || cell.has(DoesNotWait) {
                let busy =
                    if cell.has(TellsUnavailableForBusy) { StoreErrorKind::Unavailable } else { StoreErrorKind::Busy };
                return Err(busy.into());
            }
            let until = ends.map_or(left, |ends| left.min(ends.saturating_duration_since(Instant::now())));
            state = cell.released.wait_timeout(state, until).unwrap_or_else(PoisonError::into_inner).0;
        }
        let kept = if cell.has(ExpiresEarly) { ttl / 2 } else { ttl };
        let expires = cell.promises.locks_expire;
        let ends = Instant::now().checked_add(kept).filter(|_| expires && !cell.has(NeverExpires));
        state.last_holder += 1;
        let number = state.last_holder;
        state.holder = Some((number, ends));
        drop(state);
        let claimed = if cell.has(ClaimsTooLong) { ttl.saturating_mul(2) } else { ttl };
        let remaining = expires.then_some(claimed);
        Ok(Box::new(OneLock { cell: Arc::clone(cell), number, remaining, late: None }))
    }

    fn watch(&self, changed: ChangeCallback) -> Option<WatchGuard> {
        if !self.cell.promises.notifies {
            return None;
        }
        let mut state = self.cell.state();
        state.last_watcher += 1;
        let number = state.last_watcher;
        state.watchers.push((number, changed));
        Some(Box::new(Watch { cell: Arc::clone(&self.cell), number }))
    }
}

impl fmt::Debug for OneStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.cell.state().record.clone().filter(|_| self.cell.has(ShowsTheRecordInDebug));
        f.debug_struct("OneStore").field("record", &record).finish()
    }
}

struct Watch {
    cell: Arc<Cell>,
    number: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.cell.has(KeepsCallbacks) {
            self.cell.state().watchers.retain(|(number, _)| *number != self.number);
        }
    }
}

struct OneLock {
    cell: Arc<Cell>,
    number: u64,
    remaining: Option<Duration>,
    /// What is written when the guard is dropped.
    late: Option<Vec<u8>>,
}

impl OneLock {
    /// The state, if the lock is still held.
    fn held(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.cell.state();
        let held = state
            .holder
            .is_some_and(|(number, ends)| number == self.number && ends.is_none_or(|ends| ends > Instant::now()));
        if held || self.cell.has(LocksForAll) { Ok(state) } else { Err(StoreErrorKind::Lost.into()) }
    }

    fn moved(&self, to: impl Fn(&mut State) -> &mut Vec<Vec<u8>>) -> Result<(), StoreError> {
        let cell = &self.cell;
        let mut state = if cell.has(MovesUnderALostLock) { cell.state() } else { self.held()? };
        let record = state.record.take();
        if record.is_none() && cell.has(FailsToMoveNothing) {
            return Err(StoreErrorKind::Unavailable.into());
        }
        if cell.has(HasOnePlaceForQuarantine) && record.is_some() {
            to(&mut state).clear();
        }
        to(&mut state).extend(record.filter(|_| !cell.has(DeletesForQuarantine)));
        drop(state);
        if !cell.has(DoesNotReportMoves) {
            cell.notify();
        }
        Ok(())
    }
}

impl LockGuard for OneLock {
    fn remaining(&self) -> Option<Duration> {
        self.remaining
    }

    fn read(&mut self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
        let mut state = self.held()?;
        if self.cell.has(LosesItsLockInARead) {
            state.holder = None;
        }
        Ok(state.record.clone().map(Body::from))
    }

    fn write(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError> {
        let cell = &self.cell;
        let mut record = record.as_ref().to_vec();
        if cell.has(ShowsTheRecordInErrors) && timeout.is_zero() {
            let text = String::from_utf8_lossy(&record).into_owned();
            return Err(StoreError::new(StoreErrorKind::Unavailable).with_source(text));
        }
        if cell.has(ReportsTooEarly) {
            cell.notify();
        }
        let mut state = if cell.has(WritesUnderALostLock) { cell.state() } else { self.held()? };
        match cell.fault {
            Some(EndsARecordAtNul) => record = record.split(|byte| *byte == 0).next().unwrap().to_vec(),
            Some(CutsRecords) => record.truncate(500_000),
            Some(KeepsTheTailOfALongerRecord) => {
                let tail = state.record.iter().flatten().skip(record.len()).copied();
                record.extend(tail.collect::<Vec<_>>());
            }
            Some(WritesInTwoParts) if state.record.is_some() => {
                state.record = Some(record[..record.len() / 2].to_vec());
                let (reads, started) = (state.reads, Instant::now());
                while state.reads == reads && started.elapsed() < Duration::from_secs(1) {
                    drop(state);
                    thread::yield_now();
                    state = cell.state();
                }
            }
            Some(WritesWhenItIsDropped) => {
                drop(state);
                self.late = Some(record);
                return Ok(());
            }
            _ => {}
        }
        state.record = Some(record);
        drop(state);
        if !cell.has(ReportsTooEarly) {
            cell.notify();
        }
        Ok(())
    }

    fn quarantine(&mut self, _timeout: Duration) -> Result<(), StoreError> {
        self.moved(|state| &mut state.quarantined)
    }

    fn retire(&mut self, _timeout: Duration) -> Result<(), StoreError> {
        self.moved(|state| &mut state.retired)
    }

    fn clear(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError> {
        let mut state = self.held()?;
        if self.cell.has(ClearsOnlyWhatIsThere) && state.retired.is_empty() {
            return Ok(());
        }
        if self.cell.has(ClearsTheQuarantine) {
            state.quarantined.clear();
        }
        if !self.cell.has(KeepsRetired) {
            state.retired.clear();
        }
        drop(state);
        self.write(record, timeout)
    }
}

impl Drop for OneLock {
    fn drop(&mut self) {
        let cell = &self.cell;
        let mut state = cell.state();
        if let Some(late) = self.late.take() {
            state.record = Some(late);
        }
        let own = state.holder.is_some_and(|(number, _)| number == self.number) || cell.has(ReleasesTheNextLock);
        let kept = cell.has(KeepsTheLock) || cell.has(KeepsTheLockInAPanic) && thread::panicking();
        if own && !kept {
            state.holder = None;
            cell.released.notify_all();
        }
    }
}
