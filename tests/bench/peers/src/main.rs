//! Prints what other libraries that keep credentials cost, beside Perennial in the same run:
//! `cargo run --release --manifest-path tests/bench/peers/Cargo.toml`, or some sections of it by name.
//!
//! Everybody speaks to one token endpoint on loopback, which takes 50 ms for an answer. How each peer was hooked up
//! to it stands at the top of its file in `peers/`; settings are each peer's own defaults unless that says otherwise.

mod endpoint;
mod lock;
mod peer;
mod peers;
mod post;
mod sections;

use std::io;

use tokio::runtime::{Builder, Runtime};

use crate::endpoint::Endpoint;
use crate::peer::Peer;
use crate::sections::{ahead, reading, refused, storm};

/// What the sections need.
struct World {
    runtime: Runtime,
    endpoint: Endpoint,
}

impl World {
    /// The runtime of the callers has as many workers as there are cores, and a thread for each of 500 blocking callers.
    fn new() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().enable_all().max_blocking_threads(storm::THREADS).build()?;
        Ok(Self { runtime, endpoint: Endpoint::start()? })
    }

    /// A peer that holds a token, which lasts as long as the endpoint says now.
    fn signed_in<P: Peer>(&self) -> P {
        self.runtime.block_on(P::sign_in(&self.endpoint))
    }
}

/// One part of the report.
struct Section {
    name: &'static str,
    print: fn(&World),
}

/// The sections, in the order in which they are printed.
const SECTIONS: &[Section] = &[
    Section { name: "reading", print: reading::print },
    Section { name: "storm", print: storm::print },
    Section { name: "refused", print: refused::print },
    Section { name: "ahead", print: ahead::print },
];

fn main() -> io::Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| !SECTIONS.iter().any(|section| section.name == *name)) {
        let names: Vec<_> = SECTIONS.iter().map(|section| section.name).collect();
        eprintln!("there is no section {unknown}; there are: {}", names.join(", "));
        std::process::exit(2);
    }
    peers::prepare();
    let world = World::new()?;
    println!("{}\n", peers::versions());
    for section in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|name| name == section.name) {
            (section.print)(&world);
            println!();
        }
    }
    Ok(())
}
