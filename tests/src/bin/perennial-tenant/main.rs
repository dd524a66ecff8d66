//! A process with sessions in it, for tests: opens the same cells as its neighbours, does what it is told on its
//! standard input, and says what happens on its standard output, one line each. `perennial_tests::tenant` is the
//! other end.

mod cell;
mod looked_over;
mod say;
mod sessions;

use std::io::{self, BufRead};
use std::process::ExitCode;
use std::sync::Arc;

use perennial_tests::tenant::{Order, Orders, Said};

use self::cell::Cell;
use self::say::say;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(orders) = Orders::parse(&arguments) else {
        eprintln!(
            "This program is run by tests. It takes: ADAPTER SERVICE ADDRESS STORE PLACE CELLS MILLISECONDS CLOCK."
        );
        return ExitCode::from(2);
    };
    match obey(&orders) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tenant: {error}");
            ExitCode::FAILURE
        }
    }
}

fn obey(orders: &Orders) -> Result<(), Box<dyn std::error::Error>> {
    let cells: Vec<Arc<Cell>> = sessions::open(orders)?.into_iter().map(Arc::new).collect();
    say(&Said::Ready);
    let mut renewing = Vec::new();
    for line in io::stdin().lock().lines() {
        match Order::parse(&line?) {
            Some(Order::Renew) => {
                for cell in &cells {
                    renewing.push(Cell::begin_renewing(cell)?);
                }
            }
            Some(Order::Stop) => {
                cells.iter().for_each(|cell| cell.stop_renewing());
                for thread in renewing.drain(..) {
                    thread.join().map_err(|_| "a caller panicked")?;
                }
                say(&Said::Stopped);
            }
            Some(Order::Look) => cells.iter().for_each(|cell| cell.look()),
            Some(Order::Show) => cells.iter().try_for_each(Cell::show)?,
            None => return Err("an order that is not understood".into()),
        }
    }
    Ok(())
}
