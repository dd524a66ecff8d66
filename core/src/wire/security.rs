//! Checks in front of every transport: where a request may be sent, and what an answer may contain.

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::address::{InvalidUrl, is_this_machine, port};
use super::message::{Request, Response};
use crate::error::{TransportError, TransportErrorKind};

/// Which addresses requests with secrets may be sent to, and which answers are accepted: https only by default.
///
/// A request goes over https, over http to this machine, or over http to a host that was named by
/// [`plain_http_to`](Self::plain_http_to). An answer that is compressed or switches protocols is refused, because
/// neither was requested. No header of either shows in `Debug`. The adapters put these checks in front of every
/// transport. If you drive a session yourself, call [`guard`](Self::guard):
///
/// ```
/// # use perennial_core::{Request, Response, TransportError, TransportSecurity};
/// # fn send(request: Request) -> Result<Response, TransportError> { panic!("{request:?} has left") }
/// # let request = |uri| Request::new(http::Request::get(uri).body(Default::default()).unwrap());
/// let security = TransportSecurity::new();
/// let refused = security.guard(request("http://keycloak:8080/token"), send).unwrap_err();
/// assert_eq!(refused.kind(), perennial_core::TransportErrorKind::NotSent);
///
/// let security = security.plain_http_to("keycloak")?; // a private network, where everybody is trusted
/// assert!(security.check_request(&mut request("http://keycloak:8080/token")).is_ok());
/// # Ok::<_, perennial_core::wire::InvalidUrl>(())
/// ```
///
/// The rules that a transport has to keep itself are listed at [`Request`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransportSecurity {
    plain_http: Vec<PlainHost>,
}

/// A host that plain http is allowed to; on this port only, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PlainHost {
    name: Box<str>,
    port: Option<u16>,
}

/// Marks a request that passed the check, with scheme, host and port that it passed for. The adapters' own transports
/// check again with stricter rules, and this mark tells them that an exception was stated in front of them.
#[derive(Clone, PartialEq, Eq)]
struct Admitted(Box<str>);

impl TransportSecurity {
    /// Allows https, and http to this machine.
    pub const fn new() -> Self {
        Self { plain_http: Vec::new() }
    }

    /// Also allows plain http to this host. Anybody on the way can then read and change requests, passwords and tokens
    /// included. The whole name is compared, in any case, without subdomains; with a port (`keycloak:8080`) only that
    /// port is allowed. Call it again to allow more hosts.
    ///
    /// Two places need these rules: the provider that is given such an address, and the transport that sends to it.
    pub fn plain_http_to(mut self, host: &str) -> Result<Self, InvalidUrl> {
        self.plain_http.push(PlainHost::parse(host)?);
        Ok(self)
    }

    /// Checks whether a request with secrets may be sent to this address.
    pub fn check_address(&self, uri: &Uri) -> Result<(), InvalidUrl> {
        let authority = uri.authority().filter(|authority| !authority.host().is_empty()).ok_or(InvalidUrl::NotAUrl)?;
        if authority.as_str().contains('@') {
            return Err(InvalidUrl::Extra);
        }
        let port = port(authority)?;
        match uri.scheme_str() {
            Some("https") => Ok(()),
            Some("http") if is_this_machine(authority.host()) => Ok(()),
            Some("http") if self.plain_http.iter().any(|known| known.is(authority.host(), port.unwrap_or(80))) => {
                Ok(())
            }
            _ => Err(InvalidUrl::NotHttps),
        }
    }

    /// Checks a request before it is sent, and completes its headers for any transport: it sets `Content-Length`, asks
    /// for no compression (`Accept-Encoding: identity`) and marks all headers sensitive. An error is
    /// [`NotSent`](TransportErrorKind::NotSent), with an [`InvalidUrl`] as its source.
    pub fn check_request(&self, request: &mut Request) -> Result<(), TransportError> {
        let http = &mut request.http;
        let admitted = Admitted::to(http.uri());
        if http.extensions().get() != Some(&admitted) {
            self.check_address(http.uri()).map_err(TransportError::not_sent)?;
            http.extensions_mut().insert(admitted);
        }
        let length = http.body().as_ref().len();
        // RFC 9110 §8.6: `Content-Length: 0` where the method has a body. Some HTTP clients leave it out.
        let has_body = length > 0 || matches!(*http.method(), Method::POST | Method::PUT | Method::PATCH);
        let headers = http.headers_mut();
        headers.remove(TRANSFER_ENCODING);
        headers.remove(CONTENT_LENGTH);
        if has_body {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        hide_headers(headers);
        Ok(())
    }

    /// Checks an answer, whose request allowed `body_cap` bytes of body, and marks its headers sensitive. An error
    /// where it switches protocols or is compressed ([`MaybeSent`](TransportErrorKind::MaybeSent)), or is too large
    /// ([`TooLarge`](TransportErrorKind::TooLarge)).
    pub fn check_response(&self, mut response: Response, body_cap: usize) -> Result<Response, TransportError> {
        if let Some(reason) = uninvited(response.status(), response.headers()) {
            return Err(TransportError::maybe_sent(reason));
        }
        if response.body().as_ref().len() > body_cap {
            return Err(TransportError::new(TransportErrorKind::TooLarge));
        }
        hide_headers(response.headers_mut());
        Ok(response)
    }

    /// Checks the request, sends it with `send`, and checks the answer.
    pub fn guard(
        &self,
        mut request: Request,
        send: impl FnOnce(Request) -> Result<Response, TransportError>,
    ) -> Result<Response, TransportError> {
        self.check_request(&mut request)?;
        let body_cap = request.body_cap;
        self.check_response(send(request)?, body_cap)
    }
}

impl PlainHost {
    fn parse(host: &str) -> Result<Self, InvalidUrl> {
        // A bare IPv6 address has no brackets around it.
        if let Ok(ip) = host.parse::<std::net::Ipv6Addr>() {
            return Ok(Self { name: ip.to_string().into(), port: None });
        }
        let authority: Authority = host.parse().map_err(|_| InvalidUrl::NotAHost)?;
        let port = port(&authority)?;
        let name = authority.host();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
        if name.is_empty() || host.contains('@') || !name.bytes().all(is_name) {
            return Err(InvalidUrl::NotAHost);
        }
        Ok(Self { name: bare(name).into(), port })
    }

    fn is(&self, host: &str, port: u16) -> bool {
        self.name.eq_ignore_ascii_case(&bare(host)) && self.port.is_none_or(|known| known == port)
    }
}

/// A host without brackets, an IPv6 address in its canonical form.
fn bare(host: &str) -> String {
    let host = host.trim_matches(['[', ']']);
    host.parse::<std::net::Ipv6Addr>().map_or_else(|_| host.to_owned(), |ip| ip.to_string())
}

impl Admitted {
    fn to(uri: &Uri) -> Self {
        let authority = uri.authority().map_or("", Authority::as_str);
        Self(format!("{}://{authority}", uri.scheme_str().unwrap_or_default()).into())
    }
}

/// Marks all headers sensitive, so that `Debug` does not show them: they hold tokens, cookies, and addresses with
/// codes.
pub fn hide_headers(headers: &mut HeaderMap) {
    headers.values_mut().for_each(|value| value.set_sensitive(true));
}

/// Why an answer must be refused: it switches protocols, or its body is compressed. `None` where it is fine.
///
/// Requests ask for `identity` (RFC 9110 §12.5.3), and a compressed body may unpack to any size. A transfer coding
/// other than `chunked` (RFC 9112 §6.1) makes the body unreadable, and some libraries pass it on as if it were plain.
pub fn uninvited(status: StatusCode, headers: &HeaderMap) -> Option<&'static str> {
    let is = |name, only: &str| {
        let values = headers.get_all(name).iter();
        let mut codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        codings.all(|coding| coding.trim_ascii().eq_ignore_ascii_case(only.as_bytes()))
    };
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Some("the answer switches protocols, uninvited");
    }
    let plain = is(CONTENT_ENCODING, "identity") && is(TRANSFER_ENCODING, "chunked");
    (!plain).then_some("the answer is compressed, uninvited")
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::wire::Body;

    fn request(uri: &str) -> Request {
        Request::new(http::Request::post(uri).header("authorization", "Bearer canary").body(Body::empty()).unwrap())
    }

    fn answer(name: http::HeaderName, value: &'static str, body: &[u8]) -> Response {
        let mut answer = Response::new(body.to_vec().into());
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
        answer
    }

    fn why(refused: &TransportError) -> InvalidUrl {
        assert_eq!(refused.kind(), TransportErrorKind::NotSent);
        *refused.source().unwrap().downcast_ref().unwrap()
    }

    #[test]
    fn plain_http_is_refused_unless_the_host_was_named() {
        let strict = TransportSecurity::new();
        for uri in ["https://a.example/token", "http://127.0.0.1:1/", "http://[::1]/", "http://localhost:81/"] {
            assert!(strict.check_request(&mut request(uri)).is_ok(), "{uri}");
        }
        for (uri, expected) in [
            ("http://a.example/token", InvalidUrl::NotHttps),
            ("http://keycloak:8080/", InvalidUrl::NotHttps),
            ("ftp://127.0.0.1/", InvalidUrl::NotHttps),
            ("/token", InvalidUrl::NotAUrl),
            ("https://user:canary@a.example/", InvalidUrl::Extra),
        ] {
            let refused = strict.guard(request(uri), |_| panic!("{uri} was sent")).unwrap_err();
            assert_eq!(why(&refused), expected, "{uri}");
        }
        let text = InvalidUrl::NotHttps.to_string();
        assert!(text.contains("plain_http_to"), "{text}");
    }

    #[test]
    fn an_address_with_an_invalid_port_is_refused() {
        let security = TransportSecurity::new().plain_http_to("keycloak").unwrap();
        for port in [":80800", ":0", ":65536", ":", ":x", ":+80", ":8080x", ":-1"] {
            for host in ["https://a.example", "https://[::1]", "http://127.0.0.1", "http://keycloak"] {
                let uri: Uri = format!("{host}{port}/token").parse().unwrap();
                assert_eq!(security.check_address(&uri), Err(InvalidUrl::Port), "{uri}");
            }
        }
        for port in ["", ":1", ":080", ":65535"] {
            assert!(security.check_request(&mut request(&format!("http://keycloak{port}/token"))).is_ok(), "{port}");
        }
    }

    #[test]
    fn an_exception_is_for_one_host_alone() {
        let allows = |named: &str, uri: &'static str| {
            TransportSecurity::new().plain_http_to(named).unwrap().check_address(&Uri::from_static(uri)).is_ok()
        };
        for (named, uri, expected) in [
            ("keycloak", "http://keycloak:8080/token", true),
            ("Keycloak", "http://kEYCLOAK/token", true),
            ("keycloak", "http://keycloak.evil.example/", false),
            ("keycloak", "http://a.keycloak/", false),
            ("keycloak", "http://keycloak-2/", false),
            ("keycloak", "ftp://keycloak/", false),
            ("keycloak", "http://user@keycloak/", false),
            ("keycloak", "http://keycloak@evil.example/", false),
            ("keycloak:8080", "http://keycloak:8080/", true),
            ("keycloak:8080", "http://keycloak:8081/", false),
            ("keycloak:8080", "http://keycloak/", false),
            ("keycloak:80", "http://keycloak/", true),
            ("10.0.0.7", "http://10.0.0.7:1/", true),
            ("10.0.0.7", "http://10.0.0.70/", false),
            ("fd00::7", "http://[fd00:0::7]:80/", true),
            ("[FD00::7]:80", "http://[fd00::7]/", true),
            ("[fd00::7]:81", "http://[fd00::7]/", false),
        ] {
            assert_eq!(allows(named, uri), expected, "{named} {uri}");
        }
        let two = TransportSecurity::new().plain_http_to("a").unwrap().plain_http_to("b:1").unwrap();
        assert!(["http://a/", "http://b:1/"].iter().all(|uri| two.check_address(&Uri::from_static(uri)).is_ok()));
    }

    #[test]
    fn a_name_that_is_no_host_is_refused() {
        for odd in ["", "http://keycloak", "a/b", "user@a", "*", "*.a", "a b", "a,b", "%61"] {
            assert_eq!(TransportSecurity::new().plain_http_to(odd), Err(InvalidUrl::NotAHost), "{odd}");
        }
        for odd in ["a:80800", "a:0", "a:"] {
            assert_eq!(TransportSecurity::new().plain_http_to(odd), Err(InvalidUrl::Port), "{odd}");
        }
    }

    #[test]
    fn a_stricter_check_behind_another_lets_through_what_that_one_allowed() {
        let exception = TransportSecurity::new().plain_http_to("keycloak").unwrap();
        let strict = TransportSecurity::new();
        let mut request = request("http://keycloak:8080/token");
        exception.check_request(&mut request).unwrap();
        assert!(strict.check_request(&mut request).is_ok());
        // The mark is for this address, not for the request.
        for elsewhere in ["http://evil.example/token", "http://keycloak:8081/token"] {
            *request.http.uri_mut() = Uri::from_static(elsewhere);
            assert!(strict.check_request(&mut request).is_err(), "{elsewhere}");
        }
    }

    #[test]
    fn a_checked_request_has_a_length_and_asks_for_no_compression() {
        let mut request = request("https://a.example/token");
        let headers = request.http.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("999"));
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        TransportSecurity::new().check_request(&mut request).unwrap();
        let headers = request.http.headers();
        assert!(!format!("{headers:?}").contains("canary"));
        assert_eq!(headers.len(), 3);
        assert_eq!(headers[CONTENT_LENGTH], "0");
        assert_eq!(headers["authorization"], "Bearer canary");
        assert_eq!(headers[ACCEPT_ENCODING], "identity");
    }

    #[test]
    fn compressed_answers_and_switched_protocols_are_refused() {
        let got = |name, value| {
            TransportSecurity::new().check_response(answer(name, value, b""), 9).map_err(|refused| refused.kind())
        };
        for (name, value, expected) in [
            (CONTENT_ENCODING, "identity", true),
            (CONTENT_ENCODING, "Identity, identity", true),
            (CONTENT_ENCODING, "br", false),
            (CONTENT_ENCODING, "identity, gzip", false),
            (TRANSFER_ENCODING, "Chunked", true),
            (TRANSFER_ENCODING, "gzip, chunked", false),
            (TRANSFER_ENCODING, "identity", false),
        ] {
            match got(name, value) {
                Ok(_) => assert!(expected, "{value}"),
                Err(kind) => assert!(!expected && kind == TransportErrorKind::MaybeSent, "{value}"),
            }
        }
        assert!(uninvited(StatusCode::SWITCHING_PROTOCOLS, &HeaderMap::new()).is_some());
        assert_eq!(uninvited(StatusCode::NO_CONTENT, &HeaderMap::new()), None);
    }

    #[test]
    fn an_answer_is_held_to_its_cap_and_hides_its_headers() {
        let guarded = |cap| {
            let mut request = request("https://a.example/token");
            request.body_cap = cap;
            let send = |_| Ok(answer(http::header::SET_COOKIE, "canary", b"hello"));
            TransportSecurity::new().guard(request, send)
        };
        assert_eq!(guarded(4).unwrap_err().kind(), TransportErrorKind::TooLarge);
        let answer = guarded(5).unwrap();
        assert!(!format!("{answer:?}").contains("canary"));
        assert_eq!(answer.headers()["set-cookie"], "canary");
    }
}
