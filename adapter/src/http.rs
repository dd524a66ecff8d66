//! What the HTTP transports of the adapters have in common. A transport of your own can use it, too.

use http::header::{CONNECTION, USER_AGENT};
use http::{HeaderMap, HeaderValue};

pub use perennial_core::wire::{hide_headers, uninvited};

/// The largest head (status line and headers) of an answer that is read: 64 KiB.
pub const HEAD_CAP: usize = 64 * 1024;

/// Sets the headers that the transport decides on: `Connection: close`, because each request has a connection of its
/// own, and `User-Agent`, unless the request has one. The rest was set by
/// [`TransportSecurity::check_request`](perennial_core::TransportSecurity::check_request).
pub fn prepare_headers(headers: &mut HeaderMap, user_agent: &HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.entry(USER_AGENT).or_insert_with(|| user_agent.clone());
}
