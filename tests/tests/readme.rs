//! The README's Rust, as it stands there, at the emulated service. `build.rs` takes it out of the file.
//!
//! The programs of the README take account and address from the environment, which belongs to the whole process: each
//! block runs in a child, this program once more with only the test that is usually ignored.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![allow(clippy::let_and_return, reason = "the README's blocks are as they stand there")]

#[path = "../../adapter-redis/tests/server/mod.rs"]
mod redis;

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::{env, fs};

use http::HeaderMap;
use perennial_adapter::{Clock, SystemClock};
use perennial_core::mqtt::ConnectOptions;
use perennial_core::providers::navien::Navien;
use perennial_core::{Call, Credentials, FromEnv, Provider};
use perennial_emulator::{Builder, Emulator, Endpoint, Fault, NavienSettings};

use crate::redis::{RedisServer, own_directory};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A block of the README, as one expression.
macro_rules! readme {
    ($name:literal) => {
        include!(concat!(env!("OUT_DIR"), "/readme-", $name, ".rs"))
    };
}

#[test]
fn every_block_of_rust_is_run_here() {
    let readme = include_str!("../../README.md");
    let blocks = readme.lines().filter_map(|line| line.strip_prefix("```rust"));
    // One without a name, or with another, is neither compiled nor run by anybody.
    assert_eq!(blocks.collect::<Vec<_>>(), [" service", " threads", " file", " tool", " redis", " once", " plain"]);
}

#[test]
fn a_host_in_the_clear_is_named_to_the_profile_and_to_the_connector() -> Outcome {
    let (profile, _connector) = readme!("plain");
    assert!(format!("{profile:?}").contains("keycloak"));
    Ok(())
}

// -- The blocks, each in a process of its own.

#[test]
#[ignore = "run by the others, with an environment of its own"]
fn a_block_in_another_test() -> Outcome {
    match env::var("PERENNIAL_TEST_BLOCK").unwrap().as_str() {
        "service" => tokio::runtime::Runtime::new()?.block_on(service()),
        "threads" => threads(),
        "file" => is_right(&*file()?),
        "tool" => is_right(&*tool()?),
        "redis" => is_right(&*tokio::runtime::Runtime::new()?.block_on(over_redis())?),
        "once" => once(),
        block => panic!("{block} is no block"),
    }
}

async fn service() -> Outcome {
    let query = format!("{{\"offset\":0,\"count\":20,\"userId\":\"{}\"}}", NavienSettings::EMAIL);
    let send = async |request: &http::Request<String>| call(request.headers());
    let (answer, options) = readme!("service");
    assert_eq!(answer.status(), 200);
    assert_eq!(open_mqtt(&options.unwrap())?, 101);
    Ok(())
}

fn threads() -> Outcome {
    let (session, again) = readme!("threads");
    is_right(&*again.credentials()?)?;
    assert_eq!(again.credentials()?.access().expose(), session.credentials()?.access().expose());
    Ok(())
}

fn file() -> Outcome<perennial_adapter::CredentialsRef> {
    let session = readme!("file");
    Ok(session.credentials()?)
}

fn tool() -> Outcome<perennial_adapter::CredentialsRef> {
    Ok(readme!("tool"))
}

async fn over_redis() -> Outcome<perennial_adapter::CredentialsRef> {
    let session = readme!("redis");
    Ok(session.credentials().await?)
}

fn once() -> Outcome {
    let (navien, login) = Navien::from_env(&|name| env::var(name).ok())?;
    let login = login.ok_or("no login")?;
    let grant = readme!("once");
    let mut headers = HeaderMap::new();
    headers.insert("authorization", grant.access.ok_or("no token")?.expose().parse()?);
    assert_eq!(call(&headers)?.status(), 200);
    Ok(())
}

/// The service takes these.
fn is_right(credentials: &Credentials) -> Outcome {
    let mut headers = HeaderMap::new();
    let (uri, now) = (http::Uri::default(), SystemClock.wall());
    Navien::default().authorize(&Call::new(&http::Method::POST, &uri, now), credentials, &mut headers);
    assert_eq!(call(&headers)?.status(), 200);
    Ok(())
}

/// A call of the service's API.
fn call(headers: &HeaderMap) -> io::Result<http::Response<()>> {
    let authorization = headers["authorization"].to_str().map_err(io::Error::other)?;
    let body = format!("{{\"offset\":0,\"count\":20,\"userId\":\"{}\"}}", NavienSettings::EMAIL);
    let answer = ask(&format!(
        "POST /api/v2.1/device/list HTTP/1.1\r\nHost: emulator\r\nConnection: close\r\nAuthorization: {authorization}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))?;
    Ok(http::Response::builder().status(answer).body(()).unwrap())
}

/// Opens the connection that these options describe, at the emulator, whichever host they name.
fn open_mqtt(options: &ConnectOptions) -> io::Result<u16> {
    let (host, target) = options.url.expose().strip_prefix("wss://").unwrap().split_once('/').unwrap();
    ask(&format!(
        "GET /{target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: {}\r\n\r\n",
        options.subprotocol
    ))
}

/// The status of the emulator's answer.
fn ask(request: &str) -> io::Result<u16> {
    let url = env::var("NAVIEN_BASE_URL").map_err(io::Error::other)?;
    let address = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap();
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(request.as_bytes())?;
    let mut head = [0; 12];
    socket.read_exact(&mut head)?;
    std::str::from_utf8(&head).map_err(io::Error::other)?.split(' ').nth(1).unwrap().parse().map_err(io::Error::other)
}

// -- What is right for each.

#[test]
fn a_service_calls_the_api_and_connects_to_mqtt_at_once() {
    // Whoever comes this far has been let in; what is behind is none of the README's.
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::with(Emulator::builder().mqtt_broker(broker.local_addr().unwrap()));
    place.runs("service", &[]);
    let navien = place.emulator.navien();
    assert_eq!((navien.sign_ins(), place.emulator.requests_to(Endpoint::DeviceList).len()), (1, 1));
    // Nothing had to be renewed for it.
    assert_eq!((navien.refreshes(), navien.session_refreshes(), place.emulator.mqtt().opened()), (0, 0, 1));
}

#[test]
fn a_service_whose_call_is_refused_renews_once() {
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::with(Emulator::builder().mqtt_broker(broker.local_addr().unwrap()));
    place.emulator.fault(Endpoint::DeviceList, Fault::status(401));
    place.runs("service", &[]);
    let navien = place.emulator.navien();
    assert_eq!((navien.sign_ins(), navien.refreshes(), place.emulator.mqtt().opened()), (1, 1, 1));
    assert_eq!(place.emulator.requests_to(Endpoint::DeviceList).len(), 2);
}

#[test]
fn a_threaded_program_signs_in_once_and_goes_on_with_what_it_saved() {
    let place = Place::with(Emulator::builder());
    let said = place.runs("threads", &[]);
    assert!(said.contains("signed in as Perennial Grower"), "{said}");
    assert_eq!(place.emulator.navien().sign_ins(), 1);
}

#[test]
fn a_program_with_a_file_signs_in_the_first_time_then_never() {
    let place = Place::with(Emulator::builder());
    let state = own_directory("perennial-readme");
    for _ in 0..3 {
        place.runs("file", &[("XDG_STATE_HOME", state.to_str().unwrap())]);
    }
    assert_eq!(place.emulator.navien().sign_ins(), 1);
    let file = fs::metadata(state.join("heater-control/greenhouse.session")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    fs::remove_dir_all(state).unwrap();
}

#[test]
fn a_tool_leaves_its_session_for_the_next_run_and_nothing_else() {
    let place = Place::with(Emulator::builder());
    let state = own_directory("perennial-readme-tool");
    for _ in 0..3 {
        place.runs("tool", &[("XDG_STATE_HOME", state.to_str().unwrap())]);
    }
    assert_eq!((place.emulator.navien().sign_ins(), place.emulator.navien().refreshes()), (1, 0));
    let files = fs::read_dir(state.join("heater-control")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = files.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["greenhouse.session", "greenhouse.session.lock"]);
    fs::remove_dir_all(state).unwrap();
}

#[test]
fn programs_on_one_redis_sign_in_once() {
    let Some(server) = RedisServer::for_test(&["--requirepass", "PASSWORD"]) else { return };
    let place = Place::with(Emulator::builder());
    let url = server.url().replace("redis://", "redis://:PASSWORD@");
    for _ in 0..3 {
        place.runs("redis", &[("REDIS_URL", &url)]);
    }
    assert_eq!(place.emulator.navien().sign_ins(), 1);
}

#[test]
fn one_exchange_and_the_next_need_no_session() {
    let place = Place::with(Emulator::builder());
    place.runs("once", &[]);
    let navien = place.emulator.navien();
    assert_eq!((navien.sign_ins(), navien.refreshes(), place.emulator.requests().len()), (1, 1, 3));
}

/// The service, for children to run at.
struct Place {
    emulator: Emulator,
}

impl Place {
    fn with(builder: Builder) -> Self {
        Self { emulator: builder.start().unwrap() }
    }

    /// Runs a block; what it says.
    fn runs(&self, block: &str, more: &[(&str, &str)]) -> String {
        let Output { status, stdout, stderr } = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "a_block_in_another_test", "--nocapture"])
            .env("PERENNIAL_TEST_BLOCK", block)
            .env("NAVIEN_BASE_URL", self.emulator.navien_url())
            .env("NAVIEN_EMAIL", NavienSettings::EMAIL)
            .env("NAVIEN_PASSWORD", NavienSettings::PASSWORD)
            .envs(more.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        assert!(status.success(), "{block}: {said}");
        said
    }
}
