//! The state machine, and an adapter around it. Neither a network nor a thread.

use std::time::{Duration, Instant};

use perennial_bench::measure::Contest;
use perennial_counts::{answers, work};

const WAKE: &str = "a wake-up with nothing to do";
const ROUND: &str = "a renewal: wake, send, answer, sleep";

pub(crate) fn print() {
    let session = Contest::new("one session of core")
        .enter(WAKE, work::wake())
        .enter(ROUND, work::round())
        .enter_timed("of that: from the answer's bytes to new credentials", answered())
        .enter("an adapter's renewal: call to published credentials", work::publishing())
        .run();
    println!("{session}");
    println!(
        "{:.0} wake-ups a second, {:.0} renewals a second",
        1e9 / session.median(WAKE),
        1e9 / session.median(ROUND)
    );
}

/// By a clock of its own: what goes before an answer is not in it.
fn answered() -> impl FnMut(u64) -> Duration {
    let (mut machine, answer) = (work::signed_in(), answers::navien_refresh());
    move |iterations| {
        let answered = (0..iterations).map(|_| {
            let (request, response) = (machine.ask(), answers::response(&answer));
            let start = Instant::now();
            machine.answer(request, response);
            start.elapsed()
        });
        answered.sum()
    }
}
