//! The services, and what their sessions do when a fault strikes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_adapter::{Clock, ManualClock};
use perennial_core::oauth2::{AuthorizationRequest, Profile, ScopeSeparator};
use perennial_core::providers::auth0::{self, Auth0 as Auth0Provider};
use perennial_core::providers::mosaia::{self, Mosaia as MosaiaProvider};
use perennial_core::providers::navien::Navien as NavienProvider;
use perennial_core::providers::oauth2::OAuth2;
use perennial_core::providers::settrade::{self, Settrade as SettradeProvider};
use perennial_core::wire::Body;
use perennial_core::{Credentials, Error, Exchange, LeaseId, Now, Provider, Request, Response, ServiceError, Step};
use perennial_emulator::{
    Auth0Settings, Builder, Emulator, Endpoint, MosaiaSettings, NavienSettings, SettradeSettings,
};
use perennial_tests::{Heard, Link, Secrets};

use crate::adapters::Side;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a session is doing when the fault strikes.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) lease_id: LeaseId,
    pub(crate) endpoint: Endpoint,
    /// The method that does it when nothing goes wrong.
    pub(crate) method: &'static str,
    pub(crate) session: Before,
    /// How long the leases live.
    pub(crate) access: Duration,
    pub(crate) aws: Option<Duration>,
}

/// What there is before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    SignedIn,
}

const fn sign_in(name: &'static str, endpoint: Endpoint, access: Duration) -> Operation {
    Operation {
        name,
        lease_id: LeaseId::Access,
        endpoint,
        method: "sign-in",
        session: Before::Nothing,
        access,
        aws: None,
    }
}

const fn refresh(endpoint: Endpoint) -> Operation {
    let session = Before::SignedIn;
    Operation {
        name: "refresh",
        lease_id: LeaseId::Access,
        endpoint,
        method: "refresh",
        session,
        access: HOUR,
        aws: None,
    }
}

/// A service, its clock, and what was heard of its sessions.
pub(crate) struct Place {
    pub(crate) emulator: Emulator,
    pub(crate) clock: ManualClock,
    pub(crate) heard: Heard,
    /// Which requests have little time.
    pub(crate) hurried: Arc<Mutex<Hurried>>,
}

/// Requests that are to run into their deadline. All others have all the time they need: no cell hangs on how fast a
/// busy machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hurried {
    None,
    To(Endpoint),
    All,
}

/// The deadline of those.
const HURRY: Duration = Duration::from_millis(300);

impl Place {
    pub(crate) fn link(&self) -> Link {
        let (paths, hurried) = (self.emulator.paths(), Arc::clone(&self.hurried));
        let before = move |request: &mut Request| {
            let hurries = match *hurried.lock().unwrap() {
                Hurried::None => false,
                Hurried::To(endpoint) => paths.endpoint(request.http.uri().path()) == Some(endpoint),
                Hurried::All => true,
            };
            if hurries {
                request.timeout = HURRY;
            }
        };
        Link { root: self.emulator.root_certificate().to_vec(), before: Arc::new(before) }
    }

    pub(crate) fn hurry(&self, hurried: Hurried) {
        *self.hurried.lock().unwrap() = hurried;
    }

    /// The service first: whoever wakes up finds it as late as it is.
    pub(crate) fn pass(&self, time: Duration) {
        self.emulator.advance(time);
        self.clock.advance(time);
    }

    pub(crate) fn requests(&self) -> usize {
        self.emulator.requests().len()
    }
}

pub(crate) trait Service: 'static {
    type Provider: Provider;
    const NAME: &'static str;
    const OPERATIONS: &'static [Operation];
    /// Whether it tells lifetimes by their end, in whole seconds.
    const ROUNDS: bool = false;

    fn emulated(builder: Builder, operation: &Operation) -> Builder;
    fn provider(emulator: &Emulator, timeout: Duration) -> Self::Provider;

    /// What signs in by itself; `None` where a person has to.
    fn login() -> Option<<Self::Provider as Provider>::Login>;

    /// A new sign-in, for a session that has nothing left.
    fn sign_in<H: Side<Self::Provider>>(_place: &Place, session: &H) -> Result<Arc<Credentials>, Error> {
        session.sign_in(Self::login().unwrap())
    }

    /// Whether the service takes these credentials.
    fn accepts(emulator: &Emulator, lease_id: LeaseId, credentials: &Credentials) -> bool;

    /// Secrets that no credentials here have shown yet.
    fn secrets(emulator: &Emulator, secrets: &mut Secrets);
}

pub(crate) enum Navien {}
pub(crate) enum Mosaia {}
pub(crate) enum Settrade {}
pub(crate) enum Auth0 {}
pub(crate) enum OAuth {}

impl Service for Navien {
    type Provider = NavienProvider;
    const NAME: &'static str = "Navien";
    // One lease ends at a time.
    const OPERATIONS: &'static [Operation] = &[
        Operation { aws: Some(HOUR), ..sign_in("sign-in", Endpoint::SignIn, HOUR) },
        Operation { aws: Some(DAY), ..refresh(Endpoint::Refresh) },
        Operation {
            name: "AWS renewal",
            lease_id: LeaseId::Aws,
            method: "session refresh",
            access: DAY,
            aws: Some(HOUR),
            ..refresh(Endpoint::SessionRefresh)
        },
    ];

    fn emulated(builder: Builder, operation: &Operation) -> Builder {
        builder.navien(NavienSettings {
            access_lifetime: operation.access,
            aws_lifetime: operation.aws,
            ..NavienSettings::default()
        })
    }

    fn provider(emulator: &Emulator, _timeout: Duration) -> NavienProvider {
        NavienProvider::new(&emulator.navien_url()).unwrap()
    }

    fn login() -> Option<<NavienProvider as Provider>::Login> {
        Some(perennial_tests::login())
    }

    fn accepts(emulator: &Emulator, lease_id: LeaseId, credentials: &Credentials) -> bool {
        let navien = emulator.navien();
        match (lease_id, credentials.aws()) {
            (LeaseId::Access, _) => navien.is_access_valid(credentials.access().expose()),
            (LeaseId::Aws, None) => false,
            (LeaseId::Aws, Some(aws)) => navien.is_aws_valid(
                aws.access_key_id().expose(),
                aws.secret_access_key().expose(),
                aws.session_token().expose(),
            ),
        }
    }

    fn secrets(emulator: &Emulator, secrets: &mut Secrets) {
        secrets.add(NavienSettings::PASSWORD);
        let navien = emulator.navien();
        let newest = [navien.newest_access(NavienSettings::EMAIL), navien.newest_refresh(NavienSettings::EMAIL)];
        newest.iter().flatten().for_each(|token| secrets.add(token));
    }
}

impl Service for Mosaia {
    type Provider = MosaiaProvider;
    const NAME: &'static str = "Mosaia";
    const ROUNDS: bool = true;
    const OPERATIONS: &'static [Operation] =
        &[sign_in("sign-in", Endpoint::MosaiaSignIn, HOUR), refresh(Endpoint::MosaiaSignIn)];

    fn emulated(builder: Builder, operation: &Operation) -> Builder {
        builder.mosaia(MosaiaSettings { access_lifetime: operation.access, ..MosaiaSettings::default() })
    }

    fn provider(emulator: &Emulator, _timeout: Duration) -> MosaiaProvider {
        let url = emulator.mosaia_url();
        MosaiaProvider::builder().api_url(&url).app_url(&url).client_id(MosaiaSettings::CLIENT_ID).build().unwrap()
    }

    fn login() -> Option<mosaia::Login> {
        mosaia::Login::password(MosaiaSettings::EMAIL, MosaiaSettings::PASSWORD).ok()
    }

    fn accepts(emulator: &Emulator, _need: LeaseId, credentials: &Credentials) -> bool {
        emulator.mosaia().is_access_valid(credentials.access().expose())
    }

    fn secrets(emulator: &Emulator, secrets: &mut Secrets) {
        secrets.add(MosaiaSettings::PASSWORD);
        let mosaia = emulator.mosaia();
        let newest = [mosaia.newest_access(MosaiaSettings::EMAIL), mosaia.newest_refresh(MosaiaSettings::EMAIL)];
        newest.iter().flatten().for_each(|token| secrets.add(token));
    }
}

impl Service for Settrade {
    type Provider = SettradeProvider;
    const NAME: &'static str = "Settrade";
    const OPERATIONS: &'static [Operation] =
        &[sign_in("login", Endpoint::SettradeLogin, HOUR), refresh(Endpoint::SettradeRefresh)];

    fn emulated(builder: Builder, operation: &Operation) -> Builder {
        builder.settrade(SettradeSettings { access_lifetime: operation.access, ..SettradeSettings::default() })
    }

    fn provider(emulator: &Emulator, _timeout: Duration) -> SettradeProvider {
        let settrade = SettradeProvider::new(settrade::SANDBOX, SettradeSettings::APP_CODE).unwrap();
        settrade.with_base_url(&emulator.settrade_url()).unwrap()
    }

    fn login() -> Option<settrade::Login> {
        settrade::Login::new(SettradeSettings::APP_ID, SettradeSettings::APP_SECRET).ok()
    }

    fn accepts(emulator: &Emulator, _need: LeaseId, credentials: &Credentials) -> bool {
        emulator.settrade().is_access_valid(credentials.access().expose())
    }

    fn secrets(_emulator: &Emulator, secrets: &mut Secrets) {
        secrets.add(SettradeSettings::APP_SECRET);
    }
}

impl Service for Auth0 {
    type Provider = Auth0Provider;
    const NAME: &'static str = "Auth0";
    const ROUNDS: bool = true;
    const OPERATIONS: &'static [Operation] = &[
        sign_in("first page", Endpoint::Auth0LoginPage, DAY),
        sign_in("second page", Endpoint::Auth0PasswordPage, DAY),
        sign_in("login", Endpoint::Auth0Submit, DAY),
        sign_in("way back", Endpoint::Auth0Resume, DAY),
        sign_in("landing", Endpoint::Auth0Landing, DAY),
    ];

    fn emulated(builder: Builder, operation: &Operation) -> Builder {
        builder.auth0(Auth0Settings { token_lifetime: operation.access, ..Auth0Settings::default() })
    }

    fn provider(emulator: &Emulator, timeout: Duration) -> Auth0Provider {
        let site = Auth0Provider::builder(&emulator.auth0_url()).auth_url(&emulator.auth0_auth_url());
        site.timeout(timeout).build().unwrap()
    }

    fn login() -> Option<auth0::Login> {
        auth0::Login::new(Auth0Settings::EMAIL, Auth0Settings::PASSWORD).ok()
    }

    fn accepts(emulator: &Emulator, _need: LeaseId, credentials: &Credentials) -> bool {
        emulator.auth0().is_token_valid(credentials.access().expose())
    }

    fn secrets(emulator: &Emulator, secrets: &mut Secrets) {
        secrets.add(Auth0Settings::PASSWORD);
        let newest = |cookie| emulator.auth0().newest_token(Auth0Settings::EMAIL, cookie);
        ["angel_jwt", "angel_jwt_v2"].into_iter().filter_map(newest).for_each(|token| secrets.add(&token));
    }
}

/// Mosaia's token endpoint, as any OAuth 2 server's: what a browser brought is refreshed.
impl Service for OAuth {
    type Provider = OAuth2;
    const NAME: &'static str = "OAuth 2";
    const ROUNDS: bool = true;
    const OPERATIONS: &'static [Operation] = &[refresh(Endpoint::MosaiaToken)];

    fn emulated(builder: Builder, operation: &Operation) -> Builder {
        Mosaia::emulated(builder, operation)
    }

    fn provider(emulator: &Emulator, _timeout: Duration) -> OAuth2 {
        OAuth2::new(profile(emulator))
    }

    fn login() -> Option<<OAuth2 as Provider>::Login> {
        None
    }

    fn sign_in<H: Side<OAuth2>>(place: &Place, session: &H) -> Result<Arc<Credentials>, Error> {
        let now = place.clock.now();
        // The same for all tests: nothing here is secret.
        let entropy: [u8; mosaia::ENTROPY] = std::array::from_fn(|byte| u8::try_from(byte % 251).unwrap());
        let wanted = AuthorizationRequest::new("http://127.0.0.1:9/callback").scopes(["read", "write"]);
        let authorization = profile(&place.emulator).authorize(entropy, &wanted, now).unwrap();
        let redirect = H::run(place.link(), Browser(authorization.url().to_owned()))?;
        let code = authorization.into_pending().exchange_code(&redirect, now).unwrap();
        session.accept(H::run(place.link(), At(now, code))?)?;
        session.credentials(LeaseId::Access)
    }

    fn accepts(emulator: &Emulator, lease_id: LeaseId, credentials: &Credentials) -> bool {
        Mosaia::accepts(emulator, lease_id, credentials)
    }

    fn secrets(emulator: &Emulator, secrets: &mut Secrets) {
        Mosaia::secrets(emulator, secrets);
    }
}

fn profile(emulator: &Emulator) -> Profile {
    let url = emulator.mosaia_url();
    let profile = Profile::new(&format!("{url}/v1/auth/token"), MosaiaSettings::CLIENT_ID).unwrap();
    let profile = profile.with_authorization_endpoint(&format!("{url}/oauth")).unwrap();
    profile.with_scope_separator(ScopeSeparator::Comma).with_absolute_expiry("exp").with_clientless_refresh()
}

/// An exchange outside any session runs by the machine's clock: here, by the place's.
struct At<X>(Now, X);

impl<X: Exchange> Exchange for At<X> {
    type Output = X::Output;

    fn start(&mut self, _now: Now) -> Request {
        self.1.start(self.0)
    }

    fn receive(&mut self, response: Response, _now: Now) -> Result<Step<X::Output>, Error> {
        self.1.receive(response, self.0)
    }
}

/// Opens an address, and tells where it is sent on to.
struct Browser(String);

impl Exchange for Browser {
    type Output = String;

    fn start(&mut self, _now: Now) -> Request {
        Request::new(http::Request::get(self.0.as_str()).body(Body::empty()).unwrap())
    }

    fn receive(&mut self, response: Response, _now: Now) -> Result<Step<String>, Error> {
        match response.headers().get("location").and_then(|location| location.to_str().ok()) {
            Some(location) if response.status() == 302 => Ok(Step::Done(location.to_owned())),
            _ => Err(ServiceError::malformed("no redirect").into()),
        }
    }
}
