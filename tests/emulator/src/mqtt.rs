//! MQTT over WebSocket: what the credentials are for.
//!
//! The services decide who is let in ([`MqttAccess`]). Behind them stands a real broker
//! ([`Builder::mqtt_broker`](crate::Builder::mqtt_broker)), to which the frames are carried.

mod access;
mod mosquitto;
mod pipe;
mod sigv4;

pub(crate) use access::MqttAccess;
pub use access::MqttRefusal;
pub use mosquitto::Mosquitto;
pub(crate) use sigv4::Presigned;

use crate::message::{Request, Response};
use crate::wire::Wire;
use pipe::End;
use serde_json::json;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tungstenite::handshake::derive_accept_key;

/// All MQTT connections of one emulator.
#[derive(Default)]
pub(crate) struct Bridge {
    broker: Option<SocketAddr>,
    ends_with_credentials: AtomicBool,
    /// How often all connections were cut.
    cuts: AtomicUsize,
    opened: AtomicUsize,
    ended: Mutex<Ended>,
    ended_changed: Condvar,
    refusals: Mutex<Vec<MqttRefusal>>,
}

/// How many connections have ended, and how many of them because they were cut.
#[derive(Clone, Copy, Default)]
struct Ended {
    all: usize,
    cut: usize,
}

impl Bridge {
    pub(crate) fn new(broker: Option<SocketAddr>) -> Self {
        Self { broker, ..Self::default() }
    }

    /// Answers the opening request.
    pub(crate) fn open(&self, request: &Request, service: &dyn MqttAccess) -> Response {
        let checked = accept_key(request).and_then(|key| {
            self.broker.ok_or(MqttRefusal::NoBroker)?;
            service.admit(request)?;
            Ok(key)
        });
        match checked {
            Ok(key) => {
                self.opened.fetch_add(1, Ordering::Relaxed);
                Response::new(101, "", "")
                    .with_header("Upgrade", "websocket")
                    .with_header("Connection", "Upgrade")
                    .with_header("Sec-WebSocket-Accept", key)
                    .with_header("Sec-WebSocket-Protocol", "mqtt")
            }
            Err(refusal) => {
                self.refusals.lock().unwrap_or_else(PoisonError::into_inner).push(refusal);
                Response::json(refusal.status(), &json!({"message": format!("{refusal:?}")}))
            }
        }
    }

    /// Carries an opened connection's frames until one side ends it, or it is cut.
    pub(crate) fn carry(&self, wire: &mut Wire, lives: &dyn Fn() -> bool) {
        let cuts = self.cuts.load(Ordering::Relaxed);
        let goes_on = || {
            let cut = self.cuts.load(Ordering::Relaxed) != cuts;
            !cut && (!self.ends_with_credentials.load(Ordering::Relaxed) || lives())
        };
        let broker = self.broker.and_then(|broker| TcpStream::connect(broker).ok());
        let end = broker.map_or(End::Over, |broker| pipe::carry(wire, broker, &goes_on));
        let mut ended = self.ended();
        ended.all += 1;
        ended.cut += usize::from(end == End::Cut);
        self.ended_changed.notify_all();
    }

    fn ended(&self) -> MutexGuard<'_, Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key to answer with (RFC 6455 §4.2.2), if the request opens a WebSocket for MQTT.
fn accept_key(request: &Request) -> Result<String, MqttRefusal> {
    let names = |header, wanted: &str| {
        let list = request.header(header).unwrap_or_default();
        list.split(',').any(|name| name.trim().eq_ignore_ascii_case(wanted))
    };
    let version = request.header("sec-websocket-version") == Some("13");
    let upgrade = names("connection", "upgrade") && names("upgrade", "websocket");
    let key = request.header("sec-websocket-key").filter(|_| request.method == "GET" && version && upgrade);
    let key = key.ok_or(MqttRefusal::NotAWebSocket)?;
    if !names("sec-websocket-protocol", "mqtt") {
        return Err(MqttRefusal::Subprotocol);
    }
    Ok(derive_accept_key(key.as_bytes()))
}

/// Changes and asks the MQTT endpoints of all services while they run. From [`Emulator::mqtt`](crate::Emulator::mqtt).
#[derive(Clone)]
pub struct MqttHandle {
    bridge: Arc<Bridge>,
}

impl MqttHandle {
    pub(crate) fn new(bridge: Arc<Bridge>) -> Self {
        Self { bridge }
    }

    /// Whether a connection is cut when the credentials that opened it are no longer valid. Off by default.
    pub fn end_with_credentials(&self, end: bool) {
        self.bridge.ends_with_credentials.store(end, Ordering::Relaxed);
    }

    /// Cuts every connection that is open now, without closing the WebSocket in order.
    pub fn cut_all(&self) {
        self.bridge.cuts.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections were let in.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.bridge.opened.load(Ordering::Relaxed)
    }

    /// How many connections were cut.
    #[must_use]
    pub fn cut(&self) -> usize {
        self.bridge.ended().cut
    }

    /// Waits until so many connections have ended, by whomever; false if the time is up first.
    #[must_use]
    pub fn wait_for_ended(&self, count: usize, timeout: Duration) -> bool {
        let fewer = |ended: &mut Ended| ended.all < count;
        let waited = self.bridge.ended_changed.wait_timeout_while(self.bridge.ended(), timeout, fewer);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Why connections were not let in, in order.
    #[must_use]
    pub fn refusals(&self) -> Vec<MqttRefusal> {
        self.bridge.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
