//! A process that is to forget its secrets, seen from outside: what it was given, and what its memory still holds.
//!
//! The secrets are made from a seed when the process runs, so that they stand neither in its text nor in its
//! arguments. Who looks for them makes them from the same seed.

mod memory;
mod process;

use zeroize::Zeroizing;

pub use self::memory::{Needles, look_through};
pub use self::process::Process;

/// How many characters a secret has: enough for several pieces of it to be looked for.
pub const LENGTH: usize = 48;

/// The characters of secrets: those that no form, address or JSON has to escape. No digits: a long word with one is
/// taken out of what services say in any case.
const ALPHABET: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The secrets of one run.
#[derive(Clone, Copy)]
pub struct Secrets {
    seed: u64,
}

impl Secrets {
    /// Those of this run.
    pub fn of(seed: u64) -> Self {
        Self { seed }
    }

    /// What they are made from.
    pub fn seed(self) -> u64 {
        self.seed
    }

    /// The one of this name: letters, nothing of which another name has.
    pub fn get(self, name: &str) -> Zeroizing<String> {
        // FNV-1a of the name, then SplitMix64: they have to differ, not to withstand anybody.
        let start = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut state = start ^ self.seed;
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        for _ in 0..LENGTH {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let place = (word >> 33) as usize % ALPHABET.len();
            text.push(char::from(ALPHABET[place]));
        }
        text
    }

    /// The one of this name as a whole number of 32 bytes in base64: what some services call a secret is a key.
    pub fn key(self, name: &str) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        // A canonical end: 43 characters are 258 bits, of which the last two are zero.
        text.push_str(&self.get(name)[..42]);
        text.push_str("A=");
        text
    }
}
