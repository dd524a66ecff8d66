//! The names of the keys and of the channel that one session uses in Redis.

/// The keys of one session. All of them contain `{KEY}`, a hash tag, so that a Redis Cluster keeps them in one slot.
pub(crate) struct Keys {
    /// A hash with two fields: `data`, the record, and `fence`, the fencing token of the lock it was written under.
    pub(crate) record: String,
    /// The lock: a string, the identifier of its owner, with an expiry.
    pub(crate) lock: String,
    /// A counter: the fencing token of the last lock.
    pub(crate) fence: String,
    /// A counter of the records that were quarantined. With a colon and a number behind it: one of those records.
    pub(crate) quarantine: String,
    /// The same for records of other programs that were retired.
    pub(crate) retired: String,
    /// The channel on which every change of the record is published.
    pub(crate) channel: String,
}

/// The longest key, in bytes.
const MAX_KEY: usize = 256;

impl Keys {
    /// `None` if the key is empty, too long, or contains white space, braces or control characters. Braces would move
    /// the hash tag, and so let one session use the keys of another.
    pub(crate) fn new(key: &str) -> Option<Self> {
        let fits = (1..=MAX_KEY).contains(&key.len());
        if !fits || key.contains(|c: char| c.is_control() || c.is_whitespace() || "{}".contains(c)) {
            return None;
        }
        let named = |what: &str| format!("perennial:{{{key}}}:{what}");
        Some(Self {
            record: named("record"),
            lock: named("lock"),
            fence: named("fence"),
            quarantine: named("aside"),
            retired: named("retired"),
            channel: named("changed"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_session_share_one_cluster_slot() {
        let keys = Keys::new("navien:grower@example.com").unwrap();
        assert_eq!(keys.record, "perennial:{navien:grower@example.com}:record");
        for key in [&keys.record, &keys.lock, &keys.fence, &keys.quarantine, &keys.retired, &keys.channel] {
            assert!(key.starts_with("perennial:{navien:grower@example.com}:"), "{key}");
        }
    }

    #[test]
    fn a_key_that_could_change_the_names_around_it_is_refused() {
        let long = "k".repeat(MAX_KEY + 1);
        for bad in ["", "a b", "a{b", "a}b", "a\nb", "a\0b", &long] {
            assert!(Keys::new(bad).is_none(), "{bad:?}");
        }
    }
}
