//! What the observer knows of the fleet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::service::Serial;
use perennial_core::Timestamp;

/// What the observer knows of the fleet.
#[derive(Default)]
pub(super) struct Views {
    /// The requests that sent each one-use token.
    pub(super) sends: BTreeMap<Serial, Vec<usize>>,
    /// The request that the service took it from.
    pub(super) spent: BTreeMap<Serial, usize>,
    /// When the grant with this refresh token was first in the cell.
    pub(super) written: BTreeMap<Serial, Duration>,
    /// When the store last forgot, and the newest grant then.
    pub(super) forgotten: Option<Forgotten>,
    /// The sign-ins that were signed out, and cleared.
    pub(super) cleared: BTreeSet<usize>,
    /// The sign-outs that were ever in the cell, each known by its moment.
    pub(super) sign_outs: BTreeSet<Option<Timestamp>>,
    pub(super) failures: FailuresMet,
}

#[derive(Clone, Copy)]
pub(super) struct Forgotten {
    pub(super) at: Duration,
    pub(super) newest: Serial,
}

/// What the service answered lately that was no grant.
#[derive(Default)]
pub(super) struct FailuresMet {
    pub(super) quiet: Option<Quiet>,
    /// When the password was answered oddly since it last brought a grant.
    pub(super) shown: Vec<Duration>,
    /// It, and whether there was another one.
    pub(super) password: Option<String>,
    pub(super) has_many_passwords: bool,
}

pub(super) struct Quiet {
    pub(super) until: Duration,
    pub(super) heard_by: usize,
    /// It is in the record.
    pub(super) is_told: bool,
}
