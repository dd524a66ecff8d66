//! In the place of TLS where it is not compiled in: https fails before anybody is contacted.

use std::io;

use perennial_core::TransportError;
use tokio::net::TcpStream;

pub(super) struct Tls;

const NO_TLS: &str = "https needs the cargo feature `tls-aws-lc` or `tls-ring` of perennial-hyper";

impl Tls {
    pub(super) fn trusting_mozilla() -> Self {
        Self
    }

    pub(super) fn check(&self) -> Result<(), TransportError> {
        Err(TransportError::not_sent(NO_TLS))
    }

    /// Never a stream: without TLS nothing goes over it.
    pub(super) async fn over(&self, _: TcpStream, _: &str) -> io::Result<TcpStream> {
        Err(io::Error::other(NO_TLS))
    }
}
