//! How the emulated service behaves where the real one is not known, or differs from broker to broker.

use std::time::Duration;

/// Settings of the Settrade service. Change the fields of the default.
#[derive(Clone, Debug)]
pub struct SettradeSettings {
    /// The one broker that there is: its id in paths. `098` by default, which `SANDBOX` stands for.
    pub broker_id: String,
    /// The one app's code in paths. `ALGO` by default.
    pub app_code: String,
    /// App ids and secrets (base64 of a key of P-256). By default [`APP_ID`](Self::APP_ID) with
    /// [`APP_SECRET`](Self::APP_SECRET).
    pub apps: Vec<(String, String)>,
    /// How long access tokens live: `expires_in`, in whole seconds. 3600 s by default.
    pub access_lifetime: Duration,
    /// How long refresh tokens live. A day by default.
    pub refresh_lifetime: Duration,
    /// How far the timestamp of a login may be from the server's clock. 60 s by default.
    pub timestamp_window: Duration,
    /// How a login is refused whose timestamp is further away than that. With a reason by default.
    pub clock_refusals: ClockRefusals,
    /// What tokens are called. `Bearer` by default.
    pub token_type: String,
    /// Whether a refresh answer leaves `token_type` out. Not by default.
    pub refresh_answer_omits_token_type: bool,
    /// Where the MQTT brokers are: `hosts` of the dispatcher. `127.0.0.1` by default.
    pub hosts: Vec<String>,
}

impl Default for SettradeSettings {
    fn default() -> Self {
        Self {
            broker_id: "098".to_owned(),
            app_code: Self::APP_CODE.to_owned(),
            apps: vec![(Self::APP_ID.to_owned(), Self::APP_SECRET.to_owned())],
            access_lifetime: Duration::from_secs(3600),
            refresh_lifetime: Duration::from_secs(24 * 3600),
            timestamp_window: Duration::from_secs(60),
            clock_refusals: ClockRefusals::Named,
            token_type: "Bearer".to_owned(),
            refresh_answer_omits_token_type: false,
            hosts: vec!["127.0.0.1".to_owned()],
        }
    }
}

impl SettradeSettings {
    /// The default app's id.
    pub const APP_ID: &str = "k4XqVmPyh9Lw1TzC";
    /// The default app's secret.
    pub const APP_SECRET: &str = "QnVsYiBpbiB0aGUgZ3JvdW5kIHRpbGwgc3ByaW5nISE=";
    /// The default app's code.
    pub const APP_CODE: &str = "ALGO";
}

/// How a login with a wrong time is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockRefusals {
    /// 401, and it says why.
    Named,
    /// 401, as for a wrong signature.
    Silent,
}
