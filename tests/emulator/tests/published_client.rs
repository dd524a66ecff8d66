//! The published Python client of Navien Smart Control judges the emulator.
//!
//! Needs `tests/clients/install.sh` to have run. Where it has not, the tests say so and pass, unless
//! `PERENNIAL_REQUIRE_CLIENTS=1` asks for a failure.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use perennial_emulator::{Emulator, EndpointSet, NavienSettings};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

#[test]
fn the_published_client_accepts_the_emulator() {
    let emulator = Emulator::builder().control().start().unwrap();
    run("accept.py", &emulator, &[]);
}

#[test]
fn the_published_client_accepts_the_emulator_over_https() {
    let emulator = Emulator::builder().control().https().start().unwrap();
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("emulator-root-{}.pem", std::process::id()));
    fs::write(&root, emulator.root_certificate_pem()).unwrap();
    run("accept.py", &emulator, &[("SSL_CERT_FILE", &root)]);
    fs::remove_file(root).unwrap();
}

#[test]
fn the_published_client_takes_its_course_over_the_old_endpoints() {
    let settings = NavienSettings { endpoint_set: EndpointSet::Old, ..NavienSettings::default() };
    let emulator = Emulator::builder().control().navien(settings).start().unwrap();
    if !run("steps.py", &emulator, &[]) {
        return;
    }
    let requests = emulator.requests();
    let course: Vec<_> = requests.iter().map(|request| (request.route(), request.status.unwrap_or(0))).collect();
    assert_eq!(
        course,
        [
            ("/api/v2.1/user/sign-in", 200),
            ("/api/v2.1/device/list", 200),
            ("/api/v2.1/auth/refresh", 200),
            ("/api/v2.1/device/list", 401),
            ("/api/v2.1/auth/refresh", 200),
            ("/api/v2.1/device/list", 200),
        ]
    );
    for request in requests {
        assert_eq!(request.method, "POST");
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("authorization").is_some(), request.route().ends_with("/device/list"));
    }
}

/// Runs a script of `tests/clients/navien`; false if the client is not installed and need not be.
fn run(script: &str, emulator: &Emulator, environment: &[(&str, &Path)]) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python: PathBuf = root.join("target/clients/navien/bin/python");
    // Written last by the installer: without it the installation is not whole.
    if !root.join("target/clients/navien/installed.txt").exists() {
        let missing = "the Python client is not installed (run tests/clients/install.sh)";
        assert!(env::var_os("PERENNIAL_REQUIRE_CLIENTS").is_none_or(|value| value != "1"), "{missing}");
        eprintln!("SKIPPED: {script}: {missing}");
        return false;
    }
    let output = Command::new(python)
        .arg(root.join("tests/clients/navien").join(script))
        .arg(emulator.url())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{said}\n{complained}");
    print!("{said}");
    true
}
