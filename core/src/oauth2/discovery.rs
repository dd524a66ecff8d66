//! Discovery of a server's endpoints and abilities (RFC 8414, OpenID Connect Discovery 1.0).

use std::fmt;

use http::{Method, Uri, header};

use super::client::ClientAuth;
use super::endpoint::Endpoint;
use super::fields::Fields;
use super::profile::{InvalidProfile, IssuerInRedirect, Profile, ResponseEncoding};
use crate::credentials::Now;
use crate::error::{Error, Outcome, ServiceError, ServiceErrorKind};
use crate::exchange::{Exchange, Request, Response, Step};
use crate::wire::{self, BaseUrl, Body, InvalidUrl, TransportSecurity};

/// The path of the document at OpenID providers (OpenID Connect Discovery §4).
const OPENID: &str = "/.well-known/openid-configuration";

/// The path of the document at OAuth authorization servers (RFC 8414 §3).
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// Fetches a server's metadata document: from the path of RFC 8414 §3.1 first, then from that of OpenID Connect.
pub struct Discovery {
    issuer: Box<str>,
    places: [Uri; 2],
    /// Which of the two is being asked.
    at: usize,
    security: TransportSecurity,
}

impl Discovery {
    /// Discovery for this issuer URL: https, or http to this machine, without query and fragment. It must equal the
    /// `issuer` in the document character by character (RFC 8414 §3.3): a slash at the end matters.
    pub fn new(issuer: &str) -> Result<Self, InvalidUrl> {
        Self::new_under(issuer, &TransportSecurity::new())
    }

    /// As [`new`](Self::new), where the issuer and the endpoints that it names may use plain http as far as `security`
    /// allows it.
    pub fn new_under(issuer: &str, security: &TransportSecurity) -> Result<Self, InvalidUrl> {
        let issuer = issuer.trim();
        BaseUrl::parse_under(issuer, security)?;
        let bare = issuer.trim_end_matches('/');
        let uri: Uri = bare.parse().map_err(|_| InvalidUrl::NotAUrl)?;
        let (scheme, authority) = (uri.scheme_str(), uri.authority().ok_or(InvalidUrl::NotAUrl)?);
        // RFC 8414 puts its path between host and path of the issuer, OpenID Connect behind both.
        let path = uri.path().trim_end_matches('/');
        let between = format!("{}://{authority}{OAUTH}{path}", scheme.unwrap_or("https"));
        let place = |text: String| text.parse().map_err(|_| InvalidUrl::NotAUrl);
        let places = [place(between)?, place(format!("{bare}{OPENID}"))?];
        Ok(Self { issuer: issuer.into(), places, at: 0, security: security.clone() })
    }

    fn request(&self) -> Request {
        let mut http = http::Request::new(Body::empty());
        *http.method_mut() = Method::GET;
        *http.uri_mut() = self.places[self.at].clone();
        http.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
        Request::new(http)
    }
}

impl Exchange for Discovery {
    type Output = Metadata;

    fn start(&mut self, _now: Now) -> Request {
        self.at = 0;
        self.request()
    }

    fn receive(&mut self, response: Response, now: Now) -> Result<Step<Metadata>, Error> {
        let error = match parse_metadata_under(&self.issuer, &response, now, &self.security) {
            Ok(metadata) => return Ok(Step::Done(metadata)),
            Err(error) => error,
        };
        // A page or a 4xx means that this server does not publish the document here: ask at the other path. A server
        // that is down would fail there as well.
        let is_down = Error::from(error.clone()).outcome() == Outcome::NotProcessed
            || error.status().is_some_and(|status| status.is_server_error() && status.as_u16() != 501);
        if is_down || error.kind() == OTHER_ISSUER || self.at + 1 == self.places.len() {
            return Err(error.into());
        }
        self.at += 1;
        Ok(Step::Send(self.request()))
    }
}

/// RFC 8414 §3.3: a document with another issuer must not be used.
const OTHER_ISSUER: ServiceErrorKind =
    ServiceErrorKind::Malformed { what: "the issuer is another one than was asked for" };

/// A server's metadata (RFC 8414 §2): issuer, endpoints, what it supports. The addresses were checked as those of a
/// [`Profile`] are.
#[derive(Clone, Debug)]
pub struct Metadata {
    issuer: Box<str>,
    token_endpoint: Option<Endpoint>,
    authorization_endpoint: Option<Endpoint>,
    revocation_endpoint: Option<Endpoint>,
    device_endpoint: Option<Endpoint>,
    lists: Lists,
    iss_promised: bool,
    security: TransportSecurity,
}

/// The lists of what is supported; `None` where the server does not say.
#[derive(Clone, Debug, Default)]
struct Lists {
    client_auth: Option<Vec<String>>,
    grants: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
    challenges: Option<Vec<String>>,
}

/// Reads a metadata document. Its `issuer` must equal `issuer` character by character.
pub fn parse_metadata(issuer: &str, response: &Response, now: Now) -> Result<Metadata, ServiceError> {
    parse_metadata_under(issuer, response, now, &TransportSecurity::new())
}

/// As [`parse_metadata`], where endpoints may use plain http as far as `security` allows it.
pub fn parse_metadata_under(
    issuer: &str,
    response: &Response,
    now: Now,
    security: &TransportSecurity,
) -> Result<Metadata, ServiceError> {
    let status = response.status();
    if let Some(error) = wire::failure(response, now) {
        return Err(error);
    }
    if !status.is_success() {
        return Err(ServiceError::new(ServiceErrorKind::Service).with_status(status));
    }
    let read = Fields::read(response.body().as_ref(), ResponseEncoding::Json);
    read.and_then(|fields| metadata(issuer, &fields, security)).map_err(|error| error.with_status(status))
}

fn metadata(issuer: &str, fields: &Fields<'_>, security: &TransportSecurity) -> Result<Metadata, ServiceError> {
    let named = fields.text("issuer")?;
    if named.get().ok_or(ServiceError::malformed("no issuer"))? != issuer {
        return Err(ServiceError::new(OTHER_ISSUER));
    }
    let endpoint = |name| -> Result<Option<Endpoint>, ServiceError> {
        let text = fields.text(name)?;
        let endpoint = text.get().map(|text| Endpoint::parse_under(text, security)).transpose();
        endpoint.map_err(|error| {
            ServiceError::malformed(match error {
                InvalidUrl::NotHttps => "an endpoint that is not https",
                _ => "an endpoint whose address cannot be used",
            })
        })
    };
    let list = |name| serde_json::from_str::<Vec<String>>(fields.raw(name)?).ok();
    Ok(Metadata {
        issuer: issuer.into(),
        token_endpoint: endpoint("token_endpoint")?,
        authorization_endpoint: endpoint("authorization_endpoint")?,
        revocation_endpoint: endpoint("revocation_endpoint")?,
        device_endpoint: endpoint("device_authorization_endpoint")?,
        lists: Lists {
            client_auth: list("token_endpoint_auth_methods_supported"),
            grants: list("grant_types_supported"),
            scopes: list("scopes_supported"),
            challenges: list("code_challenge_methods_supported"),
        },
        iss_promised: fields.raw("authorization_response_iss_parameter_supported") == Some("true"),
        security: security.clone(),
    })
}

impl Metadata {
    /// The issuer identifier: the server's name for itself.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The token endpoint, if the document names one.
    pub fn token_endpoint(&self) -> Option<&Endpoint> {
        self.token_endpoint.as_ref()
    }

    /// The authorization endpoint, which a browser opens.
    pub fn authorization_endpoint(&self) -> Option<&Endpoint> {
        self.authorization_endpoint.as_ref()
    }

    /// The revocation endpoint (RFC 7009).
    pub fn revocation_endpoint(&self) -> Option<&Endpoint> {
        self.revocation_endpoint.as_ref()
    }

    /// The device authorization endpoint (RFC 8628).
    pub fn device_endpoint(&self) -> Option<&Endpoint> {
        self.device_endpoint.as_ref()
    }

    /// The registered names of the client authentication methods at the token endpoint; `None` where the server does
    /// not say. For people to read: which one a client uses was agreed when it was registered, and is stated in
    /// [`profile`](Self::profile).
    pub fn client_auth_methods(&self) -> Option<&[String]> {
        self.lists.client_auth.as_deref()
    }

    /// The supported grant types; `None` where the server does not say.
    pub fn grant_types(&self) -> Option<&[String]> {
        self.lists.grants.as_deref()
    }

    /// The supported scopes; `None` where the server does not say.
    pub fn scopes(&self) -> Option<&[String]> {
        self.lists.scopes.as_deref()
    }

    /// Whether the server promises to name itself in redirects, as `iss` (RFC 9207).
    pub fn promises_issuer(&self) -> bool {
        self.iss_promised
    }

    /// A profile for one client at this server. An error without a token endpoint. A server whose list of PKCE methods
    /// lacks S256 gets no sign-in in a browser: [`Profile::authorize`] then fails.
    pub fn profile(&self, client_id: &str, client_auth: ClientAuth) -> Result<Profile, InvalidProfile> {
        let token_endpoint = self.token_endpoint.clone().ok_or(InvalidProfile::NoTokenEndpoint)?;
        let in_redirect = if self.iss_promised { IssuerInRedirect::Promised } else { IssuerInRedirect::Optional };
        let profile = Profile::at(token_endpoint, client_id)?.with_issuer(&self.issuer, in_redirect);
        let challenges = self.lists.challenges.as_deref();
        Ok(Profile {
            authorization_endpoint: self.authorization_endpoint.clone(),
            revocation_endpoint: self.revocation_endpoint.clone(),
            device_endpoint: self.device_endpoint.clone(),
            client_auth,
            security: self.security.clone(),
            lacks_s256: challenges.is_some_and(|known| !known.iter().any(|name| name == "S256")),
            ..profile
        })
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
