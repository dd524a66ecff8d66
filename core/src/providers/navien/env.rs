//! Navien configured by environment variables.

use super::login::{EMAIL_VARIABLE, PASSWORD_VARIABLE};
use super::{Login, Navien};
use crate::exchange::{FromEnv, InvalidEnv};

/// The environment variable that replaces the service's address.
const BASE_URL_VARIABLE: &str = "NAVIEN_BASE_URL";

/// `NAVIEN_EMAIL` and `NAVIEN_PASSWORD` are the login: set both or neither. `NAVIEN_BASE_URL` replaces the service's
/// address. An empty variable counts as not set.
impl FromEnv for Navien {
    fn from_env(lookup: &dyn Fn(&str) -> Option<String>) -> Result<(Self, Option<Login>), InvalidEnv> {
        let set = |name| lookup(name).filter(|value| !value.trim().is_empty());
        let provider = match set(BASE_URL_VARIABLE) {
            Some(url) => {
                Navien::new(&url).map_err(|error| InvalidEnv { name: BASE_URL_VARIABLE, what: error.of_it() })?
            }
            None => Navien::default(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<(Navien, Option<Login>), InvalidEnv> {
        Navien::from_env(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let (provider, login) =
            read(&[("NAVIEN_EMAIL", " "), ("NAVIEN_PASSWORD", ""), ("NAVIEN_BASE_URL", "")]).unwrap();
        assert!(login.is_none());
        assert_eq!(provider.base_url(), super::super::BASE_URL);
    }

    #[test]
    fn half_a_login_is_an_error() {
        assert_eq!(read(&[("NAVIEN_EMAIL", "a@b")]).unwrap_err().name, "NAVIEN_PASSWORD");
        assert_eq!(read(&[("NAVIEN_PASSWORD", "x")]).unwrap_err().name, "NAVIEN_EMAIL");
    }

    #[test]
    fn a_bad_address_is_named_and_not_repeated() {
        let error = read(&[("NAVIEN_BASE_URL", "http://user:hunter2@a.example")]).unwrap_err();
        assert_eq!(error.name, "NAVIEN_BASE_URL");
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn a_complete_login_is_read() {
        let variables =
            [("NAVIEN_EMAIL", "a@b"), ("NAVIEN_PASSWORD", " x "), ("NAVIEN_BASE_URL", "http://127.0.0.1:1/api/")];
        let (provider, login) = read(&variables).unwrap();
        assert_eq!(login.unwrap().password().expose(), " x ");
        assert_eq!(provider.base_url(), "http://127.0.0.1:1/api");
    }
}
