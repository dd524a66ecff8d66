//! Settrade Open API: a signed login, refresh, dispatcher tokens for MQTT, and one API call to try a token on.
//!
//! What the real service answers is known for the calls that go well; of refusals only their shape is:
//! `{code, message}`. See the settings for what had to be chosen.

mod handle;
mod settings;
mod state;

pub use handle::SettradeHandle;
pub use settings::{ClockRefusals, SettradeSettings};

use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::message::{Request, Response};
use crate::mqtt::{MqttAccess, MqttRefusal};
use crate::service::Service;
use serde_json::{Value, json};
use state::{Counters, Kind, Refused, State};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The service: its state behind one lock, so that requests are performed one after the other.
pub(crate) struct Settrade {
    state: Mutex<State>,
}

impl Settrade {
    pub(crate) fn new(settings: SettradeSettings, clock: Clock) -> Self {
        Self { state: Mutex::new(State::new(settings, clock)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a path names beside the endpoint.
struct Place<'a> {
    endpoint: Endpoint,
    broker_id: &'a str,
    app_code: Option<&'a str>,
}

fn place(route: &str) -> Option<Place<'_>> {
    let segments: Vec<_> = route.split('/').skip(1).collect();
    let (endpoint, broker_id, app_code) = match segments[..] {
        ["api", "oam", "v1", broker, "broker-apps", app, "login"] => (Endpoint::SettradeLogin, broker, Some(app)),
        ["api", "oam", "v1", broker, "broker-apps", app, "refresh-token"] => {
            (Endpoint::SettradeRefresh, broker, Some(app))
        }
        ["api", "dispatcher", "v3", broker, "token"] => (Endpoint::SettradeDispatcher, broker, None),
        ["api", "dispatcher", "v3", broker, "mqtt"] => (Endpoint::SettradeMqtt, broker, None),
        ["api", "seos", "v3", broker, "accounts", _, "account-info"] => (Endpoint::SettradeApi, broker, None),
        ["sdk-open-api", "sdk-version.json"] => (Endpoint::SettradeVersion, "", None),
        _ => return None,
    };
    Some(Place { endpoint, broker_id, app_code })
}

impl Service for Settrade {
    fn endpoint(&self, route: &str) -> Option<Endpoint> {
        place(route).map(|place| place.endpoint)
    }

    fn respond(&self, endpoint: Endpoint, request: &Request) -> Response {
        let mut state = self.lock();
        let result = match endpoint {
            Endpoint::SettradeVersion => Ok(versions()),
            _ => execute(&mut state, endpoint, request),
        };
        match result {
            Ok(data) => Response::json(200, &data),
            Err(refused) => Response::json(refused.status, &json!({"code": refused.code, "message": refused.message})),
        }
    }
}

impl MqttAccess for Settrade {
    fn admit(&self, request: &Request) -> Result<(), MqttRefusal> {
        let mut state = self.lock();
        let place = place(request.route()).map(|place| state.check_place(place.broker_id, None).is_ok());
        let token = state.typed_token(request.header("authorization")).map(str::to_owned);
        let admitted = token.is_some_and(|token| place == Some(true) && state.admit(&token));
        if admitted { Ok(()) } else { Err(MqttRefusal::Ticket) }
    }

    fn is_still_admitted(&self, request: &Request) -> bool {
        let state = self.lock();
        let token = state.typed_token(request.header("authorization"));
        token.is_some_and(|token| state.ledger.outlives_its_use(&Kind::Dispatcher, token))
    }
}

fn execute(state: &mut State, endpoint: Endpoint, request: &Request) -> Result<Value, Refused> {
    let method = match endpoint {
        Endpoint::SettradeLogin | Endpoint::SettradeRefresh => "POST",
        _ => "GET",
    };
    if request.method != method {
        return Err(Refused::new(405, "API-405", "Method not allowed"));
    }
    let place = place(request.route()).ok_or(Refused::new(404, "API-404", "Not found"))?;
    state.check_place(place.broker_id, place.app_code)?;
    match endpoint {
        Endpoint::SettradeLogin => login(state, &body(request)?),
        Endpoint::SettradeRefresh => refresh(state, &body(request)?),
        Endpoint::SettradeDispatcher => {
            let access_token = state.authorized(request.header("authorization"))?;
            Ok(state.issue_dispatcher_token(&access_token))
        }
        _ => {
            state.authorized(request.header("authorization"))?;
            state.counters.api_calls += 1;
            Ok(json!({"creditLimit": 1_000_000, "lineAvailable": 1_000_000, "cashBalance": 1_000_000}))
        }
    }
}

fn login(state: &mut State, body: &Value) -> Result<Value, Refused> {
    let fields = ["apiKey", "params", "signature", "timestamp"].map(|field| body.get(field).and_then(Value::as_str));
    let [Some(app_id), Some(params), Some(signature), Some(timestamp)] = fields else {
        return Err(Refused::new(400, "OAM-400", "Bad request"));
    };
    let session = state.check_signature(app_id, params, signature, timestamp)?;
    state.counters.logins += 1;
    Ok(state.issue_tokens(session, true))
}

fn refresh(state: &mut State, body: &Value) -> Result<Value, Refused> {
    let fields = ["apiKey", "refreshToken"].map(|field| body.get(field).and_then(Value::as_str));
    let [Some(app_id), Some(token)] = fields else {
        return Err(Refused::new(400, "OAM-400", "Bad request"));
    };
    let session = state.take_refresh(app_id, token)?;
    state.counters.refreshes += 1;
    let with_type = !state.settings.refresh_answer_omits_token_type;
    Ok(state.issue_tokens(session, with_type))
}

fn body(request: &Request) -> Result<Value, Refused> {
    request.json().ok_or(Refused::new(400, "OAM-400", "Bad request"))
}

/// The published client asks, before anything else, whether it is new enough.
fn versions() -> Value {
    let version = |platform: &str, os: &str| json!({"key": {"platform": platform, "os": os}, "currentVersion": "2.2.1", "minimumVersion": "2.0.0"});
    json!([version("python_x64", "linux_amd64"), version("python_x64", "darwin_amd64")])
}
