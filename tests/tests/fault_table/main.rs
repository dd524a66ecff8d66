//! The fault table: everything that can go wrong with a request, at sign-in, at a refresh and at the renewal of
//! the AWS credentials, over both adapters.
//!
//!     cargo test -p perennial-tests --test fault_table -- --nocapture
//!
//! prints it. What is right is written down in `expected.rs`; what every cell is checked for beside it, in
//! `cell.rs`.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod cell;
mod expected;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, mpsc};
use std::thread;

use peak_alloc::PeakAlloc;
use perennial_emulator::Fault;
use perennial_tests::{Blocking, Hyper};
use serde_json::json;

use crate::cell::{Operation, Wire, play};
use crate::expected::{TABLE, over_plain_http};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What one exchange may take at most, emulator included, with whatever the service sends.
const MEMORY_CAP: usize = 4 * 1024 * 1024;

/// Most cells wait for a deadline or for the network.
const WORKERS: usize = 12;

const ADAPTERS: [&str; 2] = ["hyper", "blocking"];

/// The rows: every fault that the emulator has, and the odd lifetimes that it does not list.
fn faults() -> Vec<Fault> {
    let field = |field: &str, json| Fault::Lifetime { field: field.to_owned(), json };
    let text = |field: &str, text: &str| Fault::LifetimeText { field: field.to_owned(), text: text.to_owned() };
    let (access, aws) = ("authenticationExpiresIn", "authorizationExpiresIn");
    let mut all = Fault::all();
    for name in [access, aws] {
        all.push(Fault::MissingField(name.to_owned()));
        all.push(field(name, json!(10)));
        all.push(field(name, json!(3600.75)));
        all.push(field(name, json!("NaN")));
        all.push(field(name, json!("soon")));
        all.push(field(name, json!("")));
        all.push(field(name, json!(true)));
        all.push(field(name, json!([3600])));
        all.push(text(name, &"9".repeat(40)));
    }
    all.extend([text(aws, "NaN"), text(aws, "1e400")]);
    all
}

#[test]
fn every_fault_ends_as_it_should_over_tls() {
    check(Wire::Https);
}

#[test]
fn every_fault_ends_as_it_should_over_plain_http() {
    check(Wire::Http);
}

#[test]
fn every_row_is_expected_once() {
    let mut labels: Vec<_> = faults().iter().map(label).collect();
    let mut expected: Vec<_> = TABLE.iter().map(|row| row.fault.to_owned()).collect();
    labels.sort();
    expected.sort();
    assert_eq!(labels, expected);
}

/// One at a time, so that what is measured is the fault's.
#[test]
fn no_fault_makes_a_session_eat_memory() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for fault in [Fault::EndlessHead, Fault::Huge(50_000_000), Fault::DeepJson, Fault::Gzip, Fault::OverlongBody] {
        for operation in Operation::ALL {
            for adapter in ADAPTERS {
                // Once before: runtimes and threads come into being.
                for measured in [false, true] {
                    MEMORY.reset_peak_usage();
                    let base = MEMORY.current_usage();
                    run(&fault, operation, adapter, Wire::Http);
                    let grown = MEMORY.peak_usage().saturating_sub(base);
                    let place = format!("{}, {operation:?}, {adapter}: {grown} bytes", label(&fault));
                    assert!(!measured || grown < MEMORY_CAP, "{place}");
                }
            }
        }
    }
}

/// The tables take all the machine has: one after another.
static ALONE: Mutex<()> = Mutex::new(());

fn check(wire: Wire) {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let table = fill(wire);
    let mut wrong = String::new();
    for (row, cells) in &table {
        let expected = TABLE.iter().find(|expected| expected.fault == row);
        for (place, found) in cells.iter().enumerate() {
            let operation = Operation::ALL[place / ADAPTERS.len()];
            let right = match (expected, wire) {
                (None, _) => vec!["a row in expected.rs"],
                (Some(row), Wire::Https) => vec![row.cells[operation as usize]],
                (Some(row), Wire::Http) => over_plain_http(row, operation as usize),
            };
            if !right.contains(&found.as_str()) {
                let adapter = ADAPTERS[place % ADAPTERS.len()];
                let _ = writeln!(wrong, "{row}, {operation:?}, {adapter}: {found} (right: {right:?})");
            }
        }
    }
    println!("{}", printed(wire, &table));
    assert!(wrong.is_empty(), "{wrong}");
}

type Row = (String, Vec<String>);

/// Plays every cell, some at a time.
fn fill(wire: Wire) -> Vec<Row> {
    let faults = faults();
    let places = Operation::ALL.len() * ADAPTERS.len();
    let jobs: VecDeque<_> = (0..faults.len()).flat_map(|row| (0..places).map(move |place| (row, place))).collect();
    let jobs = Mutex::new(jobs);
    let (done, found) = mpsc::channel();
    let mut table: Vec<Row> = faults.iter().map(|fault| (label(fault), vec![String::new(); places])).collect();
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            let (done, jobs, faults) = (done.clone(), &jobs, &faults);
            scope.spawn(move || {
                loop {
                    let Some((row, place)) = jobs.lock().unwrap().pop_front() else {
                        return;
                    };
                    let (operation, adapter) =
                        (Operation::ALL[place / ADAPTERS.len()], ADAPTERS[place % ADAPTERS.len()]);
                    done.send((row, place, run(&faults[row], operation, adapter, wire))).unwrap();
                }
            });
        }
        drop(done);
        for (row, place, text) in found {
            table[row].1[place] = text;
        }
    });
    table
}

fn run(fault: &Fault, operation: Operation, adapter: &str, wire: Wire) -> String {
    let outcome = match adapter {
        "hyper" => play::<Hyper>(fault, operation, wire),
        _ => play::<Blocking>(fault, operation, wire),
    };
    outcome.unwrap_or_else(|wrong| format!("WRONG: {wrong}"))
}

fn printed(wire: Wire, table: &[Row]) -> String {
    let mut heads = Vec::new();
    for operation in Operation::ALL {
        heads.extend(ADAPTERS.map(|adapter| format!("{operation}, {adapter}")));
    }
    let width = |column: usize| {
        let cells = table.iter().map(|(_, cells)| cells[column].chars().count());
        cells.chain([heads[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..heads.len()).map(width).collect();
    let first = table.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let mut text = format!("\n{wire:?}\n{:first$}", "the service's fault");
    let line = |text: &mut String, cells: &[String]| {
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(text, " | {cell:width$}");
        }
        text.push('\n');
    };
    line(&mut text, &heads);
    for (label, cells) in table {
        let _ = write!(text, "{label:first$}");
        line(&mut text, cells);
    }
    text
}

/// What a row is called.
fn label(fault: &Fault) -> String {
    match fault {
        Fault::Status { code, retry_after: None } => format!("status {code}"),
        Fault::Status { code, retry_after: Some(after) } => format!("status {code}, Retry-After: {after}"),
        Fault::CodeInEnvelope(code) => format!("code {code} under status 200"),
        Fault::Redirect(status) => format!("redirect {status}"),
        Fault::Body { status, .. } => format!("status {status} that says invalid user"),
        Fault::MissingField(name) => format!("no {name}"),
        Fault::Lifetime { field, json } => format!("{field}: {json}"),
        Fault::LifetimeText { field, text } => format!("{field}: {text} (bare)"),
        Fault::Date(date) if date.is_empty() => "no date".to_owned(),
        Fault::Date(date) => format!("date {date}"),
        other => other.name().to_owned(),
    }
}
