//! The certified server as a child process, on a free port of loopback.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use perennial_core::Secret;
use perennial_core::oauth2::{ClientAuth, Discovery, Profile};
use serde_json::Value;

use super::adapters::Adapter;
use super::browser::Browser;

/// Ends with the test.
pub struct Server {
    child: Child,
    issuer: String,
}

/// What the server has seen.
#[derive(Debug, PartialEq, Eq)]
pub struct Stats {
    /// Refreshes that it granted.
    pub refreshes: u64,
    /// Refresh tokens that were shown to it a second time.
    pub reuses: u64,
}

impl Server {
    /// `None` where its packages are not installed: said aloud, and an error where they have to be.
    pub fn start() -> Option<Self> {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients/oidc");
        if !place.join("installed.json").exists() {
            // Past the capture of the test harness: a test that did not run says so.
            let said = b"SKIPPED: oidc-provider is not installed; run tests/clients/install.sh\n";
            std::io::stderr().write_all(said).expect("standard error takes it");
            let required = std::env::var_os("PERENNIAL_REQUIRE_CLIENTS").is_some_and(|set| set == "1");
            assert!(!required, "oidc-provider is required and not installed");
            return None;
        }
        let script = include_str!("../../oidc/server.mjs");
        let mut child = Command::new("node")
            .args(["--input-type=module", "--eval", script])
            .current_dir(place)
            // Held open: the server ends when it is closed, however this test ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node is installed");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it was asked for");
        BufReader::new(stdout).read_line(&mut line).expect("the server tells its address");
        let told: Value = serde_json::from_str(&line).expect("the server starts");
        Some(Self { child, issuer: told["issuer"].as_str().expect("an address").to_owned() })
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn stats(&self) -> Stats {
        let stats: Value =
            serde_json::from_str(&Browser::default().get(&format!("{}/stats", self.issuer)).body).unwrap();
        let count = |name: &str| stats[name].as_u64().unwrap();
        Stats { refreshes: count("refreshes"), reuses: count("reuses") }
    }

    /// Whether the server takes this token.
    pub fn is_active(&self, token: &str) -> bool {
        self.introspect(token)["active"] == true
    }

    /// What the server tells a protected resource about a token (RFC 7662).
    pub fn introspect(&self, token: &str) -> Value {
        let fields = [("token", token), ("client_id", "app")];
        let answer = Browser::default().post(&format!("{}/token/introspection", self.issuer), &fields);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// What the server says about itself, for the client without a secret.
    pub fn profile<A: Adapter>(&self) -> Profile {
        self.profile_of::<A>("app", ClientAuth::None)
    }

    /// The same for another client.
    pub fn profile_of<A: Adapter>(&self, client: &str, auth: ClientAuth) -> Profile {
        let metadata = A::run(Discovery::new(&self.issuer).unwrap()).unwrap();
        metadata.profile(client, auth).unwrap()
    }

    /// The secret of both clients that have one.
    pub fn secret() -> Secret {
        Secret::from("p%:&= w+rd")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
