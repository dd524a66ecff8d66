//! A year of one account, in virtual time: `PERENNIAL_SEEDS` years (4 where it is not set, fresh ones with
//! `PERENNIAL_FRESH=1`), or the one of `PERENNIAL_SEED`, of which `PERENNIAL_DAYS=12..40` takes some days and `PERENNIAL_FAULTS=3,17` (or `none`) some
//! faults.

#![allow(clippy::disallowed_methods, reason = "core does no I/O; its tests are told how many seeds to take")]

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use perennial_simulation::year::{self, Sabotage, Year, YearReport, YearRule, YearViolation};

mod seeds;

use seeds::number;

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The year that the environment asks for.
fn asked_for(seed: u64) -> Year {
    let mut year = Year::of(seed);
    if let Some(days) = text("PERENNIAL_DAYS") {
        year = year.days(read_days(&days).expect("PERENNIAL_DAYS is like 12..40"));
    }
    if let Some(faults) = text("PERENNIAL_FAULTS") {
        let numbers: Vec<u16> = match faults.as_str() {
            "none" => Vec::new(),
            list => list.split(',').map(|text| text.parse().expect("PERENNIAL_FAULTS is like 3,17")).collect(),
        };
        year = year.only(&numbers);
    }
    year
}

fn read_days(text: &str) -> Option<Range<u16>> {
    let (start, end) = text.split_once("..")?;
    Some(start.parse().ok()?..end.parse().ok()?)
}

/// Lives through years on all cores. Of those that break a rule, the first is given.
fn run_all(seeds: Range<u64>) -> Result<YearReport, Box<YearViolation>> {
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::new(YearReport::default());
    let broken: Mutex<Option<Box<YearViolation>>> = Mutex::new(None);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || broken.lock().expect("no run panics").is_some() {
                        break;
                    }
                    match year::run(&Year::of(seed)) {
                        Ok(report) => total.lock().expect("no run panics").add(&report),
                        Err(violation) => *broken.lock().expect("no run panics") = Some(violation),
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().expect("no run panics");
    broken.map_or_else(|| Ok(total.into_inner().expect("no run panics")), Err)
}

#[test]
fn no_rule_is_broken_in_any_year() {
    let outcome = match number("PERENNIAL_SEED") {
        Some(seed) => year::run(&asked_for(seed)),
        None => run_all(seeds::range(4)),
    };
    let report = outcome.unwrap_or_else(|violation| panic!("{}", year::shrink(violation)));
    println!("{report}");
    let spent = cpu_seconds();
    if spent > 0.0 {
        println!("{:<38}{:>14.1}", "years per CPU second", report.time.as_secs_f64() / 31_536_000.0 / spent);
    }
}

/// What this process has spent, all of its threads: Linux says so in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// Of sixty years, a third of each, the first that breaks this rule by a fault on purpose; else the rules that were
/// broken.
fn find(sabotage: Sabotage, rule: YearRule) -> Result<Box<YearViolation>, Vec<YearRule>> {
    let mut others = Vec::new();
    for seed in 0..60 {
        match year::run(&Year::of(seed).days(0..120).with(sabotage)) {
            Err(violation) if violation.rule == rule => return Ok(violation),
            Err(violation) => others.push(violation.rule),
            Ok(_) => {}
        }
    }
    Err(others)
}

#[test]
fn each_fault_on_purpose_is_named() {
    for sabotage in Sabotage::ALL {
        let rule = match sabotage {
            Sabotage::ForgetsFlight => YearRule::OneAtATime,
            Sabotage::WithholdsWhileRenewing => YearRule::ValidNeverWait,
            Sabotage::RepeatsLogin => YearRule::RefusedStops,
            Sabotage::RepeatsToken => YearRule::NoReuse,
            Sabotage::SendsWithoutMark => YearRule::MarkThenSend,
            Sabotage::Spins | Sabotage::Hammers => YearRule::BoundedWork,
            Sabotage::OneClock => YearRule::EarlierDeadline,
            Sabotage::LosesWakes => YearRule::HealthyAgain,
            Sabotage::NoDeadlines => YearRule::WaitsEnd,
            Sabotage::ForgetsRecord => YearRule::SignInsJustified,
            Sabotage::RenewsLate => YearRule::QuietIsQuiet,
        };
        match find(sabotage, rule) {
            Ok(violation) => println!("{sabotage:?}: “{rule}”, seed {}, {:?}", violation.year.seed, violation.what),
            Err(others) => panic!("{sabotage:?} is never named as {rule}, only as {others:?}"),
        }
    }
}

#[test]
fn a_year_always_goes_the_same_way() {
    for seed in 0..3 {
        let year = Year::of(seed).days(0..60);
        assert_eq!(year::run(&year), year::run(&year), "seed {seed}");
    }
}

#[test]
fn a_year_that_breaks_a_rule_is_made_small_and_can_be_lived_again() {
    let violation = find(Sabotage::LosesWakes, YearRule::HealthyAgain).expect("it sleeps");
    let (rule, faults) = (violation.rule, violation.year.faults.len());
    let small = year::shrink(violation);
    assert_eq!(small.rule, rule);
    assert!(small.year.faults.len() <= 2 && small.year.faults.len() < faults, "{small}");
    assert!(small.year.days.len() <= 3, "{small}");
    let numbers: Vec<u16> = small.year.faults.iter().map(|fault| fault.number).collect();
    let again = Year::of(small.year.seed).days(small.year.days.clone()).only(&numbers).with(Sabotage::LosesWakes);
    let violation = year::run(&again).expect_err("the same again");
    assert_eq!((violation.rule, violation.at), (small.rule, small.at));
    assert!(small.to_string().contains(&format!("PERENNIAL_SEED={} PERENNIAL_DAYS=", small.year.seed)), "{small}");
    assert!(!small.history.is_empty());
}

#[test]
fn a_year_without_faults_needs_one_sign_in_and_lets_nobody_wait_for_long() {
    for seed in 0..4 {
        let report = year::run(&Year::of(seed).days(0..90).only(&[])).unwrap_or_else(|violation| panic!("{violation}"));
        assert_eq!(report.sign_ins + report.persons, 1, "{report}");
        assert_eq!(report.repeats, 0, "{report}");
    }
}

/// The year that is drawn in `doc/year.svg`.
const DRAWN: u64 = 26;

#[test]
fn the_drawing_is_of_a_year_that_was_lived_through() {
    let drawn = year::draw(&Year::of(DRAWN)).unwrap_or_else(|violation| panic!("{violation}"));
    let again = "cargo run --release -p perennial-simulation --example year > tests/simulation/doc/year.svg";
    assert!(
        drawn == include_str!("../doc/year.svg"),
        "tests/simulation/doc/year.svg is of another Perennial; draw it again: {again}"
    );
    assert!(drawn.len() < 200_000 && drawn.contains("prefers-color-scheme") && !drawn.contains("<script"));
}
