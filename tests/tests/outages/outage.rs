//! What can happen to a Redis.

use perennial_redis::RedisStore;

use crate::redis::RedisServer;
use crate::wire::Wire;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    KilledAndEmpty,
    KilledWithItsData,
    Emptied,
    Stopped,
    CutOff,
}

/// A Redis, and the way to it.
pub struct Place {
    outage: Outage,
    server: RedisServer,
    wire: Wire,
}

impl Place {
    /// One to which this is going to happen. `None` where Redis is not installed: said aloud.
    pub fn of(outage: Outage) -> Option<Self> {
        let options: &[&str] = match outage {
            Outage::KilledWithItsData => &["--appendonly", "yes", "--appendfsync", "always"],
            _ => &[],
        };
        let server = RedisServer::for_test(options)?;
        let wire = Wire::to(server.port());
        Some(Self { outage, server, wire })
    }

    pub fn store(&self) -> RedisStore {
        let url = match self.outage {
            Outage::CutOff => self.wire.url(),
            _ => self.server.url(),
        };
        RedisStore::new(&url, "outages").unwrap()
    }

    pub fn begin(&mut self) {
        match self.outage {
            Outage::KilledAndEmpty | Outage::KilledWithItsData => self.server.stop(),
            Outage::Emptied => _ = self.server.cli(&["FLUSHALL"]),
            Outage::Stopped => self.server.freeze(),
            Outage::CutOff => self.wire.cut(),
        }
    }

    pub fn end(&mut self) {
        match self.outage {
            Outage::KilledAndEmpty | Outage::KilledWithItsData => self.server.start_again(),
            Outage::Emptied => {}
            Outage::Stopped => self.server.thaw(),
            Outage::CutOff => self.wire.mend(),
        }
    }

    /// Whether it cannot be used meanwhile.
    pub fn is_away(&self) -> bool {
        self.outage != Outage::Emptied
    }

    /// Whether it does not know afterwards what it knew before.
    pub fn forgets(&self) -> bool {
        matches!(self.outage, Outage::KilledAndEmpty | Outage::Emptied)
    }
}
