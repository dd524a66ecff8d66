//! Angel Studios configured by environment variables.

use super::{Auth0, InvalidSettings, Login};
use crate::exchange::{FromEnv, InvalidEnv};

const EMAIL_VARIABLE: &str = "ANGEL_EMAIL";
const PASSWORD_VARIABLE: &str = "ANGEL_PASSWORD";
const BASE_URL_VARIABLE: &str = "ANGEL_BASE_URL";
const AUTH_URL_VARIABLE: &str = "ANGEL_AUTH_URL";

/// `ANGEL_EMAIL` and `ANGEL_PASSWORD` are the login: set both or neither. `ANGEL_BASE_URL` replaces the site's address,
/// and `ANGEL_AUTH_URL` that of its sign-in pages, where it cannot be derived. An empty variable counts as not set.
impl FromEnv for Auth0 {
    fn from_env(lookup: &dyn Fn(&str) -> Option<String>) -> Result<(Self, Option<Login>), InvalidEnv> {
        let set = |name| lookup(name).filter(|value| !value.trim().is_empty());
        let provider = match (set(BASE_URL_VARIABLE), set(AUTH_URL_VARIABLE)) {
            (None, None) => Auth0::angel_studios(),
            (base, auth) => {
                let mut builder = Auth0::builder(base.as_deref().unwrap_or(super::ANGEL_BASE_URL));
                if let Some(auth) = auth {
                    builder = builder.auth_url(&auth);
                }
                builder.build().map_err(why)?
            }
        };
        let missing = |name| InvalidEnv { name, what: "it is not set, although the other half of the login is" };
        let login = match (set(EMAIL_VARIABLE), set(PASSWORD_VARIABLE)) {
            (None, None) => None,
            (Some(_), None) => return Err(missing(PASSWORD_VARIABLE)),
            (None, Some(_)) => return Err(missing(EMAIL_VARIABLE)),
            (Some(email), Some(password)) => {
                let invalid = |_| InvalidEnv { name: EMAIL_VARIABLE, what: "it is no login" };
                Some(Login::new(&email, password).map_err(invalid)?)
            }
        };
        Ok((provider, login))
    }
}

fn why(error: InvalidSettings) -> InvalidEnv {
    match error {
        InvalidSettings::BaseUrl(error) => InvalidEnv { name: BASE_URL_VARIABLE, what: error.of_it() },
        InvalidSettings::AuthUrl(error) => InvalidEnv { name: AUTH_URL_VARIABLE, what: error.of_it() },
        InvalidSettings::NoAuthUrl => {
            InvalidEnv { name: AUTH_URL_VARIABLE, what: "it is not set, and cannot be derived from the site's" }
        }
        _ => InvalidEnv { name: BASE_URL_VARIABLE, what: "it is not the address of such a site" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<(Auth0, Option<Login>), InvalidEnv> {
        Auth0::from_env(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_empty_environment_is_angel_studios_without_a_login() {
        let (provider, login) = read(&[("ANGEL_EMAIL", " "), ("ANGEL_BASE_URL", "")]).unwrap();
        assert_eq!(provider.base_url(), super::super::ANGEL_BASE_URL);
        assert!(login.is_none());
    }

    #[test]
    fn a_whole_description_is_taken() {
        let (provider, login) = read(&[
            ("ANGEL_EMAIL", "a@b.example"),
            ("ANGEL_PASSWORD", " x "),
            ("ANGEL_BASE_URL", "http://127.0.0.1:1"),
            ("ANGEL_AUTH_URL", "http://localhost:2/"),
        ])
        .unwrap();
        assert_eq!(login.unwrap().password().expose(), " x ");
        assert_eq!((provider.base_url(), provider.auth_url()), ("http://127.0.0.1:1", "http://localhost:2"));
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        for (variables, name) in [
            (&[("ANGEL_EMAIL", "a@b")][..], "ANGEL_PASSWORD"),
            (&[("ANGEL_PASSWORD", "hunter2")], "ANGEL_EMAIL"),
            (&[("ANGEL_BASE_URL", "http://user:hunter2@a.example")], "ANGEL_BASE_URL"),
            (&[("ANGEL_AUTH_URL", "http://hunter2.example")], "ANGEL_AUTH_URL"),
            (&[("ANGEL_BASE_URL", "http://127.0.0.1:1")], "ANGEL_AUTH_URL"),
        ] {
            let error = read(variables).unwrap_err();
            assert_eq!(error.name, name);
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
