//! What the environment says, in a process of its own: many HTTP clients read it, and each for the whole process.

use std::env;
use std::process::Command;

use super::peer::{Act, Script};
use super::rig::{Rig, SIZED, expect_outcome, hello};
#[cfg(feature = "tls")]
use super::tls::Certificate;
use crate::conformance::case::does_not_apply;

/// Set in a process behind a proxy, which runs this case of one test.
const BEHIND: &str = "PERENNIAL_TESTING_BEHIND_A_PROXY";

const NAME: &str = "no_proxy_of_the_environment_is_asked";

/// Whether this process runs the case.
pub(super) fn is_to_run(case: &str) -> bool {
    env::var_os(BEHIND).is_none() || case == NAME
}

pub(super) fn no_proxy_of_the_environment_is_asked(rig: &Rig<'_>) {
    if env::var_os(BEHIND).is_some() {
        return behind_a_proxy(rig);
    }
    let Some(test) = &rig.test else {
        return does_not_apply("nobody knows which test this is: run with more than one thread");
    };
    let proxy = rig.saying(SIZED);
    let mut behind = Command::new(env::current_exe().expect("this program has a path"));
    behind.args([test, "--exact", "--nocapture"]).env(BEHIND, "1").env_remove("REQUEST_METHOD");
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        behind.env(name, proxy.url()).env(name.to_uppercase(), proxy.url());
    }
    for name in ["no_proxy", "NO_PROXY"] {
        behind.env_remove(name);
    }
    let output = behind.output().expect("this program runs");
    let asked = proxy.finish().connections;
    assert_eq!(asked, 0, "so often is the proxy of the environment connected to");
    let said = String::from_utf8_lossy(&output.stdout);
    let ran = output.status.success() && said.contains("1 passed");
    assert!(ran, "behind a proxy, `{test}` fails: {said}{}", String::from_utf8_lossy(&output.stderr));
}

fn behind_a_proxy(rig: &Rig<'_>) {
    let scripts = [
        Script::Plain(Act::Say(SIZED.to_vec())),
        #[cfg(feature = "tls")]
        Script::Tls(Certificate::Good, Act::Say(SIZED.to_vec())),
    ];
    for script in scripts {
        let Some(peer) = rig.peer(&script) else { continue };
        let result = rig.send(rig.request(&peer.url()));
        expect_outcome("behind a proxy", &result, &hello());
        assert_eq!(peer.finish().requests.len(), 1);
    }
}
