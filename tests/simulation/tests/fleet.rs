//! Many processes on one store, in virtual time: `PERENNIAL_SEEDS` fleets (1,000 where it is not set, fresh ones with
//! `PERENNIAL_FRESH=1`), or the one of `PERENNIAL_SEED`.

#![allow(clippy::disallowed_methods, reason = "core does no I/O; its tests are told how many seeds to take")]

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use perennial_simulation::fleet::{self, FleetReport, FleetRule, FleetViolation, Sabotage, Scenario};

mod seeds;

use seeds::number;

/// Runs seeds on all cores. Of those that break a rule, the first is given.
fn run_all(seeds: Range<u64>) -> Result<FleetReport, Box<FleetViolation>> {
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::new(FleetReport::default());
    let broken: Mutex<Option<FleetViolation>> = Mutex::new(None);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut sum = FleetReport::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || broken.lock().expect("no run panics").is_some() {
                        break;
                    }
                    match fleet::run(seed) {
                        Ok(report) => sum.add(&report),
                        Err(violation) => *broken.lock().expect("no run panics") = Some(violation),
                    }
                }
                total.lock().expect("no run panics").add(&sum);
            });
        }
    });
    let broken = broken.into_inner().expect("no run panics");
    broken.map_or_else(|| Ok(total.into_inner().expect("no run panics")), |violation| Err(Box::new(violation)))
}

#[test]
fn no_rule_is_broken_by_any_fleet() {
    let outcome = match number("PERENNIAL_SEED") {
        Some(seed) => fleet::run(seed).map_err(Box::new),
        None => run_all(seeds::range(1000)),
    };
    let report = outcome.unwrap_or_else(|violation| panic!("{violation}"));
    println!("{report}");
}

/// The first seed of a hundred whose fleet breaks this rule by a fault on purpose; else the rules that were broken.
fn find(sabotage: Sabotage, rule: FleetRule) -> Result<u64, Vec<FleetRule>> {
    let mut others = Vec::new();
    for seed in 0..100 {
        match fleet::run_scenario(Scenario::of(seed).with(sabotage)) {
            Err(violation) if violation.rule == rule => return Ok(seed),
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
            Sabotage::LockIgnored | Sabotage::BeginsWithoutLock | Sabotage::LockEndsEarly => FleetRule::OneRenewal,
            Sabotage::WritesLost | Sabotage::SendsWithoutMark => FleetRule::MarkThenSend,
            Sabotage::TornReads => FleetRule::NoTornCell,
            Sabotage::IgnoresNewer => FleetRule::NoStaleCell,
            Sabotage::TellsBeforeSaving => FleetRule::SaveThenTell,
            Sabotage::IgnoresMarks => FleetRule::NoReuse,
            Sabotage::KeepsLock => FleetRule::NoneLost,
            Sabotage::ForgetsToClear => FleetRule::SignOutClears,
            Sabotage::IgnoresSignOuts => FleetRule::SignOutHolds,
            Sabotage::IgnoresFailures => FleetRule::FailuresAreHeeded,
            Sabotage::WaitsForStore => FleetRule::ValidNeverWait,
            Sabotage::Spins => FleetRule::BoundedWork,
            Sabotage::EndsAtOnce => FleetRule::ProgramsEnd,
        };
        if let Err(others) = find(sabotage, rule) {
            panic!("{sabotage:?} is never named as {rule}, only as {others:?}");
        }
    }
}

#[test]
fn a_seed_always_gives_the_same_run() {
    for seed in 0..20 {
        assert_eq!(fleet::run(seed), fleet::run(seed), "seed {seed}");
    }
}

#[test]
fn a_violation_says_what_happened_and_how_to_see_it_again() {
    let violation = fleet::run_scenario(Scenario::of(1).with(Sabotage::Spins)).expect_err("it spins");
    assert_eq!(violation.rule, FleetRule::BoundedWork);
    let text = violation.to_string();
    assert!(text.contains("“bounded work” is broken by process"), "{text}");
    assert!(text.contains("PERENNIAL_SEED=1 "), "{text}");
    assert!(!violation.history.is_empty());
}

/// Fleets that broke a rule once, by what is right in them. In those of the last kind the observer was wrong.
#[test]
fn fleets_that_broke_a_rule_once_break_none() {
    let who_waits_for_aws_credentials_gets_the_login_tried =
        [251_117_458_454_966, 251_117_458_455_143, 251_117_458_470_716, 251_117_458_482_571];
    let a_mark_stays_until_the_token_is_sent =
        [22_511_505_640_885, 22_511_505_643_772, 22_511_505_623_469, 22_511_505_617_601];
    let what_others_met_is_heeded_and_stays_in_the_store =
        [168_195_957_508_205, 168_195_957_519_040, 232_794_885_108_723, 247_672_824_467_527];
    let a_sign_out_counts_though_a_save_of_ours_failed =
        [121_066_578_209_034, 121_066_578_252_362, 121_066_578_265_016];
    let no_sign_out_waits_beneath_a_login_that_was_good = [222_514_694_314_665, 222_514_694_407_480];
    let nothing_goes_on_without_the_lock = [121_066_578_255_068];
    let observed_wrongly = [19_715, 84_434_293_427_804, 140_821_336_046_256, 232_794_885_121_223];
    let seeds = [
        &who_waits_for_aws_credentials_gets_the_login_tried[..],
        &a_mark_stays_until_the_token_is_sent,
        &what_others_met_is_heeded_and_stays_in_the_store,
        &a_sign_out_counts_though_a_save_of_ours_failed,
        &no_sign_out_waits_beneath_a_login_that_was_good,
        &nothing_goes_on_without_the_lock,
        &observed_wrongly,
    ];
    for seed in seeds.into_iter().flatten().copied() {
        if let Err(violation) = fleet::run(seed) {
            panic!("{violation}");
        }
    }
}
