//! An OAuth 2 server configured by environment variables.

use super::{Login, OAuth2};
use crate::credentials::Secret;
use crate::exchange::{FromEnv, InvalidEnv};
use crate::oauth2::{ClientAuth, InvalidProfile, IssuerInRedirect, Profile};
use crate::wire::TransportSecurity;

const TOKEN_URL: &str = "OAUTH_TOKEN_URL";
const AUTHORIZATION_URL: &str = "OAUTH_AUTHORIZATION_URL";
const DEVICE_URL: &str = "OAUTH_DEVICE_URL";
const REVOCATION_URL: &str = "OAUTH_REVOCATION_URL";
const ISSUER: &str = "OAUTH_ISSUER";
const CLIENT_ID: &str = "OAUTH_CLIENT_ID";
const CLIENT_SECRET: &str = "OAUTH_CLIENT_SECRET";
const CLIENT_AUTH: &str = "OAUTH_CLIENT_AUTH";
const USERNAME: &str = "OAUTH_USERNAME";
const PASSWORD: &str = "OAUTH_PASSWORD";
const SCOPE: &str = "OAUTH_SCOPE";
const PLAIN_HTTP_TO: &str = "OAUTH_PLAIN_HTTP_TO";

/// `OAUTH_TOKEN_URL` and `OAUTH_CLIENT_ID` are required, the others optional. An empty variable counts as not set.
///
/// | variable | meaning |
/// | --- | --- |
/// | `OAUTH_AUTHORIZATION_URL`, `OAUTH_DEVICE_URL`, `OAUTH_REVOCATION_URL` | the other endpoints |
/// | `OAUTH_ISSUER` | the issuer identifier, exactly as the server writes it |
/// | `OAUTH_CLIENT_SECRET` | the client secret |
/// | `OAUTH_CLIENT_AUTH` | how the secret is sent: `basic` (the default) or `post` |
/// | `OAUTH_USERNAME`, `OAUTH_PASSWORD` | a login by password: set both or neither |
/// | `OAUTH_SCOPE` | the login's scopes, separated by blanks |
/// | `OAUTH_PLAIN_HTTP_TO` | hosts that plain http is allowed to, separated by blanks |
///
/// The login is the password if there is one. Otherwise it is client credentials, if there is a secret and neither an
/// authorization nor a device endpoint.
///
/// `OAUTH_PLAIN_HTTP_TO` is for the endpoints alone ([`TransportSecurity::plain_http_to`]): the transport that sends to
/// them needs the same rules, set in code. [`Discovery`](crate::oauth2::Discovery) needs a request, so no variable asks
/// for it.
impl FromEnv for OAuth2 {
    fn from_env(lookup: &dyn Fn(&str) -> Option<String>) -> Result<(Self, Option<Login>), InvalidEnv> {
        let set = |name| lookup(name).filter(|value| !value.trim().is_empty());
        let needed = |name| set(name).ok_or(InvalidEnv { name, what: "it is not set" });
        let mut security = TransportSecurity::new();
        for host in set(PLAIN_HTTP_TO).unwrap_or_default().split_whitespace() {
            let invalid = |_| InvalidEnv { name: PLAIN_HTTP_TO, what: "it is not the name of a host" };
            security = security.plain_http_to(host).map_err(invalid)?;
        }
        let profile = Profile::new_under(&needed(TOKEN_URL)?, needed(CLIENT_ID)?.trim(), &security);
        let mut profile = profile.map_err(|error| match error {
            InvalidProfile::Url(error) => InvalidEnv { name: TOKEN_URL, what: error.of_it() },
            _ => InvalidEnv { name: CLIENT_ID, what: "it is no client id" },
        })?;
        for (name, with) in [
            (AUTHORIZATION_URL, Profile::with_authorization_endpoint as fn(Profile, &str) -> _),
            (DEVICE_URL, Profile::with_device_endpoint),
            (REVOCATION_URL, Profile::with_revocation_endpoint),
        ] {
            if let Some(url) = set(name) {
                profile = with(profile, &url).map_err(|error| InvalidEnv { name, what: error.of_it() })?;
            }
        }
        if let Some(issuer) = set(ISSUER) {
            profile = profile.with_issuer(issuer.trim(), IssuerInRedirect::Optional);
        }
        let secret = set(CLIENT_SECRET).map(Secret::from);
        let alone = secret.is_some() && set(AUTHORIZATION_URL).is_none() && set(DEVICE_URL).is_none();
        profile = profile.with_client_auth(client_auth(secret, set(CLIENT_AUTH).as_deref())?);

        let missing = |name| InvalidEnv { name, what: "it is not set, although the other half of the login is" };
        let login = match (set(USERNAME), set(PASSWORD)) {
            (Some(username), Some(password)) => {
                let invalid = |_| InvalidEnv { name: USERNAME, what: "it is no login" };
                Some(Login::legacy_password(&username, password).map_err(invalid)?)
            }
            (Some(_), None) => return Err(missing(PASSWORD)),
            (None, Some(_)) => return Err(missing(USERNAME)),
            (None, None) => alone.then(Login::client_credentials),
        };
        let scope = set(SCOPE).unwrap_or_default();
        Ok((OAuth2::new(profile), login.map(|login| login.scopes(scope.split_whitespace()))))
    }
}

fn client_auth(secret: Option<Secret>, style: Option<&str>) -> Result<ClientAuth, InvalidEnv> {
    match (secret, style.map(str::trim)) {
        (None, None) => Ok(ClientAuth::None),
        (Some(secret), None | Some("basic")) => Ok(ClientAuth::SecretBasic(secret)),
        (Some(secret), Some("post")) => Ok(ClientAuth::SecretPost(secret)),
        (Some(_), Some(_)) => Err(InvalidEnv { name: CLIENT_AUTH, what: "it is neither basic nor post" }),
        (None, Some(_)) => Err(InvalidEnv { name: CLIENT_SECRET, what: "it is not set, although its style is" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Provider as _;

    fn read(variables: &[(&str, &str)]) -> Result<(OAuth2, Option<Login>), InvalidEnv> {
        let known = [(TOKEN_URL, "https://a.example/token"), (CLIENT_ID, "app")];
        OAuth2::from_env(&|name| {
            let mut all = variables.iter().chain(&known);
            all.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_secret_alone_is_client_credentials_unless_there_is_an_endpoint_for_a_person() {
        let (provider, login) = read(&[(CLIENT_SECRET, "s"), (SCOPE, "a  b")]).unwrap();
        assert!(matches!(provider.profile().client_auth(), ClientAuth::SecretBasic(_)));
        assert_eq!(format!("{:?}", login.unwrap()), "ClientCredentials");
        let (_, login) = read(&[(CLIENT_SECRET, "s"), (AUTHORIZATION_URL, "https://a.example/auth")]).unwrap();
        assert!(login.is_none());
        assert!(read(&[]).unwrap().1.is_none());
    }

    #[test]
    fn a_password_is_a_login_and_half_of_one_is_an_error() {
        let (provider, login) = read(&[(USERNAME, "ada"), (PASSWORD, " x "), (ISSUER, "https://a.example/")]).unwrap();
        assert_eq!(provider.account_id(&login.unwrap()), Some("ada"));
        assert_eq!(provider.namespace(), "https://a.example/ app");
        assert_eq!(read(&[(USERNAME, "ada")]).unwrap_err().name, PASSWORD);
        assert_eq!(read(&[(PASSWORD, "x")]).unwrap_err().name, USERNAME);
    }

    #[test]
    fn plain_http_needs_the_host_to_be_named() {
        let here = (TOKEN_URL, "http://keycloak:8080/token");
        let error = read(&[here]).unwrap_err();
        assert_eq!(error.name, TOKEN_URL);
        assert!(error.to_string().contains("plain_http_to"), "{error}");
        let there = (DEVICE_URL, "http://hydra/device");
        assert!(read(&[here, there, (PLAIN_HTTP_TO, "hydra keycloak:8080")]).is_ok());
        assert_eq!(read(&[here, there, (PLAIN_HTTP_TO, "keycloak:8080")]).unwrap_err().name, DEVICE_URL);
        assert_eq!(read(&[here, (PLAIN_HTTP_TO, "http://keycloak:8080")]).unwrap_err().name, PLAIN_HTTP_TO);
    }

    #[test]
    fn a_bad_variable_is_named_and_its_value_not_repeated() {
        for (name, value) in [
            (TOKEN_URL, "http://hunter2@a.example"),
            (TOKEN_URL, " "),
            (CLIENT_ID, ""),
            (AUTHORIZATION_URL, "hunter2"),
            (DEVICE_URL, "http://hunter2.example"),
            (REVOCATION_URL, "https://a.example/#hunter2"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!(error.name, name);
            assert!(!error.to_string().contains("hunter2"));
        }
        assert_eq!(read(&[(CLIENT_SECRET, "s"), (CLIENT_AUTH, "hunter2")]).unwrap_err().name, CLIENT_AUTH);
        assert_eq!(read(&[(CLIENT_AUTH, "post")]).unwrap_err().name, CLIENT_SECRET);
    }
}
