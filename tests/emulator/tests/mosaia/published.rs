//! The published Python client of Mosaia judges the emulator.
//!
//! Needs `tests/clients/install.sh` to have run. Where it has not, the test says so and passes, unless
//! `PERENNIAL_REQUIRE_CLIENTS=1` asks for a failure.

use perennial_emulator::Emulator;
use std::env;
use std::path::Path;
use std::process::Command;

#[test]
fn the_published_client_accepts_the_emulator_as_far_as_it_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Written last by the installer: without it the installation is not whole.
    if !root.join("target/clients/mosaia/installed.txt").exists() {
        let missing = "the Python client is not installed (run tests/clients/install.sh)";
        assert!(env::var_os("PERENNIAL_REQUIRE_CLIENTS").is_none_or(|value| value != "1"), "{missing}");
        eprintln!("SKIPPED: mosaia/accept.py: {missing}");
        return;
    }
    let emulator = Emulator::builder().control().start().unwrap();
    let output = Command::new(root.join("target/clients/mosaia/bin/python"))
        .arg(root.join("tests/clients/mosaia/accept.py"))
        .arg(emulator.http_url())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    print!("{said}");
    let mosaia = emulator.mosaia();
    assert!(mosaia.sign_ins() > 0 && mosaia.client_sign_ins() > 0 && mosaia.refreshes() > 0);
    assert!(mosaia.code_exchanges() > 0 && mosaia.oauth_refreshes() > 0 && mosaia.sign_outs() > 0);
    assert!(mosaia.self_calls() > 0 && emulator.trap_requests().is_empty());
}
