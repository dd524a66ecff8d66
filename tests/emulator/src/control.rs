//! `/_control/…`: the knobs over HTTP, for clients in other languages. Never recorded, never faulted.
//!
//! What there is stands in the documentation of [`Builder::control`](crate::Builder::control).

use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::faults::{Fault, Script};
use crate::message::{Request, Response};
use crate::mosaia::MosaiaHandle;
use crate::navien::NavienHandle;
use crate::recording::{Recorded, Recording};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct Control {
    pub(crate) clock: Clock,
    pub(crate) script: Arc<Script>,
    pub(crate) recording: Arc<Recording>,
    pub(crate) trapped: Arc<Recording>,
    pub(crate) mosaia: MosaiaHandle,
    pub(crate) navien: NavienHandle,
}

impl Control {
    /// The answer, if the path is one of ours.
    pub(crate) fn answer(&self, request: &Request) -> Option<Response> {
        let name = request.route().strip_prefix("/_control/")?;
        let result = match request.method.as_str() {
            "GET" => self.tell(name),
            _ => self.command(name, &request.json().unwrap_or(Value::Null)),
        };
        Some(match result {
            Some(value) => Response::json(200, &value),
            None => Response::json(400, &json!({"error": format!("{} {name}: not understood", request.method)})),
        })
    }

    fn tell(&self, name: &str) -> Option<Value> {
        let navien = &self.navien;
        match name {
            "requests" => Some(self.recording.all().iter().map(described).collect()),
            "trap_requests" => Some(self.trapped.all().iter().map(described).collect()),
            "counters" => Some(json!({
                "sign_ins": navien.sign_ins(),
                "refreshes": navien.refreshes(),
                "session_refreshes": navien.session_refreshes(),
                "secured_sign_ins": navien.secured_sign_ins(),
                "device_lists": navien.device_lists(),
                "refused_sign_ins": navien.refused_sign_ins(),
                "refused_refreshes": navien.refused_refreshes(),
                "refused_calls": navien.refused_calls(),
                "reuse_detected": navien.reuse_detected(),
            })),
            "mosaia_counters" => Some(self.mosaia.tell_counters()),
            _ => None,
        }
    }

    fn command(&self, name: &str, body: &Value) -> Option<Value> {
        let seconds = || body.get("seconds");
        let email = || body.get("email")?.as_str();
        let password = || body.get("password")?.as_str();
        let navien = &self.navien;
        match name {
            "advance" => self.clock.advance(Duration::from_secs(seconds()?.as_u64()?)),
            "skew" => self.clock.skew(seconds()?.as_i64()?),
            "revoke_access" => navien.revoke_access(email()?),
            "revoke_refresh" => navien.revoke_refresh(email()?),
            "revoke_session" => navien.revoke_session(email()?),
            "lock" => navien.lock_account(email()?),
            "unlock" => navien.unlock_account(email()?),
            "change_password" => navien.change_password(email()?, password()?),
            "add_account" => navien.add_account(email()?, password()?),
            "settings" => self.settings(body)?,
            "fault" => {
                let endpoint = endpoint(body.get("endpoint")?.as_str()?)?;
                let name = body.get("fault")?.as_str()?;
                let fault = Fault::all().into_iter().find(|fault| fault.name() == name)?;
                self.script.once(endpoint, fault);
            }
            "clear_faults" => self.script.clear(),
            _ => self.mosaia.command(name.strip_prefix("mosaia_")?, body)?,
        }
        Some(json!({"ok": true}))
    }

    /// All of it or nothing: a value that is not understood changes nothing.
    fn settings(&self, body: &Value) -> Option<()> {
        let fields = body.as_object()?;
        let mut settings = None;
        self.navien.configure(|current| settings = Some(current.clone()));
        let mut settings = settings?;
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("access_lifetime", value) => settings.access_lifetime = Duration::from_secs(value.as_u64()?),
                ("aws_lifetime", Value::Null) => settings.aws_lifetime = None,
                ("aws_lifetime", value) => settings.aws_lifetime = Some(Duration::from_secs(value.as_u64()?)),
                ("endpoint_set", Value::String(set)) => settings.endpoint_set = set.parse().ok()?,
                _ => return None,
            }
        }
        self.navien.configure(|current| *current = settings);
        Some(())
    }
}

fn endpoint(name: &str) -> Option<Endpoint> {
    Some(match name {
        "sign_in" => Endpoint::SignIn,
        "refresh" => Endpoint::Refresh,
        "session_refresh" => Endpoint::SessionRefresh,
        "secured_sign_in" => Endpoint::SecuredSignIn,
        "device_list" => Endpoint::DeviceList,
        "any" => Endpoint::Any,
        _ => return None,
    })
}

fn described(recorded: &Recorded) -> Value {
    json!({
        "number": recorded.number,
        "connection": recorded.connection,
        "method": recorded.method,
        "path": recorded.path,
        "headers": recorded.headers,
        "body": String::from_utf8_lossy(&recorded.body),
        "fault": recorded.fault,
        "status": recorded.status,
    })
}
