//! A year of one account: the report on stderr, the drawing on stdout.
//!
//! ```sh
//! cargo run --release -p perennial-simulation --example year -- 26 > year.svg
//! ```
#![allow(clippy::disallowed_methods, reason = "a program with a command line")]

use perennial_simulation::year::{self, Year};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seed = std::env::args().nth(1).map_or(Ok(26), |text| text.parse())?;
    let year = Year::of(seed);
    eprintln!("{}", year::run(&year)?);
    print!("{}", year::draw(&year)?);
    Ok(())
}
