//! Which of the service's two token endpoints refreshes a token.

use crate::credentials::{Credentials, Secret};
use crate::grant::Grant;

/// The extra field in which credentials keep the endpoint that took their refresh token last.
const TOKEN_PATH: &str = "token_path";

/// Which endpoint refreshes a token. The service's own client uses the address without the version, perhaps by mistake.
/// The one with the version, which exchanges codes, is asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TokenPath {
    #[default]
    Versioned,
    Unversioned,
}

impl TokenPath {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Versioned => Self::Unversioned,
            Self::Unversioned => Self::Versioned,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Versioned => "versioned",
            Self::Unversioned => "unversioned",
        }
    }

    /// The endpoint that answered the last refresh of these credentials.
    pub(super) fn remembered(have: &Credentials) -> Self {
        match have.extra(TOKEN_PATH) {
            Some(path) if path == Self::Unversioned.name() => Self::Unversioned,
            _ => Self::Versioned,
        }
    }

    /// The grant with this endpoint among its extra fields, which are saved with the credentials: the next refresh asks
    /// there first. It goes to the end, where it wins over a field of the service with the same name.
    pub(super) fn remember(self, grant: Grant) -> Grant {
        if grant.extra.is_none() && grant.flaw.is_some() {
            // Extra fields would replace those of the credentials that are held.
            return grant;
        }
        let fields = grant.extra.as_ref().map_or("{}", Secret::expose);
        let fields = fields.trim_end().strip_suffix('}').unwrap_or("{");
        let comma = if fields.trim_end().ends_with('{') { "" } else { "," };
        // With room for all of it: growing would leave a copy behind.
        let mut extra = String::with_capacity(fields.len() + TOKEN_PATH.len() + self.name().len() + 8);
        for piece in [fields, comma, "\"", TOKEN_PATH, "\":\"", self.name(), "\"}"] {
            extra.push_str(piece);
        }
        Grant { extra: Some(Secret::from(extra)), ..grant }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::{AccessToken, Now, Validity};

    fn credentials(extra: Option<&str>) -> Credentials {
        let access = AccessToken::new("Bearer", "a", Validity::unknown(Now::default())).unwrap();
        let grant = Grant { access: Some(access), extra: extra.map(Secret::from), ..Grant::default() };
        Credentials::from_grant(grant, None).unwrap()
    }

    #[test]
    fn the_endpoint_of_the_last_refresh_is_kept_beside_the_services_extra_fields() {
        for extra in [None, Some("{}"), Some("{ }"), Some(r#"{"sub":"s"}"#), Some(r#"{"sub":"s","token_path":1}"#)] {
            for path in [TokenPath::Versioned, TokenPath::Unversioned] {
                let grant = path.remember(Grant { extra: extra.map(Secret::from), ..Grant::default() });
                let have = credentials(grant.extra.as_ref().map(Secret::expose));
                assert_eq!(TokenPath::remembered(&have), path, "{extra:?}");
                let sub = extra.filter(|extra| extra.contains("sub")).map(|_| "s".into());
                assert_eq!(have.extra("sub"), sub, "{extra:?}");
            }
        }
        assert_eq!(TokenPath::remembered(&credentials(None)), TokenPath::Versioned);
    }
}
