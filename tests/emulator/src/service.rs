//! What a service is to the rest of the emulator: a request in, a response out.

use crate::endpoint::Endpoint;
use crate::message::{Request, Response};
use std::sync::Arc;

/// An emulated service: the four that this crate has, and yours.
///
/// [`Builder::service`](crate::Builder::service) puts one on the listener. Around it work the faults, the recording of
/// requests, TLS and the orderly end of all connections, as around the built-in services. A service that wants to know
/// the time keeps a clone of the [`Clock`](crate::Clock) that is given to
/// [`Builder::clock`](crate::Builder::clock).
///
/// One stands in full on the [crate page](crate#a-service-of-your-own).
pub trait Service: Send + Sync + 'static {
    /// Which endpoint this path (without its query) is; `None` if this service has no such path. By the endpoint, faults
    /// are scripted and recordings found. Yours is an [`Endpoint::Custom`] with a name that you choose.
    fn endpoint(&self, path: &str) -> Option<Endpoint>;

    /// Performs a request to this endpoint, which [`endpoint`](Service::endpoint) gave for its path.
    ///
    /// It is called from a thread for each connection, several at a time. A panic in it is answered with a status of
    /// 500.
    fn respond(&self, endpoint: Endpoint, request: &Request) -> Response;
}

/// So that a test can keep a handle to its service while the emulator serves it.
impl<S: Service + ?Sized> Service for Arc<S> {
    fn endpoint(&self, path: &str) -> Option<Endpoint> {
        (**self).endpoint(path)
    }

    fn respond(&self, endpoint: Endpoint, request: &Request) -> Response {
        (**self).respond(endpoint, request)
    }
}

/// Which endpoint a path belongs to. From [`Emulator::paths`](crate::Emulator::paths).
#[derive(Clone)]
pub struct Paths(pub(crate) Vec<Arc<dyn Service>>);

impl Paths {
    /// The endpoint at this path, without its query; none if no service has it.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> Option<Endpoint> {
        self.0.iter().find_map(|service| service.endpoint(path))
    }
}
