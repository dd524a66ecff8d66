//! Takes the README's Rust apart, so that `tests/readme.rs` can run it: each block that has a name behind its language
//! becomes one expression in a file of that name.

use std::path::Path;
use std::{env, error, fs};

/// What a test looks at when a block has run: variables of the block, by its name.
const SHOWN: [(&str, &str); 7] = [
    ("service", "(answer, options)"),
    ("threads", "(session, again)"),
    ("file", "session"),
    ("tool", "credentials"),
    ("redis", "session"),
    ("once", "grant"),
    ("plain", "(profile, connector)"),
];

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../README.md");
    let readme = fs::read_to_string("../README.md")?;
    let directory = env::var("OUT_DIR")?;
    for (name, shown) in SHOWN {
        let (_, block) = readme.split_once(&format!("\n```rust {name}\n")).ok_or(format!("README: no block {name}"))?;
        let (block, _) = block.split_once("\n```\n").ok_or(format!("README: no end of {name}"))?;
        fs::write(Path::new(&directory).join(format!("readme-{name}.rs")), format!("{{\n{block}\n{shown}\n}}\n"))?;
    }
    Ok(())
}
