//! The cell that the fleet shares, as it really is.

use std::rc::Rc;
use std::time::Duration;

use super::service::{Serial, serial_of};
use perennial_core::store::{Record, RecordState};
use perennial_core::wire::Body;
use perennial_core::{Now, Timestamp};

/// What was once written.
#[derive(Clone, Debug)]
pub(crate) struct WrittenRecord {
    pub(crate) body: Body,
    pub(crate) facts: Facts,
}

/// What a record says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) kind: RecordKind,
    pub(crate) revision: u64,
    pub(crate) access: Serial,
    pub(crate) refresh: Serial,
    pub(crate) aws: Serial,
    /// The refresh token is marked as sent.
    pub(crate) marked: bool,
    /// When somebody signed out, by some clock.
    pub(crate) signed_out_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RecordKind {
    #[default]
    Garbage,
    SignedOut,
    /// It tells of failures alone.
    NeverSignedIn,
    Session,
}

impl WrittenRecord {
    pub(crate) fn new(body: Body) -> Rc<Self> {
        let now = Now::new(Timestamp::default(), Duration::ZERO);
        let facts = match Record::parse(body.as_ref(), now) {
            Ok(record) => {
                let facts = Facts { revision: record.revision().unwrap_or(0), ..Facts::default() };
                match &record.state {
                    RecordState::SignedIn(held) => Facts {
                        kind: RecordKind::Session,
                        access: serial_of(held.access().expose()),
                        refresh: held.refresh_token().map_or(0, |token| serial_of(token.expose())),
                        aws: held.aws().map_or(0, |aws| serial_of(aws.session_token().expose())),
                        marked: record.is_uncertain(),
                        ..facts
                    },
                    RecordState::SignedOut { at } => Facts { kind: RecordKind::SignedOut, signed_out_at: *at, ..facts },
                    RecordState::NeverSignedIn => Facts { kind: RecordKind::NeverSignedIn, ..facts },
                }
            }
            Err(_) => Facts::default(),
        };
        Rc::new(Self { body, facts })
    }
}

/// Who holds the lock, in truth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) fence: u64,
    /// `None`: until it is given back.
    pub(super) ends: Option<Duration>,
}

/// Somebody who waits for the lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) process: usize,
    pub(super) ttl: Duration,
}

#[derive(Default)]
pub(super) struct SimStore {
    pub(super) record: Option<Rc<WrittenRecord>>,
    /// Counts every change of the cell, whoever makes it.
    pub(super) version: u64,
    pub(super) holder: Option<Holder>,
    pub(super) last_fence: u64,
    pub(super) waiters: Vec<Waiter>,
    pub(super) backup: Option<Option<Rc<WrittenRecord>>>,
}

impl SimStore {
    pub(super) fn put(&mut self, record: Option<Rc<WrittenRecord>>) {
        self.record = record;
        self.version += 1;
    }

    pub(super) fn facts(&self) -> Option<Facts> {
        self.record.as_ref().map(|record| record.facts)
    }

    /// Whether the lock with this fence is held now.
    pub(super) fn is_held(&self, fence: u64, now: Duration) -> bool {
        self.holder.is_some_and(|holder| holder.fence == fence && holder.ends.is_none_or(|ends| now < ends))
    }

    pub(super) fn is_free(&self, now: Duration) -> bool {
        self.holder.is_none_or(|holder| holder.ends.is_some_and(|ends| ends <= now))
    }

    pub(super) fn hold(&mut self, ends: Option<Duration>) -> u64 {
        self.last_fence += 1;
        self.holder = Some(Holder { fence: self.last_fence, ends });
        self.last_fence
    }

    pub(super) fn give_back(&mut self, fence: u64) {
        self.holder.take_if(|holder| holder.fence == fence);
    }
}
