//! Tells the program what it was built with: a count is comparable only with counts of the same compiler.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let version = String::from_utf8_lossy(&version);
    let target = env::var("TARGET").unwrap_or_default();
    // `target/<profile>/build/<package>/out`: Cargo tells only which profile it inherits from.
    let out = env::var("OUT_DIR").unwrap_or_default();
    let profile = Path::new(&out).ancestors().nth(3).and_then(Path::file_name).unwrap_or_default();
    println!("cargo:rustc-env=BUILT_WITH={}, {target}", version.trim());
    println!("cargo:rustc-env=BUILT_AS={}", profile.to_string_lossy());
    println!("cargo:rerun-if-changed=build.rs");
}
