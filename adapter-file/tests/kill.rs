//! `kill -9` at any moment: the file holds the old record or the new one, whole; the lock is free; nothing is left.
//!
//! `PERENNIAL_SAVES=10000 cargo test -p perennial-file --test kill -- --nocapture` is the full run.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::env;
use std::fs;
use std::hint;
use std::os::unix::process::ExitStatusExt;

use support::act::Act;
use support::child::{Child, command};
use support::record::number_in;
use support::{Scratch, lock, read, temporaries, try_lock};

/// Saves that are acknowledged in a usual run.
const SAVES: u64 = 300;
const SIGKILL: i32 = 9;

#[test]
fn a_save_survives_a_kill_at_any_moment() {
    let saves = env::var("PERENNIAL_SAVES").ok().map_or(SAVES, |saves| saves.parse().unwrap());
    let scratch = Scratch::new();
    let store = scratch.store();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut total = Total::default();
    let mut last = 0;

    // Some kills have to meet a save: where none did yet, it goes on, within bounds.
    while total.saves < saves || total.with_leftovers == 0 && total.saves < 20 * saves {
        let mut child = Child::run(command(Act::Saves, store.path()));
        let mut acknowledged = last;
        for _ in 0..=random.below(5) {
            let said = child.hear().expect("it was not killed yet");
            let number: u64 = said.strip_prefix("saved ").unwrap().parse().unwrap();
            assert_eq!(number, acknowledged + 1);
            acknowledged = number;
        }
        spin(&mut random);
        assert_eq!(child.kill().signal(), Some(SIGKILL));
        while let Some(said) = child.hear() {
            acknowledged = said.strip_prefix("saved ").unwrap().parse().unwrap();
        }

        let found = number_in(Some(&fs::read(store.path()).unwrap()));
        assert!((acknowledged..=acknowledged + 1).contains(&found), "{found} after {acknowledged}");
        let left = temporaries(scratch.path()).len();
        let mut held = try_lock(&store).expect("the kernel has freed it");
        assert_eq!(number_in(held.read(support::LONG).unwrap().as_ref().map(AsRef::as_ref)), found);
        drop(held);
        assert_eq!(temporaries(scratch.path()), Vec::<String>::new());

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

/// From nothing to longer than a save takes; each order of magnitude as likely as the others.
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
