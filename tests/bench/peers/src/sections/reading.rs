//! A valid token is held, and is asked for again and again.

use std::sync::Barrier;
use std::thread;

use perennial_bench::measure::Contest;

use crate::World;
use crate::endpoint::LONG;
use crate::peer::Peer;
use crate::peers::each_peer;

/// Calls whose allocations are counted.
const COUNTED: u64 = 1_000;

pub(crate) fn print(world: &World) {
    println!("## Reading a valid token\n");
    world.endpoint.grant_for(LONG);
    let mut lines = Vec::new();
    let mut contests = [Contest::new("1 thread"), Contest::new("2 threads")];
    each_peer!(enter(world, &mut contests, &mut lines));
    let [one, two] = contests.map(Contest::run);
    println!("| | ns a call, 1 thread | 2 threads at once | allocations a call |");
    println!("| --- | ---: | ---: | ---: |");
    for Line { name, allocations } in lines {
        println!("| {name} | {:.0} | {:.0} | {allocations} |", one.median(name), two.median(name));
    }
    println!();
    println!("Each thread drives its calls in one future, as a task would. The medians of 15 turns.");
}

struct Line {
    name: &'static str,
    allocations: u64,
}

fn enter<'a, P: Peer>(world: &'a World, contests: &mut [Contest<'a>; 2], lines: &mut Vec<Line>) {
    let peer: P = world.signed_in();
    let runtime = world.runtime.handle();
    for (contest, threads) in contests.iter_mut().zip([1, 2]) {
        let peer = peer.clone();
        let entered = std::mem::replace(contest, Contest::new(""));
        *contest = entered.enter_timed(P::NAME, move |iterations| {
            let start = Barrier::new(threads);
            thread::scope(|scope| {
                let run = || {
                    start.wait();
                    peer.read(runtime, iterations)
                };
                let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
                let times = running.into_iter().map(|thread| thread.join().expect("a reader panicked"));
                times.max().unwrap_or_default()
            })
        });
    }
    // What a reader's start costs is in both.
    let count = |calls| {
        let read = || {
            let _ = peer.read(runtime, calls);
        };
        allocation_counter::measure(read).count_total
    };
    count(COUNTED);
    let allocations = count(2 * COUNTED).saturating_sub(count(COUNTED)) / COUNTED;
    lines.push(Line { name: P::NAME, allocations });
}
