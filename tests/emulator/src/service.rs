//! What a service is to the rest of the emulator.

use crate::endpoint::Endpoint;
use crate::message::{Answer, Request};
use std::sync::Arc;

/// One emulated service. Several can live on the same listener: each has its own paths.
pub(crate) trait Service: Send + Sync {
    /// Which endpoint this path is; none if it is not this service's.
    fn endpoint(&self, path: &str) -> Option<Endpoint>;

    /// Performs the request.
    fn answer(&self, endpoint: Endpoint, request: &Request) -> Answer;
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
