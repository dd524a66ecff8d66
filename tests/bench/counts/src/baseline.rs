//! The counts as they should be, in a file, and what became of them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use perennial_counts::work::{WORK, Work};

use crate::count::count;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.txt");

/// The profile that is counted: optimised as releases are, and quicker to build.
const PROFILE: &str = "counts";

/// What more is still the same, in percent: where blocks of memory come to lie changes a few counts with any build, and
/// the C library copies in ways of its own on other processors.
const TOLERANCE: u64 = 5;

/// The first lines of the file.
const HEAD: &str = "# Instructions of one run of each piece of work. Written by\n\
                    # cargo run --profile counts -p perennial-counts -- bless\n";

/// Counts, and with what they were built.
pub(crate) struct Baseline {
    built_with: String,
    counts: BTreeMap<String, u64>,
}

impl Baseline {
    /// Counts everything.
    pub(crate) fn count() -> Result<Self, String> {
        if env!("BUILT_AS") != PROFILE {
            return Err(format!("built as {:?}, which is not what is compared: --profile {PROFILE}", env!("BUILT_AS")));
        }
        let count = |work: &Work| Ok((work.name.to_owned(), count(work.name)?));
        Ok(Self {
            built_with: env!("BUILT_WITH").to_owned(),
            counts: WORK.iter().map(count).collect::<Result<_, String>>()?,
        })
    }

    /// Reads the file.
    pub(crate) fn read() -> Result<Self, String> {
        let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
        Self::parse(&text).ok_or_else(|| format!("{FILE} cannot be understood: write it anew with `bless`"))
    }

    /// Writes the file.
    pub(crate) fn write(&self) -> Result<(), String> {
        fs::write(FILE, format!("{HEAD}{self}")).map_err(|error| format!("{FILE}: {error}"))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let built_with = lines.next()?.to_owned();
        let counts = lines.map(|line| {
            let (count, name) = line.trim().split_once("  ")?;
            Some((name.to_owned(), count.parse().ok()?))
        });
        Some(Self { built_with, counts: counts.collect::<Option<_>>()? })
    }

    /// What became of these counts.
    pub(crate) fn compare(&self, counted: &Self) -> Report {
        let comparable = self.built_with == counted.built_with;
        let mut report = Report { text: String::new(), broken: Vec::new() };
        report.line(format_args!(
            "| instructions | before | now | change | limit |\n| --- | ---: | ---: | ---: | ---: |"
        ));
        for work in WORK {
            let Some(now) = counted.counts.get(work.name).copied() else { continue };
            let before = self.counts.get(work.name).copied();
            let change = before.map_or_else(|| "new".to_owned(), |before| change(before, now));
            if comparable && !is_limit(work) {
                match before {
                    Some(before) if now * 100 > before * (100 + TOLERANCE) => {
                        report.broken.push(format!("{}: {before} instructions became {now}", work.name));
                    }
                    None => report.broken.push(format!("{}: not in the baseline", work.name)),
                    Some(_) => {}
                }
            }
            let limit = work.limit.as_ref().and_then(|limit| {
                let of = *counted.counts.get(limit.name)?;
                let percent = now * 100 / of;
                if percent > limit.percent {
                    report
                        .broken
                        .push(format!("{}: {percent}% of {}, {}% are allowed", work.name, limit.name, limit.percent));
                }
                Some(format!("{percent}% of {}%", limit.percent))
            });
            let before = before.map_or_else(String::new, |before| before.to_string());
            let limit = limit.unwrap_or_default();
            report.line(format_args!("| {} | {before} | {now} | {change} | {limit} |", work.name));
        }
        if !comparable {
            report.line(format_args!(
                "\nNot compared with the baseline: that was built with {}, this with {}.",
                self.built_with, counted.built_with
            ));
        }
        report
    }
}

/// Not ours: it is only there to be compared with.
fn is_limit(work: &Work) -> bool {
    WORK.iter().filter_map(|other| other.limit.as_ref()).any(|limit| limit.name == work.name)
}

fn change(before: u64, now: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "for people to read")]
    let percent = (now as f64 / before.max(1) as f64 - 1.0) * 100.0;
    format!("{percent:+.1}%")
}

/// As it stands in the file.
impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.built_with)?;
        let counts = WORK.iter().filter_map(|work| Some((work.name, self.counts.get(work.name)?)));
        for (name, count) in counts {
            writeln!(f, "{count:>8}  {name}")?;
        }
        Ok(())
    }
}

/// A comparison, to be read and to fail by.
pub(crate) struct Report {
    text: String,
    broken: Vec<String>,
}

impl Report {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        self.text += &format!("{line}\n");
    }

    /// An error where something takes more than it may.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        if self.broken.is_empty() { Ok(()) } else { Err(format!("too many instructions:\n{}", self.broken.join("\n"))) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = "read: a shared handle";

    fn counts(built_with: &str, change: impl Fn(&str) -> u64) -> Baseline {
        let counts = WORK.iter().map(|work| (work.name.to_owned(), change(work.name)));
        Baseline { built_with: built_with.to_owned(), counts: counts.collect() }
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let written = counts("rustc 1, here", |name| name.len() as u64);
        let read = Baseline::parse(&format!("{HEAD}{written}")).expect("our own words");
        assert_eq!((read.built_with, read.counts), (written.built_with, written.counts));
    }

    #[test]
    fn more_than_before_fails_and_less_does_not() {
        let before = counts("one", |_| 1_000);
        let with = |built_with, count| counts(built_with, move |name| if name == READ { count } else { 1_000 });
        for fine in [1, 1_000, 1_050] {
            assert!(before.compare(&with("one", fine)).verdict().is_ok(), "{fine}");
        }
        assert!(before.compare(&with("one", 1_051)).verdict().is_err());
    }

    #[test]
    fn another_compiler_is_not_compared_and_limits_hold_all_the_same() {
        let before = counts("one", |_| 1_000);
        let slow = counts("another", |_| 9_000);
        let report = before.compare(&slow);
        assert!(report.verdict().is_ok());
        assert!(report.to_string().contains("Not compared"));
        let beyond = counts("another", |name| if name == "parse: Navien sign-in" { 1_001 * 2 } else { 1_000 });
        assert!(before.compare(&beyond).verdict().is_err());
    }

    #[test]
    fn new_work_needs_a_count_and_a_limit_is_nobodys_regression() {
        let before = Baseline { counts: BTreeMap::new(), ..counts("one", |_| 1_000) };
        assert!(before.compare(&counts("one", |_| 1_000)).verdict().is_err());
        let before = counts("one", |_| 1_000);
        let slower_limits = counts("one", |name| if name.ends_with("serde_json") { 5_000 } else { 1_000 });
        assert!(before.compare(&slower_limits).verdict().is_ok());
    }
}
