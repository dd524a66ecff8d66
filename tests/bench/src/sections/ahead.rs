//! Readers while a token is renewed ahead of time.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use perennial_bench::aims::Aims;
use perennial_bench::latency::Histogram;
use perennial_bench::service::{LIFETIME, Service, runtime};
use perennial_core::LeaseId;
use perennial_core::providers::navien::Navien;
use perennial_emulator::{Endpoint, Fault};
use perennial_hyper::{Connector, Session};

/// How long the service takes for an answer.
const ANSWER: Duration = Duration::from_millis(50);
const RENEWALS: u32 = 40;
/// Renewal is due at the latest, and the old token is good for five minutes yet.
const AT_THE_MARGIN: Duration = Duration::from_secs(55 * 60);

pub(crate) fn print() {
    let service = Service::start();
    let runtime = runtime();
    let _inside = runtime.enter();
    let session = runtime.block_on(Connector::new().connect(service.setup())).expect("the emulator signs in");
    service.emulator.fault_always(Endpoint::Refresh, Fault::Latency(ANSWER));
    assert!(AT_THE_MARGIN < LIFETIME);

    let before = service.requests();
    let mut changes = session.updates(LeaseId::Access);
    runtime.block_on(changes.next()).expect("what is held comes first");
    let renewing = read_while(&session, || {
        for _ in 0..RENEWALS {
            service.pass(AT_THE_MARGIN);
            runtime.block_on(changes.next()).expect("the emulator renews");
        }
    });
    let requests = service.requests() - before;
    // As long, and as many wake-ups: only that nothing is renewed.
    let quiet = read_while(&session, || {
        for _ in 0..RENEWALS {
            service.pass(Duration::from_millis(1));
            thread::sleep(ANSWER);
        }
    });

    println!(
        "{RENEWALS} renewals of {} ms, {requests} requests; one task that reads and one that keeps a reader.\n",
        ANSWER.as_millis()
    );
    println!("| a read took less than | while renewing | beside: nothing renewed |\n| ---: | ---: | ---: |");
    let (ours, theirs) = (renewing.times.buckets(), quiet.times.buckets());
    let mut limits: Vec<_> = ours.iter().chain(&theirs).map(|bucket| bucket.below).collect();
    limits.sort_unstable();
    limits.dedup();
    for below in limits {
        let calls = |buckets: &[perennial_bench::latency::Bucket]| {
            buckets.iter().find(|bucket| bucket.below == below).map_or(0, |bucket| bucket.calls)
        };
        println!("| {below:?} | {} | {} |", calls(&ours), calls(&theirs));
    }
    println!("| **longest** | {:?} | {:?} |", renewing.times.longest(), quiet.times.longest());
    println!("| **found nothing valid** | {} | {} |\n", renewing.missed, quiet.missed);

    let mut aims = Aims::default();
    aims.note("requests", "", requests as f64, f64::from(RENEWALS));
    aims.note("reads that found nothing valid", "", renewing.missed as f64, 0.0);
    for share in [0.5, 0.01, 0.0001] {
        let what = format!("all but {} %: within twice the same without a renewal", share * 100.0);
        let nanos = |histogram: &Histogram| histogram.all_but(share).as_nanos() as f64;
        aims.note(what, "ns", nanos(&renewing.times), 2.0 * nanos(&quiet.times));
    }
    let millis = |histogram: &Histogram| histogram.longest().as_secs_f64() * 1e3;
    aims.note("the longest read: no wait for an answer", "ms", millis(&renewing.times), ANSWER.as_secs_f64() * 1e3);
    println!("{aims}");
}

#[derive(Default)]
struct Read {
    times: Histogram,
    missed: u64,
}

/// Reads in two threads as long as something goes on.
fn read_while(session: &Session<Navien>, command: impl FnOnce()) -> Read {
    let done = AtomicBool::new(false);
    let start = Barrier::new(3);
    thread::scope(|scope| {
        let (done, start) = (&done, &start);
        let one = scope.spawn(move || {
            start.wait();
            read_until(done, || session.current(LeaseId::Access).is_some())
        });
        let other = scope.spawn(move || {
            start.wait();
            read_until(done, || session.current(LeaseId::Access).is_some())
        });
        start.wait();
        command();
        done.store(true, Ordering::Relaxed);
        let mut read = one.join().expect("a reader panicked");
        let other = other.join().expect("a reader panicked");
        read.times.add(&other.times);
        read.missed += other.missed;
        read
    })
}

fn read_until(done: &AtomicBool, mut read: impl FnMut() -> bool) -> Read {
    let mut all = Read::default();
    while !done.load(Ordering::Relaxed) {
        let start = Instant::now();
        let found = read();
        all.times.count(start.elapsed());
        all.missed += u64::from(!found);
    }
    all
}
