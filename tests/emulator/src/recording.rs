//! What was asked, in order, and what was answered.

use crate::endpoint::Endpoint;
use crate::message::{self, Request, Shown};
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One request as it arrived. For assertions its fields hold passwords and tokens in the clear; `Debug` shows none of
/// them, so that a test that fails does not print them into a log.
#[derive(Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// Place in the order of arrival over all connections, from 1.
    pub number: usize,
    /// Which connection it came on, from 1. Two requests with the same number shared a connection.
    pub connection: usize,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The method; empty if what came was not HTTP (then `body` holds the bytes).
    pub method: String,
    /// The request target: path and query.
    pub path: String,
    /// Header names as sent, and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
    /// The endpoint that the path belongs to, if any.
    pub endpoint: Option<Endpoint>,
    /// The fault that was played, by its [`name`](crate::Fault::name).
    pub fault: Option<&'static str>,
    /// The status of the answer; none if there was no answer (or none yet).
    pub status: Option<u16>,
}

impl Recorded {
    /// The first header of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        message::header(&self.headers, name)
    }

    /// The body as JSON, if it is JSON.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The path without the query.
    #[must_use]
    pub fn route(&self) -> &str {
        message::route(&self.path)
    }

    /// In words: the fault's name, the status, or both.
    #[must_use]
    pub fn answered(&self) -> String {
        match (self.fault, self.status) {
            (Some(fault), Some(status)) => format!("{fault} ({status})"),
            (Some(fault), None) => fault.to_owned(),
            (None, Some(status)) => status.to_string(),
            (None, None) => "nothing".to_owned(),
        }
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded")
            .field("number", &self.number)
            .field("connection", &self.connection)
            .field("method", &self.method)
            .field("path", &Shown::path(&self.path))
            .field("headers", &Shown::headers(&self.headers))
            .field("body", &Shown::body(&self.body))
            .field("endpoint", &self.endpoint)
            .field("answered", &self.answered())
            .finish_non_exhaustive()
    }
}

/// The list, and who waits for it to change.
#[derive(Default)]
pub(crate) struct Recording {
    list: Mutex<Vec<Recorded>>,
    changed: Condvar,
}

impl Recording {
    /// Adds a request; what was answered is filled in by [`Recording::answered`].
    pub(crate) fn add(&self, request: &Request, endpoint: Option<Endpoint>, fault: Option<&'static str>) -> usize {
        let mut list = self.lock();
        let number = list.len() + 1;
        list.push(Recorded {
            number,
            connection: request.connection,
            tls: request.tls,
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            endpoint,
            fault,
            status: None,
        });
        drop(list);
        self.changed.notify_all();
        number
    }

    /// Notes the status, before the answer leaves: whoever has the answer also finds it here.
    pub(crate) fn answered(&self, number: usize, status: Option<u16>) {
        let mut list = self.lock();
        if let Some(recorded) = list.iter_mut().find(|recorded| recorded.number == number) {
            recorded.status = status;
        }
        drop(list);
        self.changed.notify_all();
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.lock().clone()
    }

    /// Waits for the condition; false if the time ran out first.
    pub(crate) fn wait_until(&self, timeout: Duration, condition: &dyn Fn(&[Recorded]) -> bool) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let mut list = self.lock();
        while !condition(&list) {
            let left = deadline.map_or(timeout, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            (list, _) = self.changed.wait_timeout(list, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
