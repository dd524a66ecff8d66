//! The profile of a client at a server: what the two have agreed on. It is stated, never probed.

use std::fmt;
use std::time::Duration;

use super::client::{self, ClientAuth};
use super::endpoint::Endpoint;
use crate::credentials::Secret;
use crate::error::ServiceError;
use crate::wire::{InvalidUrl, TransportSecurity};

/// How long a person may take in the browser, unless [`Profile::with_pending_lifetime`] says otherwise: 10 minutes.
pub const PENDING_LIFETIME: Duration = Duration::from_secs(600);

/// How one client speaks to one OAuth server: endpoints, client id and authentication, and where the server departs
/// from the standard.
#[derive(Clone)]
pub struct Profile {
    pub(super) token_endpoint: Endpoint,
    pub(super) authorization_endpoint: Option<Endpoint>,
    pub(super) revocation_endpoint: Option<Endpoint>,
    pub(super) device_endpoint: Option<Endpoint>,
    pub(super) issuer: Option<Box<str>>,
    pub(super) issuer_in_redirect: IssuerInRedirect,
    pub(super) client_id: Box<str>,
    pub(super) client_auth: ClientAuth,
    pub(super) separator: ScopeSeparator,
    pub(super) rotation: Rotation,
    pub(super) token_types: Vec<TokenType>,
    pub(super) encoding: ResponseEncoding,
    pub(super) names: FieldCase,
    pub(super) within: Option<Box<str>>,
    pub(super) expiry: Option<Box<str>>,
    pub(super) refusals: Vec<Box<str>>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) resources: Vec<Box<str>>,
    pub(super) pending_lifetime: Duration,
    pub(super) anonymous_refresh: bool,
    pub(super) lacks_s256: bool,
    /// Where plain http is allowed: for the profile's addresses, and for those that the server names.
    pub(super) security: TransportSecurity,
}

/// A token type beside `Bearer`: what the server calls it, and the word to send in front of such a token.
#[derive(Clone)]
pub(super) struct TokenType {
    pub(super) named: Box<str>,
    pub(super) sent_as: Box<str>,
}

/// A request parameter of the server's own.
#[derive(Clone)]
pub(super) struct Parameter {
    pub(super) at: ParameterTarget,
    pub(super) name: Box<str>,
    pub(super) value: Box<str>,
}

/// Which requests carry a parameter of the server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParameterTarget {
    /// The authorization URL that a browser opens, and the device authorization request.
    Authorization,
    /// Every token request.
    Token,
    /// All of them.
    Both,
}

/// The character between two scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopeSeparator {
    /// A blank, as the standard says (RFC 6749 §3.3).
    #[default]
    Space,
    /// A comma.
    Comma,
}

/// Whether the server rotates refresh tokens: what becomes of one that was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rotation {
    /// It works once: the answer brings the next one, or none. A session never repeats such a refresh blindly when an
    /// answer was lost. Take this for every server that is not known to be otherwise.
    #[default]
    OneUse,
    /// It stays valid and can be sent again and again.
    Reusable,
}

/// The format of the token endpoint's answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseEncoding {
    /// JSON, whatever the content type says.
    #[default]
    Json,
    /// A form (`application/x-www-form-urlencoded`). JSON is understood too.
    Form,
}

/// How an answer's field names are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldCase {
    /// `access_token`, as the standard says.
    #[default]
    Snake,
    /// `accessToken`. The standard's names are understood too.
    Camel,
}

/// Whether a redirect must name the issuer, as `iss` (RFC 9207). If it names one, that must always match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssuerInRedirect {
    /// It may name it.
    #[default]
    Optional,
    /// The server promises it: a redirect without `iss` is refused.
    Promised,
}

/// Why a profile cannot be made. The error does not repeat the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProfile {
    /// A secret must not be sent to this address.
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    /// The client id is empty.
    #[error("the client has no id")]
    NoClientId,
    /// A parameter of the server's own has no name, or the name of one that is already sent: it would occur twice.
    #[error("a parameter's name is one of the standard's own")]
    Reserved,
    /// A resource is not an absolute URI without a fragment (RFC 8707 §2).
    #[error("a resource is an absolute URI without a fragment")]
    Resource,
    /// The server names no token endpoint.
    #[error("the server has no token endpoint")]
    NoTokenEndpoint,
}

/// The parameter names that this crate sends by itself.
const RESERVED: [&str; 19] = [
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "device_code",
    "grant_type",
    "password",
    "redirect_uri",
    "refresh_token",
    "resource",
    "response_type",
    "scope",
    "state",
    "token",
    "username",
];

impl Profile {
    /// A profile for a public client with the standard's defaults: one-use refresh tokens, JSON, `Bearer`, scopes with
    /// a blank between them. The token endpoint is https, or http to this machine.
    pub fn new(token_endpoint: &str, client_id: &str) -> Result<Self, InvalidProfile> {
        Self::new_under(token_endpoint, client_id, &TransportSecurity::new())
    }

    /// As [`new`](Self::new), where every endpoint may use plain http as far as `security` allows it. Give the same
    /// rules to the transport that sends the requests:
    ///
    /// ```
    /// use perennial_core::TransportSecurity;
    /// use perennial_core::oauth2::Profile;
    ///
    /// let security = TransportSecurity::new().plain_http_to("keycloak")?;
    /// let profile = Profile::new_under("http://keycloak:8080/realms/x/token", "my-app", &security)?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn new_under(
        token_endpoint: &str,
        client_id: &str,
        security: &TransportSecurity,
    ) -> Result<Self, InvalidProfile> {
        let profile = Self::at(Endpoint::parse_under(token_endpoint, security)?, client_id)?;
        Ok(Self { security: security.clone(), ..profile })
    }

    pub(super) fn at(token_endpoint: Endpoint, client_id: &str) -> Result<Self, InvalidProfile> {
        if client_id.trim().is_empty() {
            return Err(InvalidProfile::NoClientId);
        }
        Ok(Self {
            token_endpoint,
            authorization_endpoint: None,
            revocation_endpoint: None,
            device_endpoint: None,
            issuer: None,
            issuer_in_redirect: IssuerInRedirect::Optional,
            client_id: client_id.into(),
            client_auth: ClientAuth::None,
            separator: ScopeSeparator::Space,
            rotation: Rotation::OneUse,
            token_types: Vec::new(),
            encoding: ResponseEncoding::Json,
            names: FieldCase::Snake,
            within: None,
            expiry: None,
            refusals: Vec::new(),
            parameters: Vec::new(),
            resources: Vec::new(),
            pending_lifetime: PENDING_LIFETIME,
            anonymous_refresh: false,
            lacks_s256: false,
            security: TransportSecurity::new(),
        })
    }

    /// Sets the authorization endpoint, which a browser opens.
    pub fn with_authorization_endpoint(mut self, url: &str) -> Result<Self, InvalidUrl> {
        self.authorization_endpoint = Some(Endpoint::parse_under(url, &self.security)?);
        Ok(self)
    }

    /// Sets the revocation endpoint (RFC 7009).
    pub fn with_revocation_endpoint(mut self, url: &str) -> Result<Self, InvalidUrl> {
        self.revocation_endpoint = Some(Endpoint::parse_under(url, &self.security)?);
        Ok(self)
    }

    /// Sets the device authorization endpoint (RFC 8628).
    pub fn with_device_endpoint(mut self, url: &str) -> Result<Self, InvalidUrl> {
        self.device_endpoint = Some(Endpoint::parse_under(url, &self.security)?);
        Ok(self)
    }

    /// Sets the issuer identifier, and whether redirects must name it (RFC 9207). It is compared character by
    /// character: a slash at the end matters.
    #[must_use]
    pub fn with_issuer(mut self, issuer: &str, in_redirect: IssuerInRedirect) -> Self {
        self.issuer = Some(issuer.into());
        self.issuer_in_redirect = in_redirect;
        self
    }

    /// Sets how the client authenticates at the token endpoint. The default is a public client, which sends its id
    /// alone.
    #[must_use]
    pub fn with_client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// Sets the character between two scopes. The default is a blank.
    #[must_use]
    pub fn with_scope_separator(mut self, separator: ScopeSeparator) -> Self {
        self.separator = separator;
        self
    }

    /// Sets whether a refresh token works once. The default is [`Rotation::OneUse`].
    #[must_use]
    pub fn with_rotation(mut self, rotation: Rotation) -> Self {
        self.rotation = rotation;
        self
    }

    /// Accepts one more `token_type`: what the server calls `named` is sent with `sent_as` in front. eBay's
    /// `User Access Token`, for instance, is sent as `Bearer`. `Bearer`, or no type at all, is always accepted.
    #[must_use]
    pub fn with_token_type(mut self, named: &str, sent_as: &str) -> Self {
        self.token_types.push(TokenType { named: named.trim().into(), sent_as: sent_as.into() });
        self
    }

    /// Sets the format of the token endpoint's answers. The default is JSON.
    #[must_use]
    pub fn with_response_encoding(mut self, encoding: ResponseEncoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Sets how field names in answers are written. The default is `access_token`.
    #[must_use]
    pub fn with_field_case(mut self, names: FieldCase) -> Self {
        self.names = names;
        self
    }

    /// Looks for tokens in an object of this name within the answer, such as `data`. An error is looked for there and
    /// at the top.
    #[must_use]
    pub fn with_response_wrapper(mut self, name: &str) -> Self {
        self.within = Some(name.into());
        self
    }

    /// Names a field with the absolute end of the access token, read where `expires_in` is absent: Unix time in
    /// seconds, or in milliseconds where it is more than 1e11. It is counted from the answer's own `Date`.
    #[must_use]
    pub fn with_absolute_expiry(mut self, name: &str) -> Self {
        self.expiry = Some(name.into());
        self
    }

    /// Adds an error code that rejects a refresh token, a code or a login for good, under any 2xx or 4xx:
    /// `bad_refresh_token`, for instance. The standard has `invalid_grant` alone, under a 4xx.
    #[must_use]
    pub fn with_rejection_code(mut self, code: &str) -> Self {
        self.refusals.push(code.into());
        self
    }

    /// Adds a parameter of the server's own, such as `audience` or `prompt`.
    pub fn with_parameter(mut self, at: ParameterTarget, name: &str, value: &str) -> Result<Self, InvalidProfile> {
        let twice = |known: &Parameter| {
            &*known.name == name && (known.at == at || known.at == ParameterTarget::Both || at == ParameterTarget::Both)
        };
        if RESERVED.contains(&name) || name.is_empty() || self.parameters.iter().any(twice) {
            return Err(InvalidProfile::Reserved);
        }
        self.parameters.push(Parameter { at, name: name.into(), value: value.into() });
        Ok(self)
    }

    /// Requests tokens for this resource (RFC 8707). Call it again to name more than one.
    pub fn with_resource(mut self, resource: &str) -> Result<Self, InvalidProfile> {
        let scheme = resource.split_once(':').map_or("", |(scheme, _)| scheme);
        let named = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let plain = resource.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !named || !plain {
            return Err(InvalidProfile::Resource);
        }
        self.resources.push(resource.into());
        Ok(self)
    }

    /// Sets how long a person may take in the browser. The default is [`PENDING_LIFETIME`].
    #[must_use]
    pub fn with_pending_lifetime(mut self, lifetime: Duration) -> Self {
        self.pending_lifetime = lifetime;
        self
    }

    /// Leaves `client_id` out of a refresh, as Mosaia wants it. It has no effect for a client that authenticates.
    #[must_use]
    pub fn with_clientless_refresh(mut self) -> Self {
        self.anonymous_refresh = true;
        self
    }

    /// The token endpoint.
    pub fn token_endpoint(&self) -> &Endpoint {
        &self.token_endpoint
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

    /// The issuer identifier: the server's name for itself.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The client's id.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// How the client authenticates.
    pub fn client_auth(&self) -> &ClientAuth {
        &self.client_auth
    }

    /// Whether a refresh token works once.
    pub fn rotation(&self) -> Rotation {
        self.rotation
    }

    /// The scopes joined as this server wants them; `None` where there are none.
    pub(super) fn joined<S: AsRef<str>>(&self, scopes: &[S]) -> Option<String> {
        let scopes: Vec<_> = scopes.iter().map(AsRef::as_ref).filter(|scope| !scope.is_empty()).collect();
        let separator = match self.separator {
            ScopeSeparator::Space => " ",
            ScopeSeparator::Comma => ",",
        };
        (!scopes.is_empty()).then(|| scopes.join(separator))
    }

    /// The server's own parameters and the resources, for one kind of request.
    pub(super) fn extra(&self, here: ParameterTarget) -> impl Iterator<Item = (&str, &str)> {
        let own = self.parameters.iter().filter(move |known| known.at == here || known.at == ParameterTarget::Both);
        let own = own.map(|known| (&*known.name, &*known.value));
        own.chain(self.resources.iter().map(|resource| ("resource", &**resource)))
    }
}

impl Profile {
    /// The error without text that repeats a secret that was sent, or the client secret, plain or as HTTP Basic sends
    /// it.
    pub(super) fn without_echo<'a>(
        &self,
        error: ServiceError,
        sent: impl IntoIterator<Item = &'a str>,
    ) -> ServiceError {
        let error = error.without_echo(sent).without_echo(self.client_auth.secret().map(Secret::expose));
        let ClientAuth::SecretBasic(secret) = &self.client_auth else { return error };
        let value = client::basic(&self.client_id, secret);
        let coded = value.as_ref().and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
        error.without_echo(coded)
    }
}

/// Addresses, the client's id and the kind of authentication: no secret.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("token_endpoint", &self.token_endpoint)
            .field("client_id", &self.client_id)
            .field("client_auth", &self.client_auth)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile::new("https://a.example/token", "app").unwrap()
    }

    #[test]
    fn every_endpoint_is_checked() {
        let insecure = "http://a.example/x";
        assert_eq!(Profile::new(insecure, "app").unwrap_err(), InvalidProfile::Url(InvalidUrl::NotHttps));
        assert_eq!(Profile::new("https://a.example", " ").unwrap_err(), InvalidProfile::NoClientId);
        for refused in [
            profile().with_authorization_endpoint(insecure),
            profile().with_revocation_endpoint(insecure),
            profile().with_device_endpoint(insecure),
        ] {
            assert_eq!(refused.unwrap_err(), InvalidUrl::NotHttps);
        }
    }

    #[test]
    fn a_parameter_cannot_occur_twice() {
        for name in RESERVED.into_iter().chain([""]) {
            assert_eq!(
                profile().with_parameter(ParameterTarget::Token, name, "x").unwrap_err(),
                InvalidProfile::Reserved,
                "{name}"
            );
        }
        let once = profile().with_parameter(ParameterTarget::Token, "audience", "x").unwrap();
        assert!(once.clone().with_parameter(ParameterTarget::Both, "audience", "y").is_err());
        assert!(once.with_parameter(ParameterTarget::Authorization, "audience", "y").is_ok());
    }

    #[test]
    fn a_resource_is_an_absolute_uri_without_a_fragment() {
        for good in ["https://api.example/", "urn:example:api"] {
            assert!(profile().with_resource(good).is_ok(), "{good}");
        }
        for bad in ["", "api", "/api", "https://api.example/#x", "https://api.example/ x", "1x:y"] {
            assert_eq!(profile().with_resource(bad).unwrap_err(), InvalidProfile::Resource, "{bad}");
        }
    }

    #[test]
    fn scopes_are_joined_as_the_server_wants_them() {
        assert_eq!(profile().joined(&["a", "", "b"]).unwrap(), "a b");
        assert_eq!(profile().with_scope_separator(ScopeSeparator::Comma).joined(&["a", "b"]).unwrap(), "a,b");
        assert_eq!(profile().joined::<&str>(&[]), None);
    }
}
