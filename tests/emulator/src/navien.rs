//! Navien Smart Control: sign-in, refresh, AWS credentials, and one API call to try a token on.
//!
//! What the real service answers is known for the calls that go well; see the settings for what had to be
//! chosen.

mod handle;
mod settings;
mod state;

pub use handle::NavienHandle;
pub use settings::{EndpointSet, NavienSettings, Refusals};

use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::message::{Request, Response};
use crate::mqtt::{MqttAccess, MqttRefusal, Presigned};
use crate::service::Service;
use serde_json::{Value, json};
use state::{Counters, Refused, State};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What all paths begin with.
pub(crate) const BASE: &str = "/api/v2.1";

/// The service: its state behind one lock, so that requests are performed one after the other.
pub(crate) struct Navien {
    state: Mutex<State>,
}

impl Navien {
    pub(crate) fn new(settings: NavienSettings, clock: Clock) -> Self {
        Self { state: Mutex::new(State::new(settings, clock)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Navien {
    fn endpoint(&self, route: &str) -> Option<Endpoint> {
        // The broker is a host of its own, without the base.
        if route == "/mqtt" {
            return Some(Endpoint::Mqtt);
        }
        match route.strip_prefix(BASE)? {
            "/user/sign-in" => Some(Endpoint::SignIn),
            "/auth/refresh" => Some(Endpoint::Refresh),
            "/auth/session/refresh" => Some(Endpoint::SessionRefresh),
            "/user/secured-sign-in" => Some(Endpoint::SecuredSignIn),
            "/device/list" => Some(Endpoint::DeviceList),
            _ => None,
        }
    }

    fn respond(&self, endpoint: Endpoint, request: &Request) -> Response {
        let mut state = self.lock();
        let newer = matches!(endpoint, Endpoint::SessionRefresh | Endpoint::SecuredSignIn);
        if newer && state.settings.endpoint_set == EndpointSet::Old {
            return failure(404, "NOT_FOUND");
        }
        if request.method != "POST" {
            return failure(405, "METHOD_NOT_ALLOWED");
        }
        let Some(body) = request.json() else {
            return failure(400, "BAD_REQUEST");
        };
        let result = match endpoint {
            Endpoint::SignIn => sign_in(&mut state, &body),
            Endpoint::Refresh => refresh(&mut state, &body),
            Endpoint::SessionRefresh => session_refresh(&mut state, request, &body),
            Endpoint::SecuredSignIn => secured_sign_in(&mut state, request, &body),
            Endpoint::DeviceList => device_list(&mut state, request, &body),
            _ => Err(Refused::new(404, "NOT_FOUND")),
        };
        match result {
            Ok(data) => Response::json(200, &json!({"code": 200, "msg": "SUCCESS", "data": data})),
            Err(refused) => refuse(state.settings.refusals, &refused),
        }
    }
}

impl MqttAccess for Navien {
    fn admit(&self, request: &Request) -> Result<(), MqttRefusal> {
        let signed = Presigned::read(&request.path).ok_or(MqttRefusal::Query)?;
        self.lock().admit(&signed, request.header("host").unwrap_or_default())
    }

    fn is_still_admitted(&self, request: &Request) -> bool {
        Presigned::read(&request.path).is_some_and(|signed| self.lock().is_aws_live(&signed.access_key_id))
    }
}

fn sign_in(state: &mut State, body: &Value) -> Result<Value, Refused> {
    let (Some(email), Some(password)) = (text(body, "userId"), text(body, "password")) else {
        return Err(Refused::new(400, "BAD_REQUEST"));
    };
    let account = state.check_password(email, password)?;
    state.counters.sign_ins += 1;
    let session = state.ledger.open_session(email);
    let jwts = state.issue_jwts(session, true);
    let aws = state.issue_aws(session);
    Ok(json!({"userInfo": account, "legal": state.settings.legal, "token": merged(jwts, aws)}))
}

fn refresh(state: &mut State, body: &Value) -> Result<Value, Refused> {
    let token = text(body, "refreshToken").ok_or(Refused::new(400, "BAD_REQUEST"))?;
    let session = state.take_refresh(token)?;
    state.counters.refreshes += 1;
    let rotate = state.rotates();
    let mut data = state.issue_jwts(session, rotate);
    if !rotate && !state.settings.refresh_answer_omits_refresh_token {
        data["refreshToken"] = json!(token);
    }
    if state.settings.refresh_answer_omits_id_token
        && let Some(fields) = data.as_object_mut()
    {
        fields.remove("idToken");
    }
    if state.settings.refresh_answer_with_aws {
        let aws = state.issue_aws(session);
        data = merged(data, aws);
    }
    Ok(data)
}

fn session_refresh(state: &mut State, request: &Request, body: &Value) -> Result<Value, Refused> {
    let session = state.authorized(request.header("authorization"), text(body, "userId"))?;
    state.counters.session_refreshes += 1;
    Ok(state.issue_aws(session))
}

fn secured_sign_in(state: &mut State, request: &Request, body: &Value) -> Result<Value, Refused> {
    let session = state.authorized(request.header("authorization"), text(body, "userId"))?;
    state.counters.secured_sign_ins += 1;
    let account = state.user_info(state.ledger.owner(session));
    let aws = state.issue_aws(session);
    Ok(json!({"userInfo": account, "legal": state.settings.legal, "token": aws}))
}

fn device_list(state: &mut State, request: &Request, body: &Value) -> Result<Value, Refused> {
    state.authorized(request.header("authorization"), text(body, "userId"))?;
    state.counters.device_lists += 1;
    Ok(json!([{
        "deviceInfo": {
            "homeSeq": 25004, "macAddress": "aabbccddeeff", "additionalValue": "5322", "deviceType": 52,
            "deviceName": "NWP500", "connected": 2, "installType": "R"
        },
        "location": {"state": "California", "city": "San Francisco", "address": "1 Market Street",
            "latitude": 37.793, "longitude": -122.395, "altitude": 10.0}
    }]))
}

fn refuse(refusals: Refusals, refused: &Refused) -> Response {
    let envelope = json!({"code": refused.code, "msg": refused.message, "data": null});
    let status = match refusals {
        Refusals::Status => refused.code,
        Refusals::Envelope if refused.is_grant => 200,
        Refusals::Envelope => refused.code,
    };
    Response::json(status, &envelope)
}

fn failure(code: u16, message: &'static str) -> Response {
    refuse(Refusals::Status, &Refused::new(code, message))
}

fn text<'a>(body: &'a Value, field: &str) -> Option<&'a str> {
    body.get(field)?.as_str()
}

fn merged(mut left: Value, right: Value) -> Value {
    if let (Value::Object(left), Value::Object(right)) = (&mut left, right) {
        left.extend(right);
    }
    left
}
