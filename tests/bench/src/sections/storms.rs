//! Many callers at once, and one request.

use std::sync::{Arc, Barrier, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use perennial_bench::aims::Aims;
use perennial_bench::service::{LIFETIME, Service, runtime};
use perennial_core::Error;
use perennial_core::providers::navien::Navien;
use perennial_emulator::{Endpoint, Fault};
use perennial_hyper::Session;
use tokio::runtime::Runtime;

/// How long the service takes for an answer.
const ANSWER: Duration = Duration::from_millis(50);
/// How often each storm comes. The median counts.
const ROUNDS: usize = 15;
const TASKS: usize = 10_000;
const THREADS: usize = 500;
/// What a crowd may add to the endpoint's time.
const CROWD: f64 = 20.0;
/// How soon a session is well again after the service.
const RECOVERY: f64 = 5000.0;

pub(crate) fn print() {
    let mut aims = Aims::default();
    at_expiry(&mut aims);
    refused(&mut aims);
    println!("{aims}");
}

/// What became of a crowd.
struct Storm {
    requests: usize,
    /// When the first and the last one was told.
    first: Duration,
    last: Duration,
    failed: usize,
}

impl Storm {
    fn of(requests: usize, start: Instant, told: &[Told]) -> Self {
        let after = |told: &Told| told.at.saturating_duration_since(start);
        Self {
            requests,
            first: told.iter().map(after).min().unwrap_or_default(),
            last: told.iter().map(after).max().unwrap_or_default(),
            failed: told.iter().filter(|told| told.failed).count(),
        }
    }
}

struct Told {
    at: Instant,
    failed: bool,
}

impl Told {
    fn now<T>(answer: &Result<T, Error>) -> Self {
        Self { at: Instant::now(), failed: answer.is_err() }
    }
}

// ---- Expired

fn at_expiry(aims: &mut Aims) {
    let runtime = runtime();
    let [tasks, threads] = [(); 2].map(|()| Service::start());
    let session = runtime.block_on(perennial_hyper::Connector::new().connect(tasks.setup()));
    let session = session.expect("the emulator signs in");
    let threaded = perennial_blocking::Connector::new().connect(threads.setup()).expect("the emulator signs in");
    for service in [&tasks, &threads] {
        service.emulator.fault_always(Endpoint::Refresh, Fault::Latency(ANSWER));
    }
    let ask_tasks = |callers: usize| expire(&tasks, |start| ask_in_tasks(&runtime, &session, callers, start));
    let ask_threads = |callers: usize| {
        let ask = || threaded.credentials().map(|current| current.to_arc());
        expire(&threads, |start| ask_in_threads(callers, start, ask))
    };
    println!(
        "| expired, the endpoint answers after {} ms | callers | requests | first told, ms | last told, ms: median | worst |",
        ANSWER.as_millis()
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let alone = row("**tasks** (hyper): one alone", 1, || ask_tasks(1));
    let tasks = row("**tasks** (hyper)", TASKS, || ask_tasks(TASKS));
    row("limit: tasks on a `tokio::sync::watch`, told after as long", TASKS, || watch_limit(&runtime));
    let thread_alone = row("**threads** (blocking): one alone", 1, || ask_threads(1));
    let threads = row("**threads** (blocking)", THREADS, || ask_threads(THREADS));
    row("limit: threads on a `Condvar`, told after as long", THREADS, condvar_limit);
    println!();

    aims.note(format!("{TASKS} tasks at expiry: requests"), "", tasks.requests, 1.0);
    aims.note(format!("{TASKS} tasks at expiry: all told"), "ms", tasks.last, alone.last + CROWD);
    aims.note(format!("{THREADS} threads at expiry: requests"), "", threads.requests, 1.0);
    aims.note(format!("{THREADS} threads at expiry: all told"), "ms", threads.last, thread_alone.last + CROWD);
}

/// One row of the table.
struct Row {
    /// The most of any round.
    requests: f64,
    /// Milliseconds, the median.
    last: f64,
}

fn row(who: &str, callers: usize, mut storm: impl FnMut() -> Storm) -> Row {
    let mut storms: Vec<Storm> = (0..ROUNDS).map(|_| storm()).collect();
    let requests = storms.iter().map(|storm| storm.requests).max().unwrap_or_default();
    let failed: usize = storms.iter().map(|storm| storm.failed).sum();
    assert_eq!(failed, 0, "{who}: the emulator answers");
    storms.sort_by_key(|storm| storm.last);
    let (median, worst) = (&storms[storms.len() / 2], &storms[storms.len() - 1]);
    let [first, last, most] = [median.first, median.last, worst.last].map(millis);
    println!("| {who} | {callers} | {requests} | {first:.1} | {last:.1} | {most:.1} |");
    Row { requests: requests as f64, last }
}

/// Lets the tokens run out, and callers ask.
fn expire(service: &Service, ask: impl FnOnce(&dyn Fn()) -> Asked) -> Storm {
    let before = service.requests();
    let asked = ask(&|| service.pass(2 * LIFETIME));
    Storm::of(service.requests() - before, asked.start, &asked.told)
}

struct Asked {
    start: Instant,
    told: Vec<Told>,
}

fn ask_in_tasks(runtime: &Runtime, session: &Session<Navien>, callers: usize, start: &dyn Fn()) -> Asked {
    let began = Instant::now();
    start();
    let asking: Vec<_> = (0..callers)
        .map(|_| {
            let session = session.clone();
            runtime.spawn(async move { Told::now(&session.credentials().await.map(|current| current.to_arc())) })
        })
        .collect();
    let told = runtime.block_on(async {
        let mut told = Vec::with_capacity(callers);
        for task in asking {
            told.push(task.await.expect("a caller panicked"));
        }
        told
    });
    Asked { start: began, told }
}

fn ask_in_threads<T>(callers: usize, start: &dyn Fn(), ask: impl Fn() -> Result<T, Error> + Sync) -> Asked {
    let ready = Barrier::new(callers + 1);
    thread::scope(|scope| {
        let ask = || {
            ready.wait();
            let answer = ask();
            Told::now(&answer)
        };
        let asking: Vec<_> = (0..callers).map(|_| scope.spawn(ask)).collect();
        let began = Instant::now();
        start();
        ready.wait();
        Asked {
            start: began,
            told: asking.into_iter().map(|thread| thread.join().expect("a caller panicked")).collect(),
        }
    })
}

/// The same crowd, waiting for nothing but to be told.
fn watch_limit(runtime: &Runtime) -> Storm {
    let (tell, wait) = tokio::sync::watch::channel(false);
    let start = Instant::now();
    let asking: Vec<_> = (0..TASKS)
        .map(|_| {
            let mut wait = wait.clone();
            runtime.spawn(async move {
                let _ = wait.wait_for(|told| *told).await;
                Told { at: Instant::now(), failed: false }
            })
        })
        .collect();
    let told = runtime.block_on(async {
        tokio::time::sleep(ANSWER.saturating_sub(start.elapsed())).await;
        let _ = tell.send(true);
        let mut told = Vec::with_capacity(TASKS);
        for task in asking {
            told.push(task.await.expect("a caller panicked"));
        }
        told
    });
    Storm::of(0, start, &told)
}

fn condvar_limit() -> Storm {
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let ready = Barrier::new(THREADS + 1);
    thread::scope(|scope| {
        let wait = || {
            ready.wait();
            let told = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
            drop(shared.1.wait_while(told, |told| !*told));
            Told { at: Instant::now(), failed: false }
        };
        let waiting: Vec<_> = (0..THREADS).map(|_| scope.spawn(wait)).collect();
        let start = Instant::now();
        ready.wait();
        thread::sleep(ANSWER);
        *shared.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        shared.1.notify_all();
        let told: Vec<_> = waiting.into_iter().map(|thread| thread.join().expect("a caller panicked")).collect();
        Storm::of(0, start, &told)
    })
}

// ---- Refused

/// How many ask while the service is ill.
const REFUSED: usize = 100;
/// How long it stays ill, in seconds of its clock: pauses have grown to their longest by then.
const OUTAGE: u32 = 30;

fn refused(aims: &mut Aims) {
    println!(
        "| renewal fails | callers | requests | told the error | last told, ms | requests in {OUTAGE} s of outage | well after the service, ms |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let runtime = runtime();
    for (kind, fault) in [("outage, 503", Fault::status(503)), ("outage, 500", Fault::status(500))] {
        let tasks = Service::start();
        let session = runtime.block_on(perennial_hyper::Connector::new().connect(tasks.setup()));
        let session = session.expect("the emulator signs in");
        // With a refresh token alone there is one way to renew, and so one request.
        session.forget_login();
        let outage = Outage { service: &tasks, fault: &fault };
        let name = format!("{kind}, **tasks**");
        outage.pass(
            &name,
            aims,
            |start| ask_in_tasks(&runtime, &session, REFUSED, start),
            || runtime.block_on(session.credentials()).is_ok(),
        );

        let threads = Service::start();
        let session = perennial_blocking::Connector::new().connect(threads.setup()).expect("the emulator signs in");
        session.forget_login();
        let outage = Outage { service: &threads, fault: &fault };
        let name = format!("{kind}, **threads**");
        let ask = || session.credentials().map(|current| current.to_arc());
        outage.pass(&name, aims, |start| ask_in_threads(REFUSED, start, ask), || session.credentials().is_ok());
    }
    println!();
}

struct Outage<'a> {
    service: &'a Service,
    fault: &'a Fault,
}

impl Outage<'_> {
    fn pass(&self, name: &str, aims: &mut Aims, ask: impl Fn(&dyn Fn()) -> Asked, is_well: impl Fn() -> bool) {
        let Self { service, fault } = self;
        service.emulator.fault_always(Endpoint::Refresh, (*fault).clone());
        let storm = expire(service, &ask);
        let before = service.requests();
        for _ in 0..OUTAGE {
            let told = ask(&|| service.pass(Duration::from_secs(1))).told;
            assert!(told.iter().all(|told| told.failed), "{name}: the service is ill");
        }
        let requests = service.requests() - before;
        service.emulator.clear_faults();
        let healed = Instant::now();
        while !is_well() {
            assert!(healed.elapsed() < Duration::from_secs(60), "{name}: never well again");
            thread::sleep(Duration::from_millis(5));
        }
        let well = millis(healed.elapsed());
        let (asked, failed, last) = (storm.requests, storm.failed, millis(storm.last));
        println!("| {name} | {REFUSED} | {asked} | {failed} | {last:.1} | {requests} | {well:.0} |");
        aims.note(format!("{name}: requests of {REFUSED} callers"), "", asked as f64, 1.0);
        aims.note(format!("{name}: callers not told"), "", (REFUSED - failed) as f64, 0.0);
        aims.note(format!("{name}: well after the service"), "ms", well, RECOVERY);
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
