//! The leases of a session: each expires and is renewed by itself.

use std::fmt;

/// Names one kind of credentials, a lease, which is renewed separately: it has its own deadline and generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeaseId {
    /// The access token, for calls to the service's API.
    Access,
    /// The AWS credentials, for MQTT on AWS IoT.
    Aws,
}

impl LeaseId {
    /// All leases, in the order of their declaration.
    pub const ALL: [LeaseId; 2] = [LeaseId::Access, LeaseId::Aws];

    /// Its place in [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LeaseId::Access => "access token",
            LeaseId::Aws => "AWS credentials",
        })
    }
}

/// Counts the renewals of a lease. Pass it to [`Session::rejected`](crate::Session::rejected) when the service's API
/// rejects the credentials: reports from many callers about the same generation then cause one renewal only. It is
/// valid within one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
