//! The knobs over HTTP: what [`Builder::control`](crate::Builder::control) offers under `mosaia_…`.

use super::MosaiaHandle;
use super::settings::{Consent, ExpType, ExpUnit, RefreshPaths};
use crate::navien::Refusals;
use serde_json::{Value, json};
use std::time::Duration;

impl MosaiaHandle {
    /// Does what it is told, if it is understood.
    pub(crate) fn command(&self, name: &str, body: &Value) -> Option<()> {
        let owner = || body.get("owner")?.as_str();
        match name {
            "lock" => self.lock_account(owner()?),
            "unlock" => self.unlock_account(owner()?),
            "revoke_access" => self.revoke_access(owner()?),
            "revoke_refresh" => self.revoke_refresh(owner()?),
            "revoke_session" => self.revoke_session(owner()?),
            "settings" => self.settings(body)?,
            _ => return None,
        }
        Some(())
    }

    pub(crate) fn tell_counters(&self) -> Value {
        let counters = self.counters();
        json!({
            "sign_ins": counters.sign_ins,
            "client_sign_ins": counters.client_sign_ins,
            "refreshes": counters.refreshes,
            "codes": counters.codes,
            "code_exchanges": counters.code_exchanges,
            "oauth_refreshes": counters.oauth_refreshes,
            "sign_outs": counters.sign_outs,
            "self_calls": counters.self_calls,
            "reuse_detected": counters.reuse_detected,
        })
    }

    /// All of it or nothing: a value that is not understood changes nothing.
    fn settings(&self, body: &Value) -> Option<()> {
        let mut settings = None;
        self.configure(|current| settings = Some(current.clone()));
        let mut settings = settings?;
        for (name, value) in body.as_object()? {
            match (name.as_str(), value.as_str()) {
                ("access_lifetime", None) => settings.access_lifetime = Duration::from_secs(value.as_u64()?),
                ("exp_unit", Some("seconds")) => settings.exp_unit = ExpUnit::Seconds,
                ("exp_unit", Some("millis")) => settings.exp_unit = ExpUnit::Millis,
                ("exp_type", Some("number")) => settings.exp_type = ExpType::Number,
                ("exp_type", Some("text")) => settings.exp_type = ExpType::Text,
                ("refusals", Some("status")) => settings.refusals = Refusals::Status,
                ("refusals", Some("envelope")) => settings.refusals = Refusals::Envelope,
                ("refresh_paths", Some("both")) => settings.refresh_paths = RefreshPaths::Both,
                ("refresh_paths", Some("versioned")) => settings.refresh_paths = RefreshPaths::Versioned,
                ("refresh_paths", Some("unversioned")) => settings.refresh_paths = RefreshPaths::Unversioned,
                ("consent", Some("given")) => settings.consent = Consent::Given,
                ("consent", Some("denied")) => settings.consent = Consent::Denied,
                _ => return None,
            }
        }
        self.configure(|current| *current = settings);
        Some(())
    }
}
