//! Looking through the memory of a process, as a core dump has it.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

/// So many bytes in a row are no accident.
const PIECE: usize = 8;

/// Where the pieces of one secret begin. Freed memory loses its first bytes to the allocator, so the whole is not
/// looked for: any eleven characters in a row that are left are found.
const STEP: usize = 4;

/// What to look for, in pieces.
#[derive(Default)]
pub struct Needles(HashMap<u64, String>);

impl Needles {
    /// Adds a secret, by the name under which it is told.
    pub fn add(&mut self, name: &str, secret: &[u8]) {
        for piece in secret.windows(PIECE).step_by(STEP) {
            if let Ok(piece) = piece.try_into() {
                self.0.insert(u64::from_ne_bytes(piece), name.to_owned());
            }
        }
    }

    /// The names of all.
    pub fn names(&self) -> BTreeSet<String> {
        self.0.values().cloned().collect()
    }
}

/// The names of the secrets of which something stands in memory that the process has written: heap, stack, data.
/// The process must be a child, and should be waiting.
pub fn look_through(process: u32, needles: &Needles) -> io::Result<BTreeSet<String>> {
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let mut found = BTreeSet::new();
    for line in fs::read_to_string(format!("/proc/{process}/maps"))?.lines() {
        // 7f0c5c000000-7f0c5c021000 rw-p 00000000 00:00 0    [heap]
        let mut words = line.split_whitespace();
        let (Some(range), Some(rights)) = (words.next(), words.next()) else { continue };
        let Some((start, end)) = range.split_once('-') else { continue };
        if !rights.starts_with("rw") {
            continue;
        }
        let number = |text| u64::from_str_radix(text, 16).map_err(io::Error::other);
        let (start, end) = (number(start)?, number(end)?);
        let mut bytes = vec![0; usize::try_from(end - start).map_err(io::Error::other)?];
        memory.read_exact_at(&mut bytes, start)?;
        for window in bytes.windows(PIECE) {
            let piece = window.try_into().map(u64::from_ne_bytes).unwrap_or_default();
            // Most of memory is zero.
            if piece != 0
                && let Some(name) = needles.0.get(&piece)
            {
                found.insert(name.clone());
            }
        }
    }
    Ok(found)
}
