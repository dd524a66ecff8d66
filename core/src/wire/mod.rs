//! Tools for providers and transports: request and response bodies that are wiped, forms, JSON that is read leniently
//! in its encoding and strictly in its meaning, `Retry-After`, and checks of where a password may be sent.

mod address;
mod body;
mod form;
mod headers;
mod json;
mod lenient;
mod login;
mod message;
#[cfg(any(feature = "navien", feature = "oauth2"))]
mod plain;
mod security;
mod url;

#[cfg(feature = "auth0")]
pub(crate) use self::address::port;
pub use self::address::{InvalidUrl, is_safe};
pub use self::body::{Body, BodyBuffer};
pub use self::form::{form_decode, form_encode, form_request};
pub use self::headers::{MAX_RETRY_AFTER, failure, retry_after, server_time};
#[allow(unused_imports, reason = "which of them are used depends on the services that are built")]
pub(crate) use self::headers::{failure_under, looks_like_a_page};
pub use self::json::{Lifetime, json_request, parse_json};
pub use self::lenient::{Number, Object, Text};
pub(crate) use self::login::LoginText;
#[cfg(test)]
pub(crate) use self::login::not_quite;
pub use self::login::{read_login, write_login};
pub use self::message::{BODY_CAP, REQUEST_TIMEOUT, Request, RequestId, Response};
#[cfg(any(feature = "navien", feature = "oauth2"))]
pub(crate) use self::plain::{AnyText, UnescapedStr};
pub use self::security::{TransportSecurity, hide_headers, uninvited};
pub use self::url::BaseUrl;
