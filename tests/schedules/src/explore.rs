//! Runs one story under many schedules.

use std::path::PathBuf;
use std::time::Instant;

use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

/// How often the second scheduler stops a thread where nobody expects it: most faults need one or two.
const DEPTH: usize = 3;

/// More steps than any story takes: one that goes round in circles is stopped.
const MOST_STEPS: usize = 50_000;

/// Half of the schedules are drawn at random at every step; in the other half threads keep their turn but for
/// [`DEPTH`] times, which finds what needs one thread to be very late.
pub fn explore(name: &str, story: impl Fn() + Copy + Send + Sync + 'static) {
    if let Some(file) = std::env::var_os("PERENNIAL_SCHEDULE") {
        let scheduler = ReplayScheduler::new_from_file(file).expect("a file that a failure named");
        run(scheduler, story);
        println!("{name}: that one schedule");
        return;
    }
    let (schedules, seed) = (number("PERENNIAL_SCHEDULES", 100), number("PERENNIAL_SEED", 20_261_122));
    let half = usize::try_from(schedules / 2).expect("a number of schedules");
    let start = Instant::now();
    let done = run(RandomScheduler::new_from_seed(seed, half), story)
        + run(PctScheduler::new_from_seed(seed, DEPTH, half), story);
    println!("{name}: {done} schedules in {:.1} s", start.elapsed().as_secs_f64());
}

/// Whether one schedule is run again.
pub(crate) fn is_replay() -> bool {
    std::env::var_os("PERENNIAL_SCHEDULE").is_some()
}

fn run(scheduler: impl Scheduler + 'static, story: impl Fn() + Send + Sync + 'static) -> usize {
    let mut config = Config::new();
    config.stack_size = 256 * 1024;
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    // What depends on weaker orders than it assumes is loom's to find.
    config.silence_warnings = true;
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/shuttle");
    config.failure_persistence = FailurePersistence::File(Some(PathBuf::from(target)));
    Runner::new(scheduler, config).run(story)
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}
