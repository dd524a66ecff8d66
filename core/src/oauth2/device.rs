//! Sign-in on a device without a browser (RFC 8628): it shows a code, the person enters it elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Uri;

use super::answer::{GrantType, parse_token};
use super::endpoint::Endpoint;
use super::fields::Fields;
use super::profile::{ParameterTarget, Profile, ResponseEncoding};
use super::refusal::{self, ErrorCode};
use crate::credentials::{Deadline, Grant, Now, Secret, Timestamp, check_token};
use crate::error::{Error, Outcome, ServiceError, ServiceErrorKind};
use crate::exchange::{Exchange, Request, Response, Step};

/// How often is asked where the server does not say (RFC 8628 §3.2), and by how much `slow_down` slows (§3.5).
pub const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The longest pause between two questions.
const MAX_INTERVAL: Duration = Duration::from_secs(300);

/// How long a code is good for where the server does not say, although it must.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

impl Profile {
    /// Begins a sign-in on a device; `None` where the server has no endpoint for it.
    pub fn device<S: AsRef<str>>(&self, scopes: &[S]) -> Option<DeviceRequest> {
        let endpoint = self.device_endpoint.clone()?;
        Some(DeviceRequest { profile: self.clone(), endpoint, scope: self.joined(scopes), sent: Now::default() })
    }
}

/// Asks for a code to show.
pub struct DeviceRequest {
    profile: Profile,
    endpoint: Endpoint,
    scope: Option<String>,
    sent: Now,
}

impl Exchange for DeviceRequest {
    type Output = DeviceAuthorization;

    fn start(&mut self, now: Now) -> Request {
        self.sent = now;
        let scope = self.scope.as_deref().map(|scope| ("scope", scope));
        let fields: Vec<_> = scope.into_iter().chain(self.profile.extra(ParameterTarget::Authorization)).collect();
        self.profile.authenticated(&self.endpoint, &fields, now)
    }

    fn receive(&mut self, response: Response, now: Now) -> Result<Step<DeviceAuthorization>, Error> {
        let authorization = parse_device(&self.profile, &response, self.sent, now);
        Ok(Step::Done(authorization.map_err(|error| self.profile.without_echo(error, None))?))
    }
}

/// What a device shows, and what it asks with.
pub struct DeviceAuthorization {
    profile: Profile,
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    deadline: Deadline,
    /// Shared by all who ask with this code: what `slow_down` added stays added.
    interval: Arc<AtomicU64>,
}

/// Reads the answer to a device authorization request (RFC 8628 §3.2). Times run from `sent`.
pub fn parse_device(
    profile: &Profile,
    response: &Response,
    sent: Now,
    now: Now,
) -> Result<DeviceAuthorization, ServiceError> {
    let read = Fields::read(response.body().as_ref(), ResponseEncoding::Json);
    if let Some(error) = refusal::failure(profile, GrantType::DeviceCode, response, read.as_ref(), now) {
        return Err(error);
    }
    read.and_then(|fields| authorization(profile, &fields, sent)).map_err(|error| error.with_status(response.status()))
}

fn authorization(profile: &Profile, fields: &Fields<'_>, sent: Now) -> Result<DeviceAuthorization, ServiceError> {
    let malformed = ServiceError::malformed;
    let device_code = fields.text("device_code")?;
    let device_code = device_code.get().ok_or(malformed("no device code"))?;
    check_token(device_code).map_err(|_| malformed("a device code that is too long or has odd characters"))?;
    let user_code = fields.text("user_code")?;
    let user_code = user_code.get().map(str::trim).ok_or(malformed("no user code"))?;
    // It is shown to a person: nothing that moves a cursor.
    if user_code.chars().count() > 64 || user_code.chars().any(char::is_control) {
        return Err(malformed("a user code with odd characters"));
    }
    let address = |name| -> Result<Option<String>, ServiceError> {
        let text = fields.text(name)?;
        let Some(text) = text.get().map(str::trim) else { return Ok(None) };
        // It is opened: not `javascript:`, not a page that anybody on the way could change.
        let uri = text.parse::<Uri>().map_err(|_| malformed("an address that is none"))?;
        if profile.security.check_address(&uri).is_ok() {
            Ok(Some(text.to_owned()))
        } else {
            Err(malformed("an address that is not https"))
        }
    };
    let uri = match address("verification_uri")? {
        // Before it was a standard.
        None => address("verification_url")?,
        told => told,
    };
    let interval = fields.lifetime("interval").unwrap_or(POLL_INTERVAL).min(MAX_INTERVAL);
    Ok(DeviceAuthorization {
        profile: profile.clone(),
        device_code: device_code.into(),
        user_code: user_code.to_owned(),
        verification_uri: uri.ok_or(malformed("no verification address"))?,
        verification_uri_complete: address("verification_uri_complete")?,
        deadline: Deadline::after(sent, fields.lifetime("expires_in").unwrap_or(DEFAULT_LIFETIME)),
        interval: Arc::new(AtomicU64::new(u64::try_from(interval.as_millis()).unwrap_or(u64::MAX))),
    })
}

impl DeviceAuthorization {
    /// What the person enters.
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// Where the person enters it. https, or this machine.
    pub fn verification_uri(&self) -> &str {
        &self.verification_uri
    }

    /// The same with the code in it, for a QR code.
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.verification_uri_complete.as_deref()
    }

    /// When the code ends.
    pub fn expires_at(&self) -> Timestamp {
        self.deadline.wall
    }

    /// How often is asked.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval.load(Ordering::Relaxed))
    }

    /// Asks, again and again, until the person has decided or the code ends: an exchange that takes minutes. A
    /// failing network ends it; then ask again with a new one, one at a time.
    pub fn poll(&self) -> DevicePoll {
        DevicePoll {
            profile: self.profile.clone(),
            device_code: self.device_code.clone(),
            deadline: self.deadline,
            interval: Arc::clone(&self.interval),
            sent: Now::default(),
        }
    }
}

/// Asks whether the person has said yes.
///
/// `authorization_pending` asks again after the interval, `slow_down` makes it 5 s longer for good (RFC 8628
/// §3.5). A server that fails (429, 5xx) is asked again too. Any other error ends it: `access_denied`, or
/// `authorization_declined`, is [`InvalidCredentials`](ServiceErrorKind::InvalidCredentials), `expired_token`, or a code that ends by our own
/// clock, is [`NotGranted`](ServiceErrorKind::NotGranted).
pub struct DevicePoll {
    profile: Profile,
    device_code: Secret,
    deadline: Deadline,
    interval: Arc<AtomicU64>,
    sent: Now,
}

impl DevicePoll {
    fn again(&self, error: &ServiceError) -> Option<Duration> {
        match error.code().map(ErrorCode::from) {
            Some(ErrorCode::AuthorizationPending) => {}
            Some(ErrorCode::SlowDown) => {
                let most = u64::try_from(MAX_INTERVAL.as_millis()).unwrap_or(u64::MAX);
                let slower = |millis: u64| Some(millis.saturating_add(5000).min(most));
                let _ = self.interval.fetch_update(Ordering::Relaxed, Ordering::Relaxed, slower);
            }
            _ if is_passing(error) => {}
            _ => return None,
        }
        let interval = Duration::from_millis(self.interval.load(Ordering::Relaxed));
        Some(Error::from(error.clone()).retry_after().unwrap_or_default().max(interval))
    }
}

/// Whether the server failed, and did not answer.
fn is_passing(error: &ServiceError) -> bool {
    let failing = error.status().is_some_and(|status| status.is_server_error());
    let unprocessed = Error::from(error.clone()).outcome() == Outcome::NotProcessed;
    unprocessed || (failing && error.kind() == ServiceErrorKind::Service)
}

impl Exchange for DevicePoll {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        self.sent = now;
        self.profile.device_token_request(&self.device_code, now)
    }

    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        let error = match parse_token(&self.profile, GrantType::DeviceCode, &response, self.sent, now) {
            Ok(grant) => return Ok(Step::Done(grant)),
            Err(error) => error,
        };
        let Some(pause) = self.again(&error) else {
            return Err(self.profile.without_echo(error, [self.device_code.expose()]).into());
        };
        if self.deadline.remaining(now) <= pause {
            return Err(ServiceError::new(ServiceErrorKind::NotGranted).with_code("expired_token").into());
        }
        Ok(Step::Again(pause))
    }
}

impl fmt::Debug for DeviceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceRequest").field("at", &self.endpoint).finish_non_exhaustive()
    }
}

/// Without the codes: whoever knows the person's can answer for them.
impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthorization")
            .field("verification_uri", &self.verification_uri)
            .field("expires_at", &self.deadline.wall)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DevicePoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevicePoll").field("until", &self.deadline.wall).finish_non_exhaustive()
    }
}
