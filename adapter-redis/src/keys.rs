//! Where in Redis a session is kept, and the scripts that change it.

/// The keys of one session. Their common part stands in braces, so that a cluster keeps them in one place.
pub(crate) struct Keys {
    /// A hash: the record (`data`), and the number of the lock it was written under (`fence`).
    pub(crate) record: String,
    /// Who holds the lock. Ends by itself.
    pub(crate) lock: String,
    /// Counts locks.
    pub(crate) fence: String,
    /// Counts records that were set aside; with a colon and the count behind it, one of them.
    pub(crate) aside: String,
    /// The same for what other programs had left, which was taken up.
    pub(crate) retired: String,
    /// Where changes are told.
    pub(crate) channel: String,
}

const MAX_KEY: usize = 256;

impl Keys {
    /// `None`: it is no name.
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
            aside: named("aside"),
            retired: named("retired"),
            channel: named("changed"),
        })
    }
}

/// Takes the lock: `{1, fence}`, or `{0, milliseconds until it may be free}`, or `{-1}` for too late.
///
/// Keys: lock, fence, record. Arguments: owner, milliseconds, until when (µs of Redis's clock).
///
/// A command that Redis comes to when nobody waits for its answer any more must not take the lock. Asked for again by
/// the same owner, whose first answer was lost, it grants again. The count goes on above the record's even where a
/// server that was short of memory has dropped it.
pub(crate) const LOCK: &str = "
local time = redis.call('TIME')
if time[1] * 1000000 + time[2] > tonumber(ARGV[3]) then return {-1} end
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return {0, redis.call('PTTL', KEYS[1])} end
local written = tonumber(redis.call('HGET', KEYS[3], 'fence') or 0) or 0
local fence = redis.call('INCR', KEYS[2])
if fence <= written then fence = redis.call('INCRBY', KEYS[2], written + 1 - fence) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {1, fence}
";

/// Reads under the lock: `{1, record or nothing}`, or `{0}` where the lock is lost.
///
/// Keys: lock, record. Arguments: owner.
pub(crate) const READ: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0} end
return {1, redis.call('HGET', KEYS[2], 'data')}
";

/// Writes and tells: 1, or 0 where the lock is lost, or where a later holder has written.
///
/// Keys: lock, record. Arguments: owner, fence, record, channel.
///
/// Telling comes first: where that is not allowed, nothing is written. Nobody can look before the script ends.
pub(crate) const WRITE: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local written = tonumber(redis.call('HGET', KEYS[2], 'fence') or 0) or 0
if written > tonumber(ARGV[2]) then return 0 end
redis.call('PUBLISH', ARGV[4], ARGV[2])
redis.call('HSET', KEYS[2], 'data', ARGV[3], 'fence', ARGV[2])
return 1
";

/// Sets the record aside, under a name that is not taken: 1, or 0 where the lock is lost. Nothing there is fine.
///
/// Keys: lock, record, aside or retired. Arguments: owner, channel.
pub(crate) const SET_ASIDE: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('EXISTS', KEYS[2]) == 0 then return 1 end
redis.call('PUBLISH', ARGV[2], 'aside')
repeat
  local place = KEYS[3] .. ':' .. redis.call('INCR', KEYS[3])
until redis.call('RENAMENX', KEYS[2], place) == 1
return 1
";

/// Removes what was set aside under this name, and writes as [`WRITE`] does: 1, or 0 where the lock is lost, or where a
/// later holder has written.
///
/// Keys: lock, record, retired. Arguments: owner, fence, record, channel.
pub(crate) const CLEAR: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local written = tonumber(redis.call('HGET', KEYS[2], 'fence') or 0) or 0
if written > tonumber(ARGV[2]) then return 0 end
redis.call('PUBLISH', ARGV[4], ARGV[2])
local count = tonumber(redis.call('GET', KEYS[3]) or 0) or 0
for number = 1, count do redis.call('DEL', KEYS[3] .. ':' .. number) end
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[2], 'data', ARGV[3], 'fence', ARGV[2])
return 1
";

/// Gives the lock back, if it is ours.
///
/// Keys: lock. Arguments: owner.
pub(crate) const RELEASE: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_session_share_a_slot() {
        let keys = Keys::new("navien:grower@example.com").unwrap();
        assert_eq!(keys.record, "perennial:{navien:grower@example.com}:record");
        for key in [&keys.record, &keys.lock, &keys.fence, &keys.aside, &keys.retired, &keys.channel] {
            assert!(key.starts_with("perennial:{navien:grower@example.com}:"), "{key}");
        }
    }

    #[test]
    fn a_name_that_would_break_out_is_refused() {
        let long = "k".repeat(MAX_KEY + 1);
        for bad in ["", "a b", "a{b", "a}b", "a\nb", "a\0b", &long] {
            assert!(Keys::new(bad).is_none(), "{bad:?}");
        }
    }
}
