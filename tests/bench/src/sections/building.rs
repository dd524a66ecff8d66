//! Requests, beside `serde_json` writing the same body, and beside the same request put together by hand.

use perennial_bench::measure::Contest;
use perennial_counts::work;

const JSON: &str = "limit: serde_json to_vec, the body alone";
const BY_HAND: &str = "the same, and http::Request by hand";
const OURS: &str = "Perennial: a whole request, wiped";

pub(crate) fn print() {
    let sign_in = Contest::new("a sign-in")
        .enter(JSON, work::sign_in_limit())
        .enter(BY_HAND, work::sign_in_by_hand())
        .enter(OURS, work::sign_in())
        .run();
    println!("{sign_in}");
    let refresh = Contest::new("a refresh")
        .enter(JSON, work::refresh_limit())
        .enter(BY_HAND, work::refresh_by_hand())
        .enter(OURS, work::refresh())
        .run();
    println!("{refresh}");
    for results in [&sign_in, &refresh] {
        println!("aim: at most 1.50 of the limit; it is {:.2}", results.median(OURS) / results.median(JSON));
    }
}
