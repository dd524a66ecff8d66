//! Counts the instructions of each piece of work, and compares them with `baseline.txt`.
//!
//! ```sh
//! cargo run --profile counts -p perennial-counts            # compare: fails where something takes more
//! cargo run --profile counts -p perennial-counts -- bless   # write the baseline anew
//! cargo run --profile counts -p perennial-counts -- linear  # the parsers alone
//! ```
//!
//! After that every parser of [`linear`](perennial_counts::linear) reads half of what it is given at most, and then all of
//! that: no more than [`MOST_TIMES`] as much work.
//!
//! Unlike time, a count does not depend on how busy a machine is. It does depend on the compiler: another one than
//! the baseline's is only told of. What a piece of work may take beside its limit holds for every compiler.

mod baseline;
mod count;

use std::process::ExitCode;

use perennial_counts::linear::{PARSERS, Parser};
use perennial_counts::work::WORK;

use self::baseline::Baseline;
use self::count::program;

/// How much more work twice as much to read may be: twice, a little for sorting, a little for memory.
const MOST_TIMES: f64 = 2.2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => check().and(linear()),
        ["bless"] => bless(),
        ["linear"] => linear(),
        ["run", name, times] => run(name, times),
        ["read", name, size, times] => read(name, size, times),
        _ => Err("usage: perennial-counts [bless | linear]".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<(), String> {
    let baseline = Baseline::read()?;
    let counted = Baseline::count()?;
    let report = baseline.compare(&counted);
    println!("{report}");
    report.verdict()
}

fn bless() -> Result<(), String> {
    let counted = Baseline::count()?;
    counted.write()?;
    println!("{counted}");
    Ok(())
}

/// What is counted: called by this program itself, under valgrind.
fn run(name: &str, times: &str) -> Result<(), String> {
    let work = WORK.iter().find(|work| work.name == name).ok_or_else(|| format!("there is no work named {name:?}"))?;
    let times: u32 = times.parse().map_err(|_| format!("not a number: {times:?}"))?;
    let mut work = (work.prepare)();
    for _ in 0..times {
        work();
    }
    Ok(())
}

/// Whether each parser's work grows as what it reads.
fn linear() -> Result<(), String> {
    println!("\n| instructions of reading | half of the most | the most | times |\n| --- | ---: | ---: | ---: |");
    let mut broken = Vec::new();
    for Parser { name, cap, .. } in PARSERS {
        let counted = |size: usize| {
            let program = |times: &str| program(&["read", name, &size.to_string(), times]);
            Ok::<_, String>(program("1")?.saturating_sub(program("0")?))
        };
        let (half, whole) = (counted(cap / 2)?, counted(*cap)?);
        #[allow(clippy::cast_precision_loss, reason = "a ratio")]
        let times = whole as f64 / half.max(1) as f64;
        println!("| {name} | {half} | {whole} | {times:.2} |");
        if times > MOST_TIMES || half == 0 {
            broken.push(format!("{name}: {half} instructions for half of it, {whole} for all"));
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(format!("not linear:\n{}", broken.join("\n"))) }
}

/// What is counted there.
fn read(name: &str, size: &str, times: &str) -> Result<(), String> {
    let parser = PARSERS.iter().find(|parser| parser.name == name);
    let parser = parser.ok_or_else(|| format!("there is no parser named {name:?}"))?;
    let number = |text: &str| text.parse().map_err(|_| format!("not a number: {text:?}"));
    let mut read = (parser.prepare)(number(size)?);
    for _ in 0..number(times)? {
        read();
    }
    Ok(())
}
