//! Opening the sessions that the orders name.

use std::error::Error as StdError;
use std::sync::Arc;

use perennial_adapter::{Clock, SessionBuilder, SystemClock};
use perennial_core::oauth2::{ClientAuth, Discovery};
use perennial_core::providers::navien::Navien;
use perennial_core::providers::oauth2::OAuth2;
use perennial_core::{Credentials, Error, LeaseId, Now, Provider};
use perennial_tests::tenant::{AdapterName, ClockName, Orders, Service};
use tokio::runtime::{Builder, Runtime};

use crate::cell::{Cell, Keeping, listener};
use crate::looked_over::{LookedOver, Nudge};

type Failure = Box<dyn StdError>;

/// One session for each cell.
pub(crate) fn open(orders: &Orders) -> Result<Vec<Cell>, Failure> {
    match &orders.service {
        Service::OAuth2(issuer) => {
            let metadata = perennial_blocking::Connector::new().run(Discovery::new(issuer)?)?;
            let provider = OAuth2::new(metadata.profile("app", ClientAuth::None)?);
            open_with(orders, || SessionBuilder::new(provider.clone()))
        }
        Service::Navien(url) => {
            let provider = Navien::new(url)?;
            open_with(orders, || SessionBuilder::new(provider.clone()).login(perennial_tests::login()))
        }
    }
}

fn open_with<P: Provider>(orders: &Orders, setup: impl Fn() -> SessionBuilder<P>) -> Result<Vec<Cell>, Failure> {
    let runtime = match orders.adapter {
        AdapterName::Hyper => Some(Arc::new(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)),
        AdapterName::Blocking => None,
    };
    let open = |number| {
        let nudge = Nudge::default();
        let store = LookedOver::new(number, orders.store.cell(number)?, nudge.clone());
        let setup = setup().store(store).request_timeout(orders.request_timeout).on_event(listener(number));
        let setup = match orders.clock {
            ClockName::System => setup,
            ClockName::Library => setup.clock(Library),
        };
        let session: Box<dyn Keeping> = match &runtime {
            Some(runtime) => {
                let _inside = runtime.enter();
                let handle = perennial_hyper::Connector::new().build(setup)?;
                Box::new(OnRuntime { handle, runtime: Arc::clone(runtime) })
            }
            None => Box::new(perennial_blocking::Connector::new().build(setup)?),
        };
        // Taken up from the store, or signed in.
        session.credentials()?;
        Ok(Cell::new(number, session, nudge))
    };
    (0..orders.cells).map(open).collect()
}

/// The system's clocks, of which readers take the exact one.
struct Library;

impl Clock for Library {
    fn now(&self) -> Now {
        SystemClock.now()
    }
}

struct OnRuntime<P: Provider> {
    handle: perennial_hyper::Session<P>,
    runtime: Arc<Runtime>,
}

impl<P: Provider> Keeping for OnRuntime<P> {
    fn credentials(&self) -> Result<Arc<Credentials>, Error> {
        self.runtime.block_on(self.handle.credentials()).map(|current| current.to_arc())
    }

    fn renew(&self) -> Result<Arc<Credentials>, Error> {
        self.runtime.block_on(self.handle.renew(LeaseId::Access)).map(|current| current.to_arc())
    }
}

impl<P: Provider> Keeping for perennial_blocking::Session<P> {
    fn credentials(&self) -> Result<Arc<Credentials>, Error> {
        self.credentials().map(|current| current.to_arc())
    }

    fn renew(&self) -> Result<Arc<Credentials>, Error> {
        self.renew(LeaseId::Access).map(|current| current.to_arc())
    }
}
