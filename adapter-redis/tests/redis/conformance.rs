//! The suite for stores, at a real server.

use perennial_testing::conformance::store::StoreUnderTest;

use super::*;

/// A server of its own. `None` where none is installed.
struct UnderTest(Option<RedisServer>);

impl UnderTest {
    fn new() -> Self {
        Self(RedisServer::for_test(&[]))
    }

    fn server(&self) -> &RedisServer {
        self.0.as_ref().expect("it is skipped without a server")
    }

    /// The records of this series. None of those in the suite begins or ends with white space.
    fn records(&self, series: &str) -> Vec<Vec<u8>> {
        let keys = self.server().cli(&["KEYS", &format!("perennial:{{navien:home}}:{series}:*")]);
        keys.lines().map(|key| self.server().cli(&["HGET", key, "data"]).into_bytes()).collect()
    }
}

impl StoreUnderTest for UnderTest {
    type Store = RedisStore;

    fn open(&self) -> RedisStore {
        store(self.server())
    }

    fn locks_expire(&self) -> bool {
        true
    }

    fn notifies(&self) -> bool {
        true
    }

    fn quarantined(&self) -> Option<Vec<Vec<u8>>> {
        Some(self.records("aside"))
    }

    fn retired(&self) -> Option<Vec<Vec<u8>>> {
        Some(self.records("retired"))
    }

    fn debug(&self, store: &RedisStore) -> Option<String> {
        Some(format!("{store:?}"))
    }

    fn skipped(&self) -> Option<String> {
        self.0.is_none().then(|| "redis-server is not installed".into())
    }
}

perennial_testing::store_conformance!(UnderTest::new);
