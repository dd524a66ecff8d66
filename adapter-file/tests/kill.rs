//! `kill -9` at any moment of a write: the file holds the old record or the new one, whole; the lock is free; no temporary
//! file is left after the next lock.
//!
//! `PERENNIAL_SAVES=10000 cargo test -p perennial-file a_kill -- --nocapture` is the full run.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::env;
use std::fs;
use std::hint;
use std::os::unix::process::ExitStatusExt;

use support::action::Action;
use support::child::{Child, command};
use support::record::number_in;
use support::{TestDir, lock, read, temp_files, try_lock};

/// How many writes are acknowledged, at least, in a usual run.
const SAVES: u64 = 300;
const SIGKILL: i32 = 9;

#[test]
fn a_kill_at_any_moment_leaves_a_whole_record_and_a_free_lock() {
    let saves = env::var("PERENNIAL_SAVES").ok().map_or(SAVES, |saves| saves.parse().unwrap());
    let dir = TestDir::new();
    let store = dir.store();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut total = Total::default();
    let mut last = 0;

    // At least one kill has to come in the middle of a write. If none has, the test goes on, up to 20 times as long.
    while total.saves < saves || total.with_leftovers == 0 && total.saves < 20 * saves {
        let mut child = Child::run(command(Action::SaveForever, store.path()));
        let mut acknowledged = last;
        for _ in 0..=random.below(5) {
            let line = child.next_line().expect("it was not killed yet");
            let number: u64 = line.strip_prefix("saved ").unwrap().parse().unwrap();
            assert_eq!(number, acknowledged + 1);
            acknowledged = number;
        }
        spin(&mut random);
        assert_eq!(child.kill().signal(), Some(SIGKILL));
        while let Some(line) = child.next_line() {
            acknowledged = line.strip_prefix("saved ").unwrap().parse().unwrap();
        }

        let found = number_in(Some(&fs::read(store.path()).unwrap()));
        assert!((acknowledged..=acknowledged + 1).contains(&found), "{found} after {acknowledged}");
        let left = temp_files(dir.path()).len();
        let mut held = try_lock(&store).expect("the kernel has freed it");
        assert_eq!(number_in(held.read(support::LONG).unwrap().as_ref().map(AsRef::as_ref)), found);
        drop(held);
        assert_eq!(temp_files(dir.path()), Vec::<String>::new());

        total.kills += 1;
        total.saves += found - last;
        total.unacknowledged += found - acknowledged;
        total.with_leftovers += u64::from(left > 0);
        last = found;
    }
    println!("{total:?}");
    assert!(total.with_leftovers > 0, "no kill met a save");
    assert_eq!(read(&store).map(|record| number_in(Some(record.as_bytes()))), Some(last));
    drop(lock(&store));
}

#[derive(Debug, Default)]
struct Total {
    kills: u64,
    saves: u64,
    /// Killed after the rename, before the child could say so.
    unacknowledged: u64,
    /// Killed while a temporary file was there.
    with_leftovers: u64,
}

/// Waits for a random time: from nothing to longer than a write takes, each order of magnitude as likely as the others.
fn spin(random: &mut Random) {
    let bits = random.below(24);
    for _ in 0..random.below(1 << bits) {
        hint::spin_loop();
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}
