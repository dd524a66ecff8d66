//! Tickets from sessions.

use std::sync::Arc;

use perennial_adapter::Clock;
use perennial_core::mqtt::ConnectOptions;
use perennial_core::providers::navien::Navien;
use perennial_core::providers::settrade::Settrade;
use perennial_core::{Error, Generation, LeaseId, ServiceErrorKind};
use perennial_hyper::{Connector, Session, Updates};

use crate::keeper::Tickets;

/// Navien's are made here, of the AWS credentials.
pub(crate) struct NavienTickets {
    provider: Navien,
    session: Session<Navien>,
    clock: Arc<dyn Clock>,
    issues: Updates<Navien>,
    /// The issue that the last ticket was made of.
    shown: Option<Generation>,
}

impl NavienTickets {
    pub(crate) fn new(provider: Navien, session: Session<Navien>, clock: Arc<dyn Clock>) -> Self {
        let issues = session.updates(LeaseId::Aws);
        Self { provider, session, clock, issues, shown: None }
    }
}

impl Tickets for NavienTickets {
    async fn ticket(&mut self) -> Result<ConnectOptions, Error> {
        let credentials = self.session.credentials_for(LeaseId::Aws).await?.to_arc();
        self.shown = Some(credentials.generation(LeaseId::Aws));
        let ticket = self.provider.connect_options(&credentials, self.clock.wall());
        Ok(ticket.expect("credentials for AWS have AWS credentials"))
    }

    async fn renewed(&mut self) -> Result<(), Error> {
        // What is held comes first: it may have been shown already.
        while Some(self.issues.next().await?.generation(LeaseId::Aws)) == self.shown {}
        Ok(())
    }
}

/// Settrade's are fetched.
pub(crate) struct SettradeTickets {
    provider: Settrade,
    session: Session<Settrade>,
    client: Connector,
    issues: Updates<Settrade>,
    shown: Option<Generation>,
}

impl SettradeTickets {
    pub(crate) fn new(provider: Settrade, session: Session<Settrade>, client: Connector) -> Self {
        let issues = session.updates(LeaseId::Access);
        Self { provider, session, client, issues, shown: None }
    }
}

impl Tickets for SettradeTickets {
    async fn ticket(&mut self) -> Result<ConnectOptions, Error> {
        let credentials = self.session.credentials().await?.to_arc();
        self.shown = Some(credentials.generation(LeaseId::Access));
        let fetched = self.client.run(self.provider.mqtt(&credentials)).await;
        if let Err(Error::Service(error)) = &fetched
            && error.kind() == ServiceErrorKind::RefreshRefused
        {
            // The access token is refused: a renewed one is worth a second try.
            self.session.rejected(LeaseId::Access, &credentials);
            let credentials = self.session.credentials().await?.to_arc();
            self.shown = Some(credentials.generation(LeaseId::Access));
            return self.client.run(self.provider.mqtt(&credentials)).await;
        }
        fetched
    }

    async fn renewed(&mut self) -> Result<(), Error> {
        while Some(self.issues.next().await?.generation(LeaseId::Access)) == self.shown {}
        Ok(())
    }
}
