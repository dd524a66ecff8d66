//! Counting by valgrind, which simulates the processor.

use std::process::Command;

/// Runs before the first one that counts and between two counts: caches of the allocator fill up meanwhile.
const TIMES: u64 = 200;

/// Instructions of one run of this work: the difference of two programs that do it more and less often. Neither
/// their start nor the preparation is in it.
pub(crate) fn count(work: &str) -> Result<u64, String> {
    let program = |times: u64| program(&["run", work, &times.to_string()]);
    let (less, more) = (program(TIMES)?, program(2 * TIMES)?);
    Ok(more.saturating_sub(less) / TIMES)
}

/// Instructions of this program, called with these arguments.
pub(crate) fn program(arguments: &[&str]) -> Result<u64, String> {
    let own = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    let output = valgrind.arg(own).args(arguments).output();
    let output = output.map_err(|error| format!("valgrind cannot be run ({error}): install Debian's `valgrind`"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let total = said.lines().find_map(|line| line.split_once("I   refs:").or_else(|| line.split_once("I refs:")));
    let total = total.and_then(|(_, total)| total.trim().replace(',', "").parse().ok());
    total.filter(|_| output.status.success()).ok_or_else(|| format!("valgrind failed at {arguments:?}:\n{said}"))
}
