//! Tools for providers and transports: request and response bodies that are wiped, forms, JSON that is read leniently
//! in its encoding and strictly in its meaning, `Retry-After`, and checks of where a password may be sent.

mod body;
mod form;
mod headers;
mod json;
mod lenient;
mod login;
#[cfg(any(feature = "navien", feature = "oauth2"))]
mod plain;
mod security;
mod url;

pub use self::body::{Body, BodyBuffer, BodyTooLarge};
pub use self::form::{form_decode, form_encode, form_request};
pub use self::headers::{MAX_RETRY_AFTER, failure, retry_after, server_time};
#[allow(unused_imports, reason = "which of them are used depends on the services that are built")]
pub(crate) use self::headers::{failure_under, looks_like_a_page};
pub use self::json::{Lifetime, json_request, parse_json};
pub use self::lenient::{Number, Object, Text};
#[cfg(test)]
pub(crate) use self::login::not_quite;
pub use self::login::{LoginText, read_login, write_login};
#[cfg(any(feature = "navien", feature = "oauth2"))]
pub(crate) use self::plain::{AnyText, UnescapedStr};
pub use self::security::{InvalidHost, TransportSecurity, hide_headers, uninvited};
#[cfg(feature = "auth0")]
pub(crate) use self::url::port;
pub use self::url::{BaseUrl, InvalidUrl, is_safe};
