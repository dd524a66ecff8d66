//! Between connections and services: finds the service, takes the fault, records, answers.

use crate::clock::Clock;
use crate::control::Control;
use crate::deliver::Delivery;
use crate::endpoint::Endpoint;
use crate::faults::Script;
use crate::mangle;
use crate::message::{Request, Response};
use crate::mqtt::{Bridge, MqttAccess};
use crate::recording::Recording;
use crate::server::{After, Handler, Stop};
use crate::service::Service;
use crate::wire::{Incoming, Wire};
use serde_json::json;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What all listeners that serve the services share.
pub(crate) struct Site {
    pub(crate) services: Vec<Arc<dyn Service>>,
    pub(crate) script: Arc<Script>,
    pub(crate) recording: Arc<Recording>,
    pub(crate) clock: Clock,
    pub(crate) trap_url: String,
    pub(crate) control: Option<Control>,
    pub(crate) mqtt: Arc<Bridge>,
    /// The endpoints at which WebSockets to the broker are opened, and who decides there.
    pub(crate) mqtt_access: Vec<(Endpoint, Arc<dyn MqttAccess>)>,
}

impl Handler for Site {
    fn serve(&self, wire: &mut Wire, stop: &Stop) -> After {
        if wire.is_fresh()
            && let Some(fault) = self.script.take_before_reading()
        {
            let delivery = Delivery { wire, stop, date: "", keep_alive: false };
            return delivery.nothing(&fault).unwrap_or(After::Drop);
        }
        match wire.read_request() {
            Incoming::Gone => After::Drop,
            Incoming::Garbage(_) => {
                let answer = Response::new(400, "text/plain", "this is no HTTP request\n");
                let date = self.clock.date();
                let delivery = Delivery { wire, stop, date: &date, keep_alive: false };
                delivery.whole(&answer).unwrap_or(After::Drop)
            }
            Incoming::Request(request) => self.answer(&request, wire, stop),
        }
    }
}

impl Site {
    fn answer(&self, request: &Request, wire: &mut Wire, stop: &Stop) -> After {
        if let Some(control) = &self.control
            && let Some(answer) = control.answer(request)
        {
            let date = self.clock.date();
            let delivery = Delivery { wire, stop, date: &date, keep_alive: request.keep_alive };
            return delivery.whole(&answer).unwrap_or(After::Drop);
        }
        let service = self
            .services
            .iter()
            .find_map(|service| service.endpoint(request.route()).map(|endpoint| (service, endpoint)));
        let endpoint = service.as_ref().map(|(_, endpoint)| *endpoint);
        let fault = self.script.take(endpoint);
        let number = self.recording.add(request, endpoint, fault.as_ref().map(crate::Fault::name));

        let mqtt = self.mqtt_access.iter().find(|(place, _)| Some(*place) == endpoint).map(|(_, access)| &**access);
        let execute = || match (mqtt, service) {
            (Some(access), _) => self.mqtt.open(request, access),
            (None, Some((service, endpoint))) => respond(&**service, endpoint, request),
            (None, None) => not_found(),
        };
        let answer = match &fault {
            None => Some(execute()),
            Some(fault) if fault.executes() => Some(mangle::spoil(fault, execute())),
            Some(fault) => mangle::instead(fault, request, &self.trap_url),
        };
        let sent = answer.as_ref().filter(|_| fault != Some(crate::Fault::LostAnswer));
        self.recording.answered(number, sent.map(|answer| answer.status));

        let date = self.clock.date();
        let delivery = Delivery { wire, stop, date: &date, keep_alive: request.keep_alive };
        let after = match (&fault, &answer) {
            (Some(fault), Some(answer)) => delivery.faulty(fault, answer),
            (Some(fault), None) => delivery.nothing(fault),
            (None, Some(answer)) => delivery.whole(answer),
            (None, None) => Ok(After::Drop),
        };
        match (after.unwrap_or(After::Drop), mqtt, &answer) {
            (After::Next, Some(access), Some(Response { status: 101, .. })) => {
                self.mqtt.carry(wire, &|| access.is_still_admitted(request));
                After::Drop
            }
            (after, ..) => after,
        }
    }
}

/// Whoever waits for an answer gets one, also where the service panics. The panic's message is on stderr by then.
fn respond(service: &dyn Service, endpoint: Endpoint, request: &Request) -> Response {
    // Nothing of the request or the emulator is changed by a service; its own state is its own affair.
    let response = catch_unwind(AssertUnwindSafe(|| service.respond(endpoint, request)));
    response.unwrap_or_else(|_| Response::new(500, "text/plain", "the emulated service panicked\n"))
}

/// The second listener: whatever arrives here should never have been sent.
pub(crate) struct Trap {
    pub(crate) recording: Arc<Recording>,
    pub(crate) clock: Clock,
}

impl Handler for Trap {
    fn serve(&self, wire: &mut Wire, stop: &Stop) -> After {
        let (request, status) = match wire.read_request() {
            Incoming::Gone => return After::Drop,
            Incoming::Garbage(bytes) => (wire.raw_request(bytes), 400),
            Incoming::Request(request) => (request, 200),
        };
        let number = self.recording.add(&request, None, None);
        self.recording.answered(number, Some(status));
        // A friendly answer: a client that came this far has failed already, and should be seen to go on.
        let answer = Response::json(status, &json!({"code": status, "msg": "trap", "data": {}}));
        let date = self.clock.date();
        let delivery = Delivery { wire, stop, date: &date, keep_alive: false };
        delivery.whole(&answer).unwrap_or(After::Drop)
    }
}

fn not_found() -> Response {
    Response::json(404, &json!({"code": 404, "msg": "NOT_FOUND", "data": null}))
}
