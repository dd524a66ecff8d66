//! Where the cells of a run are kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_core::store::{STORE_TIMEOUT, Store};
use perennial_core::wire::Body;
use perennial_tests::tenant::StorePlace;

use crate::redis::RedisServer;

/// A place for cells, gone when it is dropped.
pub enum Place {
    Files(PathBuf),
    Redis(RedisServer),
}

impl Place {
    /// In files, on a disk.
    pub fn files() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("processes-{}-{number}", std::process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // Of a process that was killed, perhaps, and had this number.
        let _ = fs::remove_dir_all(&directory);
        Some(Self::Files(directory))
    }

    /// In a Redis. `None` where it is not installed: said aloud.
    pub fn redis() -> Option<Self> {
        RedisServer::for_test(&[]).map(Self::Redis)
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Files(_) => "files",
            Self::Redis(_) => "redis",
        }
    }

    /// The deadline of requests: as long as a busy machine may want. A lock in Redis that outlives its holder ends by
    /// itself after this and fifteen seconds.
    pub fn request_timeout(&self) -> Duration {
        match self {
            Self::Files(_) => Duration::from_secs(60),
            Self::Redis(_) => Duration::from_secs(15),
        }
    }

    pub fn stores(&self) -> StorePlace {
        match self {
            Self::Files(directory) => StorePlace::Files(directory.clone()),
            Self::Redis(server) => StorePlace::Redis(server.url()),
        }
    }

    pub fn cell(&self, number: usize) -> Arc<dyn Store> {
        self.stores().cell(number).unwrap()
    }

    /// What is saved there.
    pub fn record(&self, cell: usize) -> Body {
        self.cell(cell).read(STORE_TIMEOUT).unwrap().expect("a record")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Files(directory) = self {
            let _ = fs::remove_dir_all(directory);
        }
    }
}
