//! What the small programs have in common that a test starts one after another: its words, and a clock that is ahead.

use std::env;
use std::time::Duration;

use perennial_adapter::{Clock, SystemClock};
use perennial_core::{Now, Policy, Timestamp};

/// The file and the policy, as the first two words of the command line say.
pub fn arguments() -> Result<(String, Policy), String> {
    let mut words = env::args().skip(1);
    let usage = || "This program is run by tests. It takes: FILE ahead|lazy|one-shot.".to_owned();
    let (file, policy) = words.next().zip(words.next()).ok_or_else(usage)?;
    let policy = match policy.as_str() {
        "ahead" => Policy::default(),
        "lazy" => Policy::default().on_demand(),
        "one-shot" => Policy::default().one_shot(),
        _ => return Err(usage()),
    };
    Ok((file, policy))
}

/// The system's clocks, so much later: a test lets hours pass between one program and the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Later(pub Duration);

impl Later {
    /// Where [`from_env`](Self::from_env) finds the milliseconds.
    pub const VARIABLE: &str = "PERENNIAL_LATER";

    /// As the test says that started this program; not later at all where nobody says so.
    pub fn from_env() -> Self {
        let millis = env::var(Self::VARIABLE).ok().and_then(|said| said.parse().ok());
        Self(Duration::from_millis(millis.unwrap_or_default()))
    }
}

impl Clock for Later {
    fn now(&self) -> Now {
        let now = SystemClock.now();
        Now { wall: now.wall.saturating_add(self.0), ..now }
    }

    fn wall(&self) -> Timestamp {
        SystemClock.wall().saturating_add(self.0)
    }
}
