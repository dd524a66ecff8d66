//! From the bytes of an answer to a grant, beside `serde_json` into structs that own their texts.

use perennial_bench::measure::Contest;
use perennial_counts::{answers, work};

const SLICE: &str = "limit: serde_json from_slice, owned";
const TEXT: &str = "from_utf8 once, then serde_json from_str, owned";
const OURS: &str = "Perennial: checked, wiped";

pub(crate) fn print() {
    let title = format!("Navien's answer to a sign-in, {} bytes", answers::NAVIEN_BYTES);
    let navien = Contest::new(title)
        .enter(SLICE, work::navien_limit())
        .enter(TEXT, work::navien_limit_text())
        .enter(OURS, work::navien())
        .run();
    println!("{navien}");
    let oauth = Contest::new(format!("an OAuth answer, {} bytes", answers::oauth().len()))
        .enter(SLICE, work::oauth_limit())
        .enter(TEXT, work::oauth_limit_text())
        .enter(OURS, work::oauth())
        .run();
    println!("{oauth}");
    for results in [&navien, &oauth] {
        println!("aim: at most 1.00 of the limit; it is {:.2}", results.median(OURS) / results.median(SLICE));
    }
}
