//! Nobody waits for ever, one request is one request, and what is read is valid: in whatever order threads run.

#![cfg(shuttle)]

mod crowds;
mod endings;
mod readers;
mod stores;

use std::time::Duration;

use shuttle::thread;

/// Past the end of what the service grants.
const EXPIRY: Duration = Duration::from_secs(7200);

/// Long enough that a token is not fresh any more, and that another attempt may begin.
const A_WHILE: Duration = Duration::from_secs(120);

/// Within the margin of it.
const AT_THE_MARGIN: Duration = Duration::from_secs(3500);

/// Each story with tasks, and again with threads.
macro_rules! both {
    ($($story:ident),* $(,)?) => {
        mod tasks {
            $(#[test] fn $story() {
                perennial_schedules::explore(concat!("tasks: ", stringify!($story)), super::$story::<perennial_schedules::Tasks>);
            })*
        }
        mod threads {
            $(#[test] fn $story() {
                perennial_schedules::explore(concat!("threads: ", stringify!($story)), super::$story::<perennial_schedules::Threads>);
            })*
        }
    };
}
pub(crate) use both;

/// So many threads do the same, and this is what came of it.
fn each<T: Send + 'static>(count: usize, command: impl Fn() -> T + Clone + Send + 'static) -> Vec<T> {
    let threads: Vec<_> = (0..count).map(|_| thread::spawn(command.clone())).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}
