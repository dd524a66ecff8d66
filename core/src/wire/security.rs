//! The rules that stand in front of every transport: where a request may go, and what an answer may bring.

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::url::{InvalidUrl, is_this_machine, port};
use crate::error::{TransportError, TransportErrorKind};
use crate::exchange::{Request, Response};

/// The rules of sending, for any transport: the adapters' or your own.
///
/// A request goes over https, or over http to this machine, or over http to a host that was named by
/// [`plain_http_to`](Self::plain_http_to). What an answer brings uninvited is refused, and no header of either shows
/// in `Debug`. The adapters put these checks in front of whatever transport they are given; who drives a session by
/// hand calls [`guard`](Self::guard):
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
/// # Ok::<_, perennial_core::wire::InvalidHost>(())
/// ```
///
/// What cannot be seen from outside is the transport's own part; it stands at [`Request`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransportSecurity {
    plain_http: Vec<PlainHost>,
}

/// A host that is spoken to without TLS; on this port only, where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PlainHost {
    name: Box<str>,
    port: Option<u16>,
}

/// This is not the name of a host: `keycloak`, `keycloak:8080`, `10.0.0.7`, `[fd00::7]:8080` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the name of a host, with or without a port")]
pub struct InvalidHost;

/// Stays with a request that was let through, and says to where. The adapters' own transports check too, and know by
/// it that somebody in front of them stated an exception.
#[derive(Clone, PartialEq, Eq)]
struct Admitted(Box<str>);

impl TransportSecurity {
    /// https only, and http to this machine.
    pub const fn new() -> Self {
        Self { plain_http: Vec::new() }
    }

    /// Also lets requests go to this host over plain http: whoever is on the way reads and changes them, passwords and
    /// tokens included. The name is compared letter by letter, in any case and without its subdomains; with a port
    /// (`keycloak:8080`) only that port is meant. Called again: both.
    ///
    /// It takes two to send there: the provider that is to have such an address, and the client that sends to it.
    pub fn plain_http_to(mut self, host: &str) -> Result<Self, InvalidHost> {
        self.plain_http.push(PlainHost::parse(host)?);
        Ok(self)
    }

    /// Whether a request with secrets may go there.
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

    /// Looks at a request before it is sent, and makes it fit for any transport: its length is told, no compression
    /// invited, no header shows in `Debug`. An error is `NotSent`, with an [`InvalidUrl`] as its source.
    pub fn check_request(&self, request: &mut Request) -> Result<(), TransportError> {
        let http = &mut request.http;
        let admitted = Admitted::to(http.uri());
        if http.extensions().get() != Some(&admitted) {
            self.check_address(http.uri()).map_err(TransportError::not_sent)?;
            http.extensions_mut().insert(admitted);
        }
        let length = http.body().as_ref().len();
        // RFC 9110 §8.6: an empty body is announced where the method means one. Some clients leave it out.
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

    /// Looks at the answer, whose request allowed so many bytes of body. What came uninvited or is too large is an
    /// error; of all else the headers are hidden.
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

    /// Sends by `send`, with both checks around it.
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
    fn parse(host: &str) -> Result<Self, InvalidHost> {
        // A bare IPv6 address has no brackets around it.
        if let Ok(ip) = host.parse::<std::net::Ipv6Addr>() {
            return Ok(Self { name: ip.to_string().into(), port: None });
        }
        let authority: Authority = host.parse().map_err(|_| InvalidHost)?;
        let port = port(&authority).map_err(|_| InvalidHost)?;
        let name = authority.host();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
        if name.is_empty() || host.contains('@') || !name.bytes().all(is_name) {
            return Err(InvalidHost);
        }
        Ok(Self { name: bare(name).into(), port })
    }

    fn is(&self, host: &str, port: u16) -> bool {
        self.name.eq_ignore_ascii_case(&bare(host)) && self.port.is_none_or(|known| known == port)
    }
}

/// Without brackets; an IPv6 address in its one shortest form.
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

/// Marks headers as sensitive: tokens and cookies are in them, and addresses with codes. `Debug` does not show them
/// then.
pub fn hide_headers(headers: &mut HeaderMap) {
    headers.values_mut().for_each(|value| value.set_sensitive(true));
}

/// What nobody asked for: another protocol, or a body that is compressed. `None` where there is nothing of it.
///
/// RFC 9110 §12.5.3: we asked for `identity`, and a bomb need not be small. RFC 9112 §6.1: a transfer coding that
/// nobody knows makes an unreadable body, and some libraries take it for a plain one.
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
    fn nothing_leaves_in_the_clear_that_was_not_said_to() {
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
        let told = InvalidUrl::NotHttps.to_string();
        assert!(told.contains("plain_http_to"), "{told}");
    }

    #[test]
    fn a_port_that_is_none_is_not_another_one() {
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
    fn what_is_no_host_cannot_be_named() {
        for odd in ["", "http://keycloak", "a/b", "user@a", "a:80800", "a:0", "a:", "*", "*.a", "a b", "a,b", "%61"] {
            assert_eq!(TransportSecurity::new().plain_http_to(odd), Err(InvalidHost), "{odd}");
        }
    }

    #[test]
    fn rules_in_front_of_rules_know_what_was_let_through() {
        let exception = TransportSecurity::new().plain_http_to("keycloak").unwrap();
        let strict = TransportSecurity::new();
        let mut request = request("http://keycloak:8080/token");
        exception.check_request(&mut request).unwrap();
        assert!(strict.check_request(&mut request).is_ok());
        // What was let through is this address, not the request.
        for elsewhere in ["http://evil.example/token", "http://keycloak:8081/token"] {
            *request.http.uri_mut() = Uri::from_static(elsewhere);
            assert!(strict.check_request(&mut request).is_err(), "{elsewhere}");
        }
    }

    #[test]
    fn a_request_is_made_fit_for_any_transport() {
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
    fn what_nobody_asked_for_is_refused() {
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
