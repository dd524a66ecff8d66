//! The device flow (RFC 8628): a device without a browser shows a code, and the person enters it on another one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Uri;

use super::answer::parse_token;
use super::endpoint::Endpoint;
use super::fields::Fields;
use super::grant_type::GrantType;
use super::profile::{ParameterTarget, Profile, ResponseEncoding};
use super::refusal::{self, ErrorCode};
use crate::credentials::{Deadline, Now, Secret, Timestamp, check_token};
use crate::error::{Error, Outcome, ServiceError, ServiceErrorKind};
use crate::exchange::{Exchange, Polled, PollingExchange, Request, Response, Step};
use crate::grant::Grant;

/// The time between two polls where the server names none (RFC 8628 §3.2), and what each `slow_down` adds (§3.5).
pub const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The longest time between two polls.
const MAX_INTERVAL: Duration = Duration::from_secs(300);

/// How long a code is valid where the server leaves out `expires_in`, which RFC 8628 §3.2 requires.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

impl Profile {
    /// Begins a device flow (RFC 8628 §3.1): an exchange that brings the code to show. `None` where the profile has no
    /// device authorization endpoint.
    pub fn device<S: AsRef<str>>(&self, scopes: &[S]) -> Option<DeviceRequest> {
        let endpoint = self.device_endpoint.clone()?;
        Some(DeviceRequest { profile: self.clone(), endpoint, scope: self.joined(scopes), sent: Now::default() })
    }
}

/// The device authorization request (RFC 8628 §3.1), which asks for a code to show.
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

/// A device authorization (RFC 8628 §3.2): the code and address to show, and the device code to poll with.
pub struct DeviceAuthorization {
    profile: Profile,
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    deadline: Deadline,
    /// In milliseconds. Shared by all polls of this code, so that what `slow_down` added holds for each of them.
    interval: Arc<AtomicU64>,
}

/// Reads the answer to a device authorization request (RFC 8628 §3.2). The code's lifetime runs from `sent`, when the
/// request was sent; `now` is when the answer came.
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
    // It is shown to a person: no control characters, which could move a terminal's cursor.
    if user_code.chars().count() > 64 || user_code.chars().any(char::is_control) {
        return Err(malformed("a user code with odd characters"));
    }
    let address = |name| -> Result<Option<String>, ServiceError> {
        let text = fields.text(name)?;
        let Some(text) = text.get().map(str::trim) else { return Ok(None) };
        // A browser opens it: no `javascript:`, and no plain http page that somebody on the way could change.
        let uri = text.parse::<Uri>().map_err(|_| malformed("an address that is none"))?;
        if profile.security.check_address(&uri).is_ok() {
            Ok(Some(text.to_owned()))
        } else {
            Err(malformed("an address that is not https"))
        }
    };
    let uri = match address("verification_uri")? {
        // The name in the drafts of RFC 8628, which Google still sends.
        None => address("verification_url")?,
        uri => uri,
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
    /// The code that the person enters.
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// The address at which the person enters the code: https, or http to this machine or a host that the profile
    /// names.
    pub fn verification_uri(&self) -> &str {
        &self.verification_uri
    }

    /// The address with the code in it, for a QR code. `None` where the server sent none.
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.verification_uri_complete.as_deref()
    }

    /// When the code expires, by the wall clock.
    pub fn expires_at(&self) -> Timestamp {
        self.deadline.wall
    }

    /// The time between two polls at present, with what `slow_down` has added.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval.load(Ordering::Relaxed))
    }

    /// An exchange that polls until the person has decided or the code has expired. It may take minutes. A network
    /// failure ends it: then call `poll` again. Run one at a time.
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

/// Polls the token endpoint until the person has granted or refused a device authorization (RFC 8628 §3.4).
///
/// After `authorization_pending` it asks again once the interval is over; `slow_down` makes the interval 5 s longer for
/// good (RFC 8628 §3.5). It also asks again where the server fails (429, 5xx). Any other error ends it:
///
/// - `access_denied`, which Microsoft calls `authorization_declined`:
///   [`InvalidCredentials`](ServiceErrorKind::InvalidCredentials).
/// - `expired_token`, or a code that has expired by our own clock: [`NotGranted`](ServiceErrorKind::NotGranted).
pub struct DevicePoll {
    profile: Profile,
    device_code: Secret,
    deadline: Deadline,
    interval: Arc<AtomicU64>,
    sent: Now,
}

impl DevicePoll {
    /// How long to wait before the next poll; `None` where this error ends the flow.
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

/// Whether the server failed for the moment: the poll was not processed, or a 5xx without an error code came.
fn is_passing(error: &ServiceError) -> bool {
    let failing = error.status().is_some_and(|status| status.is_server_error());
    let unprocessed = Error::from(error.clone()).outcome() == Outcome::NotProcessed;
    unprocessed || (failing && error.kind() == ServiceErrorKind::Service)
}

impl PollingExchange for DevicePoll {
    type Output = Grant;

    fn request(&mut self, now: Now) -> Request {
        self.sent = now;
        self.profile.device_token_request(&self.device_code, now)
    }

    fn receive(&mut self, response: Response, now: Now) -> Result<Polled, Error> {
        let error = match parse_token(&self.profile, GrantType::DeviceCode, &response, self.sent, now) {
            Ok(grant) => return Ok(Polled::Ready(grant)),
            Err(error) => error,
        };
        let Some(pause) = self.again(&error) else {
            return Err(self.profile.without_echo(error, [self.device_code.expose()]).into());
        };
        if self.deadline.remaining(now) <= pause {
            return Err(ServiceError::new(ServiceErrorKind::NotGranted).with_code("expired_token").into());
        }
        Ok(Polled::Pending(pause))
    }
}

impl fmt::Debug for DeviceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceRequest").field("at", &self.endpoint).finish_non_exhaustive()
    }
}

/// Leaves out the codes: whoever knows the user code can enter it.
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
