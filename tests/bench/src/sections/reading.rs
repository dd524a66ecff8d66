//! Reading a token that has not changed.

use std::hint::black_box;
use std::sync::{Arc, RwLock};
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwap;
use perennial_adapter::SystemClock;
use perennial_bench::aims::Aims;
use perennial_bench::measure::Contest;
use perennial_bench::service::{Service, at_once, runtime};
use perennial_blocking::Connector as BlockingClient;
use perennial_core::LeaseId;
use perennial_hyper::Connector;
use rustix::time::{ClockId, Timespec, clock_gettime};

const GUARD: &str = "limit: `ArcSwap` guard + coarse clock";
const CURRENT: &str = "**Session::current**";
const WAITING: &str = "**Session::credentials**, blocking";
const ASYNC: &str = "**Session::credentials**, in one task";

pub(crate) fn print() {
    let service = Service::start();
    let runtime = runtime();
    let _inside = runtime.enter();
    // By the system's clock, as in earnest.
    let session = runtime.block_on(Connector::new().connect(service.setup().clock(SystemClock)));
    let session = session.expect("the emulator signs in");
    let threaded = BlockingClient::new().connect(service.setup().clock(SystemClock)).expect("the emulator signs in");
    let held = session.current(LeaseId::Access).expect("signed in").to_arc();
    let shared = Arc::new(ArcSwap::new(Arc::clone(&held)));
    let locked = RwLock::new(held);

    let run = |threads: usize| {
        let title = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads at once") };
        Contest::new(title)
            .enter_threads("limit: coarse wall clock alone", threads, || coarse)
            .enter_timed(ASYNC, |iterations| {
                let task = async {
                    let start = Instant::now();
                    for _ in 0..iterations {
                        black_box(session.credentials().await?);
                    }
                    Ok(start.elapsed())
                };
                at_once(task).expect("valid ones are held")
            })
            .enter_threads(WAITING, threads, || || threaded.credentials().ok())
            .enter_threads(GUARD, threads, || || (shared.load(), coarse()))
            .enter_threads(CURRENT, threads, || || session.current(LeaseId::Access))
            .enter_threads("`ArcSwap` guard + `SystemTime::now`", threads, || || (shared.load(), SystemTime::now()))
            .enter_threads("`ArcSwap::load_full`, no clock", threads, || || shared.load_full())
            .enter_threads("`RwLock<Arc>` + `SystemTime::now`", threads, || {
                || (locked.read().map(|held| Arc::clone(&held)).ok(), SystemTime::now())
            })
            .run()
    };
    let (one, two) = (run(1), run(2));
    println!("{one}\n{two}");

    let mut aims = Aims::default();
    for (results, threads) in [(&one, "1 thread"), (&two, "2 threads")] {
        let mut at_most = |name: &str, factor: f64, limit: &str| {
            let what = format!("{name} within {factor} × ({limit}), {threads}");
            aims.note(what, "ns", results.best(name), factor * results.best(limit));
        };
        at_most(CURRENT, 1.0, GUARD);
        at_most(ASYNC, 1.5, GUARD);
        at_most(WAITING, 1.5, GUARD);
    }
    let what = format!("{CURRENT}: 2 threads within 1.1 × 1 thread");
    aims.note(what, "ns", two.best(CURRENT), 1.1 * one.best(CURRENT));
    println!("Fastest runs are compared: on a busy machine they have the least of what others took.\n\n{aims}");
}

fn coarse() -> Timespec {
    clock_gettime(ClockId::RealtimeCoarse)
}
