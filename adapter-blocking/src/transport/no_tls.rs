//! In the place of TLS where it is not compiled in: https fails before anybody is contacted.

use perennial_core::TransportError;
use ureq::Error;
use ureq::unversioned::transport::{ConnectionDetails, Transport};

#[derive(Clone, Debug)]
pub(super) struct Tls;

const NO_TLS: &str = "https needs the cargo feature `tls-aws-lc` or `tls-ring` of perennial-blocking";

impl Tls {
    pub(super) fn trusting_mozilla() -> Self {
        Self
    }

    pub(super) fn check(&self) -> Result<(), TransportError> {
        Err(TransportError::not_sent(NO_TLS))
    }

    /// Never a connection: without TLS nothing goes over it.
    pub(super) fn over(&self, _: Box<dyn Transport>, _: &ConnectionDetails) -> Result<Box<dyn Transport>, Error> {
        Err(Error::Tls(NO_TLS))
    }
}
