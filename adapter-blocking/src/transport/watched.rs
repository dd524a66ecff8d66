//! ureq's connection, watched: it tells when the first byte of a request leaves, and when an answer ends torn or not
//! at all.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport};

use super::tls::Tls;

/// Connects as ureq does. Name look-up, TCP and TLS happen before, and `sent` stays unset through all of them.
#[derive(Debug)]
pub(super) struct WatchedConnector {
    tls: Tls,
    sent: Arc<AtomicBool>,
    most: usize,
}

impl WatchedConnector {
    /// `most` is how many bytes of an answer are read, its head and all that frames its body included.
    pub(super) fn new(tls: Tls, sent: Arc<AtomicBool>, most: usize) -> Self {
        Self { tls, sent, most }
    }
}

impl Connector for WatchedConnector {
    type Out = Watched;

    fn connect(&self, details: &ConnectionDetails, chained: Option<()>) -> Result<Option<Watched>, Error> {
        let Some(socket) = TcpConnector::default().connect(details, chained)? else { return Ok(None) };
        let inner = if details.needs_tls() { self.tls.over(Box::new(socket), details)? } else { Box::new(socket) };
        Ok(Some(Watched { inner, sent: Arc::clone(&self.sent), left: self.most }))
    }
}

fn is_hang_up(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
}

#[derive(Debug)]
pub(super) struct Watched {
    inner: Box<dyn Transport>,
    sent: Arc<AtomicBool>,
    /// How many bytes may still come.
    left: usize,
}

impl Transport for Watched {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.sent.store(true, Ordering::Relaxed);
        match self.inner.transmit_output(amount, timeout) {
            // A peer that hung up takes no more, and may have answered before: reading tells.
            Err(Error::Io(error)) if is_hang_up(error.kind()) => Ok(()),
            outcome => outcome,
        }
    }

    /// ureq takes a reset, and the end of a TLS connection without its farewell, for the end of a body that has no
    /// length. Both are how a cut looks, so they are errors here, of a kind that it passes on.
    ///
    /// What it throws away has no end of its own: trailers, for one. So bytes are counted here.
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let held = self.inner.buffers().input().len();
        let has_come = self.inner.await_input(timeout).map_err(|error| match error {
            Error::Io(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
                ) =>
            {
                Error::Other(Box::new(error))
            }
            error => error,
        })?;
        let come = self.inner.buffers().input().len().saturating_sub(held);
        match self.left.checked_sub(come) {
            Some(left) => self.left = left,
            None => return Err(Error::Other("the answer has no end".into())),
        }
        Ok(has_come)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
