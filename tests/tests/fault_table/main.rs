//! The fault table: everything that can go wrong with a request, at every way to sign in and to renew that a service
//! has, over both adapters.
//!
//!     cargo test -p perennial-tests --test fault_table -- --nocapture
//!
//! prints it, service by service. What is right is written down in `expected.rs` (Navien) and `others.rs`; what
//! every cell is checked for beside it, in `cell.rs`.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod adapters;
mod cell;
mod expected;
mod others;
mod services;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, mpsc};
use std::thread;

use peak_alloc::PeakAlloc;
use perennial_emulator::Fault;
use serde_json::json;

use crate::adapters::{OverBlocking, OverHyper};
use crate::cell::{Patience, Wire, play};
use crate::expected::{TABLE, over_plain_http};
use crate::services::{Auth0, Mosaia, Navien, OAuth, Operation, Service, Settrade};

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
    check_navien(Wire::Https);
}

#[test]
fn every_fault_ends_as_it_should_over_plain_http() {
    check_navien(Wire::Http);
}

#[test]
fn every_fault_ends_as_it_should_at_mosaia() {
    check_other::<Mosaia>();
}

#[test]
fn every_fault_ends_as_it_should_at_settrade() {
    check_other::<Settrade>();
}

#[test]
fn every_fault_ends_as_it_should_at_each_page_of_auth0() {
    check_other::<Auth0>();
}

#[test]
fn every_fault_ends_as_it_should_at_an_oauth_server() {
    check_other::<OAuth>();
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
        for operation in Navien::OPERATIONS {
            for adapter in ADAPTERS {
                // Once before: runtimes and threads come into being.
                for measured in [false, true] {
                    MEMORY.reset_peak_usage();
                    let base = MEMORY.current_usage();
                    run::<Navien>(&fault, operation, adapter, Wire::Http, Patience::Long);
                    let grown = MEMORY.peak_usage().saturating_sub(base);
                    let place = format!("{}, {}, {adapter}: {grown} bytes", label(&fault), operation.name);
                    assert!(!measured || grown < MEMORY_CAP, "{place}");
                }
            }
        }
    }
}

/// The tables take all the machine has: one after another.
static ALONE: Mutex<()> = Mutex::new(());

fn check_navien(wire: Wire) {
    check::<Navien>(wire, &faults(), &|row, operation| {
        let Some(row) = TABLE.iter().find(|expected| expected.fault == row) else {
            return vec!["a row in expected.rs".to_owned()];
        };
        let right = match wire {
            Wire::Https => vec![row.cells[operation]],
            Wire::Http => over_plain_http(row, operation),
        };
        right.into_iter().map(str::to_owned).collect()
    });
}

fn check_other<S: others::Expected>() {
    check::<S>(Wire::Http, &others::faults::<S>(), &others::right::<S>);
}

/// All that is right for a cell, by row and operation.
type Right<'a> = &'a (dyn Fn(&str, usize) -> Vec<String> + Sync);

fn check<S: Service>(wire: Wire, faults: &[Fault], right: Right<'_>) {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let table = fill::<S>(wire, faults, right);
    let mut wrong = String::new();
    for (row, cells) in &table {
        for (place, found) in cells.iter().enumerate() {
            let right = right(row, place / ADAPTERS.len());
            if !right.contains(found) {
                let adapter = ADAPTERS[place % ADAPTERS.len()];
                let operation = S::OPERATIONS[place / ADAPTERS.len()].name;
                let _ = writeln!(wrong, "{row}, {operation}, {adapter}: {found} (right: {right:?})");
            }
        }
    }
    println!("{}", printed::<S>(wire, &table));
    assert!(wrong.is_empty(), "{wrong}");
}

type Row = (String, Vec<String>);

/// Plays every cell, some at a time.
fn fill<S: Service>(wire: Wire, faults: &[Fault], right: Right<'_>) -> Vec<Row> {
    let places = S::OPERATIONS.len() * ADAPTERS.len();
    let jobs: VecDeque<_> = (0..faults.len()).flat_map(|row| (0..places).map(move |place| (row, place))).collect();
    let jobs = Mutex::new(jobs);
    let (done, found) = mpsc::channel();
    let mut table: Vec<Row> = faults.iter().map(|fault| (label(fault), vec![String::new(); places])).collect();
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            let (done, jobs) = (done.clone(), &jobs);
            scope.spawn(move || {
                loop {
                    let Some((row, place)) = jobs.lock().unwrap().pop_front() else {
                        return;
                    };
                    let operation = place / ADAPTERS.len();
                    let right = right(&label(&faults[row]), operation);
                    let times_out = right.iter().any(|text| text.contains("timed out"));
                    let patience = if times_out { Patience::Short } else { Patience::Long };
                    let operation = &S::OPERATIONS[operation];
                    let text = run::<S>(&faults[row], operation, ADAPTERS[place % ADAPTERS.len()], wire, patience);
                    done.send((row, place, text)).unwrap();
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

fn run<S: Service>(
    fault: &Fault,
    operation: &'static Operation,
    adapter: &str,
    wire: Wire,
    patience: Patience,
) -> String {
    let outcome = match adapter {
        "hyper" => play::<S, OverHyper<S::Provider>>(fault, operation, wire, patience),
        _ => play::<S, OverBlocking<S::Provider>>(fault, operation, wire, patience),
    };
    outcome.unwrap_or_else(|wrong| format!("WRONG: {wrong}"))
}

fn printed<S: Service>(wire: Wire, table: &[Row]) -> String {
    let mut heads = Vec::new();
    for operation in S::OPERATIONS {
        heads.extend(ADAPTERS.map(|adapter| format!("{}, {adapter}", operation.name)));
    }
    let width = |column: usize| {
        let cells = table.iter().map(|(_, cells)| cells[column].chars().count());
        cells.chain([heads[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..heads.len()).map(width).collect();
    let first = table.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let mut text = format!("\n{}, {wire:?}\n{:first$}", S::NAME, "the service's fault");
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
pub(crate) fn label(fault: &Fault) -> String {
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
