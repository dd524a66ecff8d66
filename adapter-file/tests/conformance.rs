//! The suite for stores, on files.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::fs;

use perennial_core::store::Store;
use perennial_file::FileStore;
use perennial_testing::conformance::store::StoreUnderTest;

use support::{LONG, TestDir};

/// A file in a directory of its own, and how it is opened.
struct UnderTest {
    dir: TestDir,
    open: fn(FileStore) -> FileStore,
}

impl UnderTest {
    fn in_plaintext() -> Self {
        Self { dir: TestDir::new(), open: |store| store }
    }

    #[cfg(feature = "encrypted")]
    fn encrypted() -> Self {
        let open = |store: FileStore| store.encrypted_with(perennial_file::Key::from_bytes(&[7; 32]));
        Self { dir: TestDir::new(), open }
    }

    /// What is in the files of this series.
    fn records(&self, series: &str) -> Vec<Vec<u8>> {
        let names = self.dir.names().into_iter().filter(|name| name.starts_with(series));
        let read = |name: String| (self.open)(FileStore::new(self.dir.join(&name))).read(LONG).unwrap().unwrap();
        names.map(|name| read(name).as_ref().to_vec()).collect()
    }
}

impl StoreUnderTest for UnderTest {
    type Store = FileStore;

    fn open(&self) -> FileStore {
        (self.open)(self.dir.store())
    }

    fn locks_expire(&self) -> bool {
        false
    }

    fn notifies(&self) -> bool {
        false
    }

    fn quarantined(&self) -> Option<Vec<Vec<u8>>> {
        Some(self.records("session.aside-"))
    }

    fn retired(&self) -> Option<Vec<Vec<u8>>> {
        Some(self.records("session.retired-"))
    }

    fn break_lock(&self) -> bool {
        fs::remove_file(self.dir.join("session.lock")).unwrap();
        true
    }

    fn debug(&self, store: &FileStore) -> Option<String> {
        Some(format!("{store:?}"))
    }
}

mod in_plaintext {
    perennial_testing::store_conformance!(super::UnderTest::in_plaintext);
}

#[cfg(feature = "encrypted")]
mod encrypted {
    perennial_testing::store_conformance!(super::UnderTest::encrypted);
}
