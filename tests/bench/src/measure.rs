//! Contestants that take turns, so that a machine which slows down slows all of them.

use std::fmt;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// How often each contestant runs. The median counts.
const ROUNDS: usize = 101;
/// How long one run should take: long beside the clock's own cost, short beside the slice of time that a thread gets
/// on a machine which has other things to do.
const RUN: Duration = Duration::from_millis(1);
/// How often each number of iterations is tried until it is found.
const CALIBRATIONS: u32 = 5;
/// How often threads are let run until they run at once.
const TRIES: usize = 25;
/// The share of a run in which all threads have to run.
const TOGETHER: f64 = 0.8;
/// Where calibration stops.
const MOST_ITERATIONS: u64 = 1 << 26;
/// The same for threads that never met: about a run of what costs little.
const UNMET_ITERATIONS: u64 = 1 << 17;

/// Measures so many iterations, and says how long they took; `None` where it came to nothing.
type Run<'a> = Box<dyn FnMut(u64) -> Option<Duration> + 'a>;

/// Some ways to do one thing.
#[must_use]
pub struct Contest<'a> {
    title: String,
    contestants: Vec<(String, Run<'a>)>,
}

impl<'a> Contest<'a> {
    /// With no contestants yet. The first one to enter is what the others are compared with.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), contestants: Vec::new() }
    }

    /// Lets one iteration after another run on this thread. What it returns is kept from being optimised away.
    pub fn enter<T>(self, name: impl Into<String>, mut iteration: impl FnMut() -> T + 'a) -> Self {
        self.enter_timed(name, move |iterations| repeat(iterations, &mut iteration))
    }

    /// Lets so many threads run at once, each with an iteration of its own making. The time of the slowest counts. On a
    /// busy machine they may run one after the other: that is tried again, some times, and never counts.
    pub fn enter_threads<T, F>(
        mut self,
        name: impl Into<String>,
        threads: usize,
        make: impl Fn() -> F + Sync + 'a,
    ) -> Self
    where
        F: FnMut() -> T,
    {
        let run = move |iterations| {
            let mut tries = (0..TRIES).map(|_| run_at_once(iterations, threads, &make));
            tries.find(|run| run.together >= TOGETHER).map(|run| run.slowest)
        };
        self.contestants.push((name.into(), Box::new(run)));
        self
    }

    /// Lets somebody run who measures by himself: given a number of iterations, he says how long they took.
    pub fn enter_timed(mut self, name: impl Into<String>, mut run: impl FnMut(u64) -> Duration + 'a) -> Self {
        self.contestants.push((name.into(), Box::new(move |iterations| Some(run(iterations)))));
        self
    }

    /// Lets all of them run.
    #[must_use]
    pub fn run(mut self) -> Results {
        let iterations: Vec<u64> = self.contestants.iter_mut().map(|(_, run)| calibrate(run)).collect();
        let mut samples = vec![Vec::with_capacity(ROUNDS); self.contestants.len()];
        for round in 0..ROUNDS {
            for turn in 0..self.contestants.len() {
                // Nobody always runs behind the same one.
                let index = (turn + round) % self.contestants.len();
                if let Some(time) = self.contestants[index].1(iterations[index]) {
                    samples[index].push(nanos(time) / iterations[index] as f64);
                }
            }
        }
        let names = self.contestants.into_iter().map(|(name, _)| name);
        Results { title: self.title, rows: names.zip(samples).map(|(name, samples)| Row::new(name, samples)).collect() }
    }
}

/// A run of some threads.
#[derive(Default)]
struct Together {
    slowest: Duration,
    /// The share of the run in which all of them ran.
    together: f64,
}

fn run_at_once<T, F: FnMut() -> T>(iterations: u64, threads: usize, make: &(impl Fn() -> F + Sync)) -> Together {
    let start = Barrier::new(threads);
    let run = || {
        let mut iteration = make();
        start.wait();
        let began = Instant::now();
        (began, repeat(iterations, &mut iteration))
    };
    let runs: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running.into_iter().map(|thread| thread.join().expect("a contestant panicked")).collect()
    });
    let ends = || runs.iter().map(|(began, time)| *began + *time);
    let starts = || runs.iter().map(|(began, _)| *began);
    let (Some(first), Some(last), Some(end), Some(over)) = (starts().min(), starts().max(), ends().min(), ends().max())
    else {
        return Together::default();
    };
    let (shared, whole) = (end.saturating_duration_since(last), over.saturating_duration_since(first));
    let slowest = runs.iter().map(|(_, time)| *time).max().unwrap_or_default();
    Together { slowest, together: nanos(shared) / nanos(whole).max(1.0) }
}

fn repeat<T>(iterations: u64, iteration: &mut impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..iterations {
        std::hint::black_box(iteration());
    }
    start.elapsed()
}

fn calibrate(run: &mut Run<'_>) -> u64 {
    let mut iterations = 1;
    while iterations < MOST_ITERATIONS {
        // The fastest of some: one that was interrupted would end this too soon.
        let time = (0..CALIBRATIONS).filter_map(|_| run(iterations)).min();
        // Threads do not meet in a run that is too short; nor do they, now and then, on a busy machine.
        let Some(time) = time else {
            iterations *= 4;
            if iterations >= UNMET_ITERATIONS {
                break;
            }
            continue;
        };
        if time >= RUN {
            break;
        }
        // Towards the aim, but not too far on one reading.
        let aim = nanos(RUN) / nanos(time).max(1.0);
        iterations = ((iterations as f64 * aim.clamp(1.1, 16.0)).ceil() as u64).min(MOST_ITERATIONS);
    }
    iterations
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// What came of a contest.
#[derive(Debug)]
pub struct Results {
    title: String,
    rows: Vec<Row>,
}

/// One contestant's figures.
#[derive(Debug)]
pub struct Row {
    /// Who.
    pub name: String,
    /// How many runs counted.
    pub runs: usize,
    /// Nanoseconds for one iteration, the median. Not a number where no run counted.
    pub median: f64,
    /// The fastest run.
    pub best: f64,
    /// The slowest run.
    pub worst: f64,
}

impl Row {
    fn new(name: String, mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |index: usize| samples.get(index).copied().unwrap_or(f64::NAN);
        let runs = samples.len();
        Self { name, runs, median: at(runs / 2), best: at(0), worst: at(runs.saturating_sub(1)) }
    }
}

impl Results {
    /// All figures, in the order in which they entered.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Nanoseconds of one contestant.
    ///
    /// # Panics
    /// Where nobody of that name ran.
    #[must_use]
    pub fn median(&self, name: &str) -> f64 {
        self.row(name).median
    }

    /// Nanoseconds of one contestant in the fastest run: where the machine is busy, what others took is not in it.
    ///
    /// # Panics
    /// Where nobody of that name ran.
    #[must_use]
    pub fn best(&self, name: &str) -> f64 {
        self.row(name).best
    }

    fn row(&self, name: &str) -> &Row {
        self.rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("nobody ran as {name}"))
    }
}

/// A table in Markdown.
impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| {} | ns, median | fastest to slowest | to the first | runs |\n| --- | ---: | ---: | ---: | ---: |",
            self.title
        )?;
        for row in &self.rows {
            let Row { name, runs, median, best, worst } = row;
            let ratio = median / self.rows[0].median;
            writeln!(f, "| {name} | {median:.1} | {best:.1} to {worst:.1} | {ratio:.2} | {runs} |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_counts_whatever_the_order() {
        let row = Row::new("any".into(), vec![5.0, 1.0, 900.0, 2.0, 3.0]);
        assert_eq!((row.median, row.best, row.worst), (3.0, 1.0, 900.0));
    }

    #[test]
    fn every_contestant_runs_as_often_as_the_others() {
        let mut calls = [0_u32; 2];
        let [one, other] = &mut calls;
        let constant = |calls: &mut u32, iterations: u64| {
            *calls += 1;
            Duration::from_millis(2) * u32::try_from(iterations).expect("few")
        };
        let results = Contest::new("turns")
            .enter_timed("one", |iterations| constant(one, iterations))
            .enter_timed("other", |iterations| constant(other, iterations))
            .run();
        assert_eq!(results.rows().len(), 2);
        assert!((results.median("other") - 2e6).abs() < 1.0);
        assert_eq!(calls[0], calls[1]);
        assert!(calls[0] > u32::try_from(ROUNDS).expect("few"));
    }
}
