//! The published Python client of the Settrade Open API judges the emulator.
//!
//! Needs `tests/clients/install.sh` to have run. Where it has not, the test says so and passes, unless
//! `PERENNIAL_REQUIRE_CLIENTS=1` asks for a failure.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use perennial_emulator::{Emulator, SettradeSettings};
use std::env;
use std::path::Path;
use std::process::Command;

#[test]
fn the_published_client_of_settrade_accepts_the_emulator() {
    let emulator = Emulator::builder().start().unwrap();
    if !run("accept.py", &emulator) {
        return;
    }
    let settrade = emulator.settrade();
    assert_eq!((settrade.logins(), settrade.refreshes(), settrade.dispatcher_tokens()), (6, 1, 1));
    assert_eq!((settrade.refused_logins(), settrade.refused_clocks(), settrade.refused_refreshes()), (1, 1, 1));
    assert!(emulator.requests().iter().all(|request| request.endpoint.is_some()));
}

/// Runs a script of `tests/clients/settrade`; false if the client is not installed and need not be.
fn run(script: &str, emulator: &Emulator) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let home = root.join("target/clients/settrade");
    // Written last by the installer: without it the installation is not whole.
    if !home.join("installed.txt").exists() {
        let missing = "the Python client is not installed (run tests/clients/install.sh)";
        assert!(env::var_os("PERENNIAL_REQUIRE_CLIENTS").is_none_or(|value| value != "1"), "{missing}");
        eprintln!("SKIPPED: settrade/{script}: {missing}");
        return false;
    }
    let output = Command::new(home.join("bin/python"))
        .arg(root.join("tests/clients/settrade").join(script))
        .args([&emulator.settrade_url(), SettradeSettings::APP_ID, SettradeSettings::APP_SECRET])
        .arg(SettradeSettings::APP_CODE)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{said}\n{complained}");
    print!("{said}");
    true
}
