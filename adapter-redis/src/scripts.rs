//! The Lua scripts by which a session reads and changes its keys. Redis runs each as a whole: no other client's command
//! comes in between.

use crate::resp::Command;

/// The `EVAL` command of a script. The text of the script is sent each time: it has some hundred bytes, and `EVALSHA`
/// would fail on a server that has restarted since.
pub(crate) fn eval(script: &str, keys: &[&str], arguments: &[&[u8]]) -> Command {
    let count = keys.len().to_string();
    let mut parts = vec![script.as_bytes(), count.as_bytes()];
    parts.extend(keys.iter().map(|key| key.as_bytes()));
    parts.extend(arguments);
    Command::new("EVAL", &parts)
}

/// Acquires the lock. Answers `{1, fencing token}`; or `{0, milliseconds}` if another owner holds it, with the
/// time until that lock expires; or `{-1}` if the command came too late.
///
/// Keys: lock, fence, record. Arguments: owner, time to live in milliseconds, latest moment in microseconds of Redis's
/// clock.
///
/// The latest moment is the caller's deadline: a server that hung and then reaches this command must not lock for a
/// caller who has given up. The same owner may acquire twice, because its first reply may have been lost. The fencing
/// token is always above the record's, even if a server that was short of memory has evicted the counter.
pub(crate) const ACQUIRE_LOCK: &str = "
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

/// Reads under the lock. Answers `{1, record or nil}`, or `{0}` if the owner has lost the lock.
///
/// Keys: lock, record. Arguments: owner.
pub(crate) const READ_LOCKED: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0} end
return {1, redis.call('HGET', KEYS[2], 'data')}
";

/// Writes the record and publishes that it changed. Answers 1, or 0 if the owner has lost the lock or the record has a
/// higher fencing token.
///
/// Keys: lock, record. Arguments: owner, fencing token, record, channel.
///
/// It publishes before it writes: where the user may not publish, the script fails before anything has changed. No
/// subscriber can read in between, since Redis runs a script as a whole.
pub(crate) const WRITE: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local written = tonumber(redis.call('HGET', KEYS[2], 'fence') or 0) or 0
if written > tonumber(ARGV[2]) then return 0 end
redis.call('PUBLISH', ARGV[4], ARGV[2])
redis.call('HSET', KEYS[2], 'data', ARGV[3], 'fence', ARGV[2])
return 1
";

/// Moves the record to the next free name of a numbered series: `aside:1`, say. Answers 1, also if there is no record;
/// or 0 if the owner has lost the lock.
///
/// Keys: lock, record, the series (`aside` or `retired`). Arguments: owner, channel.
pub(crate) const MOVE_RECORD: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('EXISTS', KEYS[2]) == 0 then return 1 end
redis.call('PUBLISH', ARGV[2], 'aside')
repeat
  local place = KEYS[3] .. ':' .. redis.call('INCR', KEYS[3])
until redis.call('RENAMENX', KEYS[2], place) == 1
return 1
";

/// Deletes all retired records, then writes as [`WRITE`] does. Answers 1, or 0 if the owner has lost the lock or the record
/// has a higher fencing token.
///
/// Keys: lock, record, retired. Arguments: owner, fencing token, record, channel.
pub(crate) const WRITE_AND_DELETE_RETIRED: &str = "
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

/// Deletes the lock if it belongs to this owner. Answers how many locks were deleted: 1 or 0.
///
/// Keys: lock. Arguments: owner.
pub(crate) const RELEASE_LOCK: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
";
