//! Counts the instructions of each piece of work, and compares them with `baseline.txt`.
//!
//! ```sh
//! cargo run --profile counts -p perennial-counts            # compare: fails where something takes more
//! cargo run --profile counts -p perennial-counts -- bless   # write the baseline anew
//! ```
//!
//! Unlike time, a count does not depend on how busy a machine is. It does depend on the compiler: another one than
//! the baseline's is only told of. What a piece of work may take beside its limit holds for every compiler.

mod baseline;
mod count;

use std::process::ExitCode;

use perennial_counts::work::WORK;

use self::baseline::Baseline;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => check(),
        ["bless"] => bless(),
        ["run", name, times] => run(name, times),
        _ => Err("usage: perennial-counts [bless]".to_owned()),
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
