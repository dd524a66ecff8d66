//! The grant types of OAuth 2.

/// Which OAuth grant a token request used. It decides what an error rejects: the refresh token, or the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantType {
    /// `authorization_code`: the code of a redirect (RFC 6749 §4.1).
    AuthorizationCode,
    /// `client_credentials`: the client's own id and proof (RFC 6749 §4.4).
    ClientCredentials,
    /// `device_code`: the device flow (RFC 8628).
    DeviceCode,
    /// `password`: a user's name and password (RFC 6749 §4.3).
    Password,
    /// `refresh_token` (RFC 6749 §6).
    RefreshToken,
}

impl GrantType {
    /// The short name of the grant, which [`Credentials::grant_type`](crate::Credentials::grant_type) returns after a sign-in with it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "device_code",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
        }
    }

    /// Whether a 401 without an error code can only mean that the login is wrong.
    pub(super) fn shows_a_login(self) -> bool {
        matches!(self, Self::ClientCredentials | Self::Password)
    }
}
