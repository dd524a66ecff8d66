//! What people see: a line for each thing that happens, with its time.

use std::io::{IsTerminal, Write, stdout};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use perennial_core::{Error, Event};
use serde_json::{Value, json};

use crate::sentence;
use crate::timeline::Timeline;

#[derive(Clone)]
pub(crate) struct Screen {
    start: Instant,
    json: bool,
    timeline: Arc<Mutex<Timeline>>,
}

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        Self { start: Instant::now(), json, timeline: Arc::default() }
    }

    /// Something that the story says.
    pub(crate) fn say(&self, text: &str) {
        self.line(json!({ "event": "story", "text": text }), text, "\x1b[1m");
    }

    /// Something that the session did.
    pub(crate) fn event(&self, event: &Event) {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner).note(self.elapsed(), event);
        self.line(as_json(event), &format!("    {event}"), "\x1b[2m");
    }

    pub(crate) fn timeline(&self) {
        if !self.json {
            let _ = writeln!(
                stdout(),
                "\n{}",
                self.timeline.lock().unwrap_or_else(PoisonError::into_inner).draw(self.elapsed())
            );
        }
    }

    fn line(&self, mut json: Value, text: &str, style: &str) {
        let seconds = self.elapsed();
        let line = if self.json {
            json["t"] = json!((seconds * 1000.0).round() / 1000.0);
            json.to_string()
        } else if stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
            format!("{seconds:6.2} s  {style}{text}\x1b[0m")
        } else {
            format!("{seconds:6.2} s  {text}")
        };
        // Whoever reads may have gone; that is no reason to stop keeping the session alive.
        let _ = writeln!(stdout(), "{line}");
    }

    fn elapsed(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

fn as_json(event: &Event) -> Value {
    let failure =
        |error: &Error| json!({ "text": sentence(error), "retry_at": error.retry_at().map(|at| at.to_string()) });
    match event {
        Event::RenewalStarted { lease_id, method } => {
            json!({ "event": "renewal_started", "lease": lease_id.to_string(), "method": method })
        }
        Event::Renewed { lease_id, method, generation, expires_at } => json!({
            "event": "renewed",
            "lease": lease_id.to_string(),
            "method": method,
            "generation": generation.get(),
            "expires_at": expires_at.map(|at| at.to_string()),
        }),
        Event::Fallback { lease_id, method, error } => {
            json!({ "event": "fallback", "lease": lease_id.to_string(), "method": method, "error": failure(error) })
        }
        Event::Failed { lease_id, method, error } => {
            json!({ "event": "failed", "lease": lease_id.to_string(), "method": method, "error": failure(error) })
        }
        Event::Exhausted { lease_id, error } => {
            json!({ "event": "exhausted", "lease": lease_id.to_string(), "error": failure(error) })
        }
        Event::Rejected { lease_id, generation } => {
            json!({ "event": "rejected", "lease": lease_id.to_string(), "generation": generation.get() })
        }
        Event::Expired { lease_id } => json!({ "event": "expired", "lease": lease_id.to_string() }),
        Event::SignedOut => json!({ "event": "signed_out" }),
        Event::Revoked { error } => json!({ "event": "revoked", "error": error.as_ref().map(failure) }),
        other => json!({ "event": "other", "text": other.to_string() }),
    }
}
