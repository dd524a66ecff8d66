//! Our requests and those of the published Python client, side by side.
//!
//! Needs `tests/clients/install.sh` to have run. Where it has not, the tests say so and pass, unless
//! `PERENNIAL_REQUIRE_CLIENTS=1` asks for a failure.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use http::HeaderMap;
use perennial_core::providers::navien::{write_python, write_python_local};
use perennial_core::{Event, LeaseId, Secret, Timestamp};
use perennial_emulator::{Emulator, Endpoint, EndpointSet, NavienSettings, Recorded};
use perennial_tests::{LONG, Subject, World, both};
use serde_json::{Value, json};

both![
    the_same_steps_send_the_same_requests,
    what_the_published_client_saved_is_taken_up,
    what_was_written_for_the_published_client_is_loaded_as_it_is,
    the_published_client_goes_on_with_our_session,
];

/// What of a request the service sees: tokens are told apart, but not by their text.
#[derive(Debug, PartialEq)]
struct Seen {
    method: String,
    path: String,
    content_type: Option<String>,
    authorization: Option<String>,
    body: Value,
    status: Option<u16>,
}

fn the_same_steps_send_the_same_requests<S: Subject>() {
    let theirs = World::controlled(|settings| settings.endpoint_set = EndpointSet::Old);
    if !run("steps.py", &[theirs.emulator.url()]) {
        return;
    }
    let ours = World::with(|settings| settings.endpoint_set = EndpointSet::Old);
    take_the_steps::<S>(&ours);
    let (theirs, ours) = (seen(&theirs.emulator), seen(&ours.emulator));
    assert_eq!(theirs.len(), 6);
    assert_eq!(theirs, ours);
}

/// As `steps.py` does it.
fn take_the_steps<S: Subject>(world: &World) {
    let session: S = world.connect();
    assert_eq!(list_devices(world, &session), 200);
    world.pass_seconds(120);
    session.renew(LeaseId::Access).unwrap();
    world.pass_seconds(120);
    world.emulator.navien().revoke_access(NavienSettings::EMAIL);
    let refused = session.credentials(LeaseId::Access).unwrap();
    assert_eq!(list_devices(world, &session), 401);
    session.rejected(LeaseId::Access, &refused);
    assert_eq!(list_devices(world, &session), 200);
}

/// A call of the service's API, as our users make it.
fn list_devices<S: Subject>(world: &World, session: &S) -> u16 {
    let mut headers = HeaderMap::new();
    session.authorize(&mut headers).unwrap();
    let token = headers["authorization"].to_str().unwrap();
    let body = json!({"offset": 0, "count": 20, "userId": NavienSettings::EMAIL}).to_string();
    let host = world.emulator.http_url().replace("http://", "");
    let mut stream = TcpStream::connect(&host).unwrap();
    write!(
        stream,
        "POST /api/v2.1/device/list HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn seen(emulator: &Emulator) -> Vec<Seen> {
    let mut tokens = Vec::new();
    emulator.requests().iter().map(|request| look(request, &mut tokens)).collect()
}

fn look(request: &Recorded, tokens: &mut Vec<String>) -> Seen {
    let mut name = |token: &str| {
        let known = tokens.iter().position(|known| known == token).unwrap_or_else(|| {
            tokens.push(token.to_owned());
            tokens.len() - 1
        });
        format!("token {known}")
    };
    // The form of the value is kept: a `Bearer` in front would show.
    let authorization = request.header("authorization").map(|value| match value.rsplit_once(' ') {
        Some((front, token)) => format!("{front} {}", name(token)),
        None => name(value),
    });
    let mut body = request.json().unwrap();
    if let Some(token) = body.get("refreshToken").and_then(Value::as_str).map(&mut name) {
        body["refreshToken"] = json!(token);
    }
    Seen {
        method: request.method.clone(),
        path: request.path.clone(),
        content_type: request.header("content-type").map(str::to_owned),
        authorization,
        body,
        status: request.status,
    }
}

/// Signs in with the published client and prints what its users write into a file.
const SAVE: &str = "
import asyncio, json, sys
from nwp500.auth import NavienAuthClient

async def save(url):
    async with NavienAuthClient(sys.argv[2], sys.argv[3], base_url=url + '/api/v2.1') as auth:
        print(json.dumps({**auth.current_tokens.to_dict(), 'email': sys.argv[2]}))

asyncio.run(save(sys.argv[1]))
";

fn what_the_published_client_saved_is_taken_up<S: Subject>() {
    let world = World::new();
    let Some(python) = python("the saved file") else { return };
    let output = Command::new(python)
        .args(["-c", SAVE, &world.emulator.url(), NavienSettings::EMAIL, NavienSettings::PASSWORD])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let session: S = world.try_build(world.stranger().import(output.stdout)).unwrap();
    let held = session.credentials(LeaseId::Access).unwrap();
    assert!(world.accepts(LeaseId::Access, &held));
    assert_eq!(held.account().id, NavienSettings::EMAIL);
    // Whatever this machine's time zone is: an hour from now.
    let left = held.time_until_expiry(perennial_adapter::Clock::now(&world.clock)).unwrap();
    assert!((3500..=3600).contains(&left.whole_seconds()), "{left}");
    assert!(world.accepts(LeaseId::Aws, &session.credentials(LeaseId::Aws).unwrap()));

    // Nobody knows how old its AWS credentials are: they are renewed at once, behind who uses them.
    let renewed = |event: &Event| matches!(event, Event::Renewed { lease_id: LeaseId::Aws, method: Some(_), .. });
    assert!(world.heard.wait_until(LONG, |events| events.iter().any(renewed)));
    world.pass_seconds(3700);
    assert!(world.accepts(LeaseId::Access, &session.credentials(LeaseId::Access).unwrap()));
    assert!(world.accepts(LeaseId::Aws, &session.credentials(LeaseId::Aws).unwrap()));
    assert_eq!(world.requests_to(Endpoint::SignIn), 1);
}

fn what_was_written_for_the_published_client_is_loaded_as_it_is<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    // The leases were issued apart, and the client knows of one issue only.
    world.pass_seconds(600);
    let held = session.renew(LeaseId::Access).unwrap();
    let file = write_python(&held);
    let Some(loaded) = accept_saved(&file, &[], "UTC0") else { return };

    let written: Value = serde_json::from_str(file.expose()).unwrap();
    let aws = held.aws().unwrap();
    for (key, value) in [
        ("id_token", held.id_token().unwrap().expose()),
        ("access_token", held.access().expose()),
        ("refresh_token", held.refresh_token().unwrap().expose()),
        ("access_key_id", aws.access_key_id().expose()),
        ("secret_key", aws.secret_access_key().expose()),
        ("session_token", aws.session_token().expose()),
    ] {
        assert!(loaded["tokens"][key] == value, "{key}");
    }
    for key in ["authentication_expires_in", "authorization_expires_in"] {
        assert_eq!(loaded["tokens"][key], written[key]);
    }
    let keys = |form: &Value| form.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let beside = ["email", "aws_credentials_issued_at"];
    let wanted = keys(&written).into_iter().filter(|key| !beside.contains(&key.as_str()));
    assert!(keys(&loaded["tokens"]).into_iter().eq(wanted), "{:?}", keys(&loaded["tokens"]));

    let moment = |value: &Value| Timestamp::parse_iso8601(value.as_str().unwrap()).unwrap();
    assert_eq!(moment(&loaded["tokens"]["issued_at"]), moment(&written["issued_at"]));
    for (key, end) in [("expires_at", held.expires_at()), ("aws_expires_at", held.aws_expires_at())] {
        let early = end.unwrap().since(moment(&loaded[key]));
        assert!((0..1000).contains(&early.whole_milliseconds()), "{key}: {early} early");
    }
}

/// Nine hours east. The published client would take a moment in UTC for one long ago and ask for new tokens, and it
/// cannot compare one with a zone.
fn the_published_client_goes_on_with_our_session<S: Subject>() {
    let world = World::controlled(|settings| settings.endpoint_set = EndpointSet::Old);
    let session: S = world.connect();
    let held = session.credentials(LeaseId::Access).unwrap();
    let file = write_python_local(&held, 9 * 3600);
    let Some(said) = accept_saved(&file, &[world.emulator.url()], "EAST-9") else { return };
    assert_eq!(said["asked"], json!(["/device/list 200"]));
}

/// What `accept_saved.py` says to a file of ours, on a machine in this time zone; none if the client is not there.
fn accept_saved(file: &Secret, arguments: &[String], zone: &str) -> Option<Value> {
    let mut python = Command::new(python("accept_saved.py")?)
        .arg(script("accept_saved.py"))
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("TZ", zone)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(file.expose().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// The Python that has the client; none if it is not installed and need not be.
fn python(what: &str) -> Option<PathBuf> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let other = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let places = [Some(usual), other].into_iter().flatten().map(|target| target.join("clients/navien"));
    // Written last by the installer: without it the installation is not whole.
    let found = places.into_iter().find(|place| place.join("installed.txt").exists());
    if found.is_none() {
        let missing = "the Python client is not installed (run tests/clients/install.sh)";
        let required = env::var_os("PERENNIAL_REQUIRE_CLIENTS").is_some_and(|value| value == "1");
        assert!(!required, "{missing}");
        eprintln!("SKIPPED: {what}: {missing}");
    }
    found.map(|place| place.join("bin/python"))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/navien").join(name)
}

/// Runs a script of `tests/clients/navien`; false if there is nothing to run it with.
fn run(script: &str, arguments: &[String]) -> bool {
    let Some(python) = python(script) else { return false };
    let output = Command::new(python)
        .arg(self::script(script))
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{said}\n{complained}");
    true
}
