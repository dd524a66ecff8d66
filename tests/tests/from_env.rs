//! A session from environment variables. They belong to the whole process, so each case runs in a child: this
//! program once more, with only the test that is usually ignored.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::env;
use std::process::{Command, Output};

use perennial_adapter::SessionBuilder;
use perennial_core::LeaseId;
use perennial_core::providers::navien::Navien;
use perennial_emulator::NavienSettings;
use perennial_tests::{Blocking, Hyper, Subject, World, both};

both![a_session_is_made_of_the_environment];

fn a_session_is_made_of_the_environment<S: Subject>() {
    let world = World::new();
    let output = child(&[
        ("ADAPTER", S::NAME),
        ("NAVIEN_BASE_URL", &world.emulator.navien_url()),
        ("NAVIEN_EMAIL", NavienSettings::EMAIL),
        ("NAVIEN_PASSWORD", NavienSettings::PASSWORD),
    ]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(world.emulator.navien().sign_ins(), 1);
}

#[test]
fn half_a_login_is_refused_and_not_repeated() {
    let output = child(&[("NAVIEN_PASSWORD", "hunter2 hunter2")]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("NAVIEN_EMAIL"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

fn child(variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "the_child", "--nocapture"]);
    for name in ["ADAPTER", "NAVIEN_BASE_URL", "NAVIEN_EMAIL", "NAVIEN_PASSWORD"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).output().unwrap()
}

#[test]
#[ignore = "run by the others, with an environment of its own"]
fn the_child() {
    let setup = SessionBuilder::<Navien>::from_env().unwrap();
    match env::var("ADAPTER").as_deref() {
        Ok("hyper") => signs_in::<Hyper>(setup),
        _ => signs_in::<Blocking>(setup),
    }
}

fn signs_in<S: Subject>(setup: SessionBuilder<Navien>) {
    let world = World::new();
    let session = S::connect(world.link(), setup).unwrap();
    assert_eq!(session.credentials(LeaseId::Access).unwrap().account().id, NavienSettings::EMAIL);
}
