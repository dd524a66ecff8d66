//! A token is renewed while it is valid: does anybody notice?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::millis;
use crate::World;
use crate::endpoint::{LONG, Mood};
use crate::peer::{Call, Peer};
use crate::peers::each_peer;

const CALLERS: usize = 20;
/// What a caller does between two calls.
const PAUSE: Duration = Duration::from_millis(2);
/// How long we look on after the renewal was answered.
const AFTERWARDS: Duration = Duration::from_millis(300);
/// How long an outage lasts that begins before the renewal.
const OUTAGE: Duration = Duration::from_millis(1_500);

pub(crate) fn print(world: &World) {
    println!("## The window ahead of expiry: 20 callers, the old token valid all along\n");
    println!(
        "| | renewal granted: longest wait, ms | median, µs | renewal gets 503 for {} s: longest wait, ms | calls given an error |",
        OUTAGE.as_secs_f32()
    );
    println!("| --- | ---: | ---: | ---: | ---: |");
    each_peer!(row(world));
    println!();
    println!("An answer of the endpoint takes 50 ms. A wait that was not over at the end counts as far as it got.");
}

fn row<P: Peer>(world: &World) {
    world.runtime.block_on(async {
        let granted = look::<P>(world, Mood::Grants).await;
        let outage = look::<P>(world, Mood::Ails).await;
        let [granted, outage] = match (granted, outage) {
            (Some(granted), Some(outage)) => [
                format!("{} | {:.1}", millis(granted.longest), granted.median.as_secs_f64() * 1e6),
                format!("{} | {} of {}", millis(outage.longest), outage.denied, outage.calls),
            ],
            _ => ["– | –".into(), "no renewal came | –".into()],
        };
        println!("| {} | {granted} | {outage} |", P::NAME);
    });
}

/// What callers saw.
struct Seen {
    longest: Duration,
    median: Duration,
    denied: usize,
    calls: usize,
}

/// Callers who ask on and on, from before the renewal until after it. `None` where none came.
async fn look<P: Peer>(world: &World, mood: Mood) -> Option<Seen> {
    let endpoint = &world.endpoint;
    endpoint.grant_for(P::IN_WINDOW);
    let granted_at = Instant::now();
    let peer = P::sign_in(endpoint).await;
    endpoint.grant_for(LONG);
    endpoint.feel(mood);
    endpoint.count_anew();

    let over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (peer, over) = (peer.clone(), Arc::clone(&over));
        callers.spawn(async move { call_on_and_on(&peer, &over).await });
    }
    // The token's end comes after all of this, for every peer.
    let latest = granted_at + P::IN_WINDOW - Duration::from_millis(200);
    let began = wait(latest.min(Instant::now() + P::WINDOW_OPENS_WITHIN), || endpoint.requests() > 0).await;
    if mood == Mood::Grants {
        wait(latest, || endpoint.answered() > 0).await;
        sleep(AFTERWARDS).await;
    } else {
        sleep_until(latest.min(Instant::now() + OUTAGE).into()).await;
    }
    let ended = Instant::now();
    over.store(true, Relaxed);
    endpoint.feel(Mood::Grants);
    let mut calls = Vec::new();
    while let Some(mine) = callers.join_next().await {
        calls.extend(mine.expect("a caller panicked"));
    }
    // What went on longer than we looked is cut off there, and what it came to is none of ours.
    let denied = calls.iter().filter(|call| !call.served && call.to < ended).count();
    let mut waits: Vec<_> = calls.iter().map(|call| call.to.min(ended).saturating_duration_since(call.from)).collect();
    waits.sort_unstable();
    began.then(|| Seen {
        longest: waits.last().copied().unwrap_or_default(),
        median: waits.get(waits.len() / 2).copied().unwrap_or_default(),
        denied,
        calls: waits.len(),
    })
}

async fn call_on_and_on<P: Peer>(peer: &P, over: &AtomicBool) -> Vec<Call> {
    let mut calls = Vec::with_capacity(8192);
    while !over.load(Relaxed) {
        calls.push(peer.call().await);
        sleep(PAUSE).await;
    }
    calls
}

/// Waits for something, and says whether it came.
async fn wait(until: Instant, came: impl Fn() -> bool) -> bool {
    while !came() {
        if Instant::now() >= until {
            return false;
        }
        sleep(Duration::from_millis(1)).await;
    }
    true
}
