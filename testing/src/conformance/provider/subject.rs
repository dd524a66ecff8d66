//! What is tested: a provider, a login, and a service that answers.

use std::time::Duration;

use perennial_core::{Now, Provider, Request, Response, Timestamp};

/// When each case begins: 14 November 2023, 22:13:20 UTC.
pub const START: Now = Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(1000));

type Service = dyn FnMut(&Request, Now) -> Response + Send;

/// A provider that is tested, with a login, and a service that answers it as the real one would.
pub struct ProviderUnderTest<P: Provider> {
    pub(crate) provider: P,
    pub(crate) login: P::Login,
    pub(super) service: Box<Service>,
    pub(super) secrets: Vec<String>,
}

impl<P: Provider> ProviderUnderTest<P> {
    /// The service gets each request and the time by the suite's clock, which begins at [`START`]. It knows this login,
    /// and may have a state: it rotates refresh tokens, and refuses one that comes twice, where the real one does.
    pub fn new(provider: P, login: P::Login, service: impl FnMut(&Request, Now) -> Response + Send + 'static) -> Self {
        Self { provider, login, service: Box::new(service), secrets: Vec::new() }
    }

    /// The secrets of the login, as texts that stand in nothing else: the password, the client secret. They are looked
    /// for where no secret may be; the tokens that the service grants are known without this.
    pub fn secrets<S: Into<String>>(mut self, secrets: impl IntoIterator<Item = S>) -> Self {
        self.secrets.extend(secrets.into_iter().map(Into::into));
        self
    }

    /// The provider.
    pub fn provider(&self) -> &P {
        &self.provider
    }

    /// The login.
    pub fn login(&self) -> &P::Login {
        &self.login
    }
}
