//! The parts of HTTP messages.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use serde::Deserialize;

use crate::check::{check_error, check_silent, clock, json, outcome};
use perennial_core::credentials::{MAX_LIFETIME, Now, Timestamp};
use perennial_core::exchange::Response;
use perennial_core::mqtt::ConnectOptions;
use perennial_core::wire::{
    BaseUrl, Body, Lifetime, MAX_RETRY_AFTER, Number, Object, Text, failure, form_decode, form_encode, is_safe,
    parse_json, read_login, retry_after, server_time, write_login,
};

/// Any two header values as `Retry-After` and `Date`, by any clock: bounded, and the same twice. The first byte
/// chooses the clocks.
///
/// # Panics
/// Where that does not hold.
pub(super) fn retry(data: &[u8]) {
    let Some((clocks, data)) = data.split_first() else { return };
    let now = clock(*clocks);
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in [header::RETRY_AFTER, header::DATE] {
        if let Some(Ok(value)) = parts.next().map(HeaderValue::from_bytes) {
            headers.insert(name, value);
        }
    }
    let wait = retry_after(&headers, now);
    assert!(wait.is_none_or(|wait| wait <= MAX_RETRY_AFTER), "{wait:?}");
    let given = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    if let Some(Ok(seconds)) = given.map(str::parse::<u16>)
        && given.is_some_and(|text| !text.starts_with('+'))
    {
        assert_eq!(wait, Some(Duration::from_secs(seconds.into()).min(MAX_RETRY_AFTER)));
    }
    assert_eq!(wait, retry_after(&headers, now));
    // With the service's own `Date` beside it, a clock of ours does not matter.
    if server_time(&headers).is_some() {
        assert_eq!(wait, retry_after(&headers, Now::default()));
    }
    for status in [200, 302, 400, 404, 429, 500, 503].map(StatusCode::from_u16).into_iter().flatten() {
        let mut response = Response::new(Body::empty());
        (*response.status_mut(), *response.headers_mut()) = (status, headers.clone());
        match failure(&response, now) {
            Some(error) => check_error(&error, &[]),
            None => assert!(status.is_success() || status == StatusCode::BAD_REQUEST, "{status} is no failure"),
        }
    }
}

/// Any text as a date of either kind: what is read is written so that it is read back the same.
///
/// # Panics
/// Where that does not hold.
pub(super) fn moment(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = [Timestamp::parse_iso8601(text), Timestamp::parse_http_date(text)];
    // A zone can move a moment out of the years that can be written.
    for read in read.into_iter().flatten().filter(|read| read.to_utc().is_some_and(|moment| moment.year() >= 0)) {
        let written = read.to_string();
        assert_eq!(Timestamp::parse_iso8601(&written), Some(read), "{text:?} is {written}");
        // Without its zone it is the same moment: UTC is assumed, never local time.
        assert_eq!(Timestamp::parse_iso8601(written.trim_end_matches('Z')), Some(read), "{text:?}");
    }
    assert_eq!(Timestamp::parse_iso8601(text), Timestamp::parse_iso8601(&format!(" {text}\n")));
}

/// Any JSON as the values that an answer is made of: a lifetime is unknown, or more than nothing and at most a year; a
/// number is the one that stands there; an error repeats nothing.
///
/// # Panics
/// Where that does not hold.
pub(super) fn json_value(data: &[u8]) {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(default)]
        expires_in: Lifetime,
        #[serde(default)]
        code: Number,
        #[serde(borrow, default)]
        msg: Text<'a>,
    }
    let check = |lifetime: Lifetime| {
        if let Some(lifetime) = lifetime.0 {
            assert!(!lifetime.is_zero() && lifetime <= MAX_LIFETIME, "{lifetime:?}");
        }
    };
    let plain = json(data);
    if let Ok(lifetime) = parse_json::<Lifetime>(data) {
        check(lifetime);
    }
    if let Ok(number) = parse_json::<Number>(data) {
        let told = plain.as_ref().and_then(serde_json::Value::as_i64);
        assert!(told.is_none() || told == number.value(), "{told:?} is {number:?}");
    }
    match parse_json::<Text<'_>>(data) {
        Ok(text) => {
            let told = plain.as_ref().and_then(serde_json::Value::as_str).filter(|text| !text.trim().is_empty());
            assert!(plain.is_none() || told == text.get(), "another text than there is");
        }
        Err(error) => check_error(&error, data),
    }
    let read = || parse_json::<Object<Answer<'_>>>(data);
    let write = |Object(answer): &Object<Answer<'_>>| {
        answer.as_ref().map_or_else(String::new, |answer| {
            format!("{:?} {:?} {:?}", answer.expires_in, answer.code, answer.msg.get())
        })
    };
    let said = read();
    match &said {
        Ok(Object(answer)) => answer.iter().for_each(|answer| check(answer.expires_in)),
        Err(error) => check_error(error, data),
    }
    assert_eq!(outcome(&said, write), outcome(&read(), write));
}

/// Any text as an address of each kind: what is taken is safe to send a password to, has a host and no user name, and
/// is taken again; a refusal does not repeat it.
///
/// # Panics
/// Where that does not hold.
pub(super) fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let check = |uri: &Uri| {
        assert!(is_safe(uri), "{uri} is not safe");
        let authority = uri.authority().map(http::uri::Authority::as_str);
        assert!(authority.is_some_and(|authority| !authority.contains('@')), "{uri} has a user");
        assert!(uri.host().is_some_and(|host| !host.is_empty()), "{uri} has no host");
    };
    match BaseUrl::parse(text) {
        Ok(base) => {
            check(&base.join("/path"));
            assert_eq!(base.join("/path").query(), None);
            assert_eq!(BaseUrl::parse(base.as_str()).as_ref(), Ok(&base));
            assert!(base.join("/path").path().ends_with("/path"), "a path that is not joined");
        }
        Err(error) => check_silent(error),
    }
    match ConnectOptions::new(text) {
        Ok(ticket) => {
            let host = ticket.host().to_owned();
            assert!(!host.is_empty() && !host.contains(['@', '/', '?', '#', ' ']), "{host:?}");
            // What it shows is the host alone.
            let rest = text.split_once(&host).map_or("", |(_, rest)| rest);
            assert!(rest.len() < 12 || !format!("{ticket:?}").contains(rest), "more than the host shows");
        }
        Err(error) => check_silent(error),
    }
    oauth_address(text, check);
}

fn oauth_address(text: &str, check: impl Fn(&Uri)) {
    use perennial_core::exchange::Exchange as _;
    use perennial_core::oauth2::{Discovery, Endpoint};

    match Endpoint::parse(text) {
        Ok(endpoint) => {
            check(endpoint.uri());
            assert_eq!(Endpoint::parse(&endpoint.to_string()).as_ref(), Ok(&endpoint));
        }
        Err(error) => check_silent(error),
    }
    if let Ok(mut discovery) = Discovery::new(text) {
        let asked = discovery.start(Now::default());
        check(asked.http.uri());
        assert_eq!(
            asked.http.uri().authority(),
            text.trim().parse::<Uri>().ok().and_then(|uri| uri.authority().cloned()).as_ref()
        );
    }
}

/// Any text as a form, and any pairs in one: what is written is read back the same, and has nothing in it that needs
/// encoding.
///
/// # Panics
/// Where that does not hold.
pub(super) fn form(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let pairs: Option<Vec<(String, String)>> = form_decode(text).collect();
    let round_trip = |pairs: &[(String, String)]| {
        let written = form_encode(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"*-._+%=&".contains(&byte);
        assert!(written.expose().bytes().all(plain), "{:?} is not encoded", written.expose());
        let read: Option<Vec<_>> = form_decode(written.expose()).collect();
        assert_eq!(read.as_deref(), Some(pairs));
    };
    if let Some(pairs) = pairs {
        round_trip(&pairs);
    }
    let pairs: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap_or((line, ""))).collect();
    round_trip(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>());
}

/// Any text as a kept login: what is read is written back so that it is read the same; any two texts are kept and read
/// back.
///
/// # Panics
/// Where that does not hold.
pub(super) fn kept_login(data: &[u8]) {
    const KIND: &str = "kept";
    const NAMES: [&str; 2] = ["name", "word"];
    let Ok(text) = std::str::from_utf8(data) else { return };
    let round_trip = |name: &str, word: &str| {
        let written = write_login(KIND, &[("name", name), ("word", word)]);
        assert!(!written.expose().contains('\\'), "an escape that a parser copies");
        let [read, also] = read_login(KIND, written.expose(), NAMES).expect("it is read back");
        assert!((read.expose(), also.expose()) == (name, word), "read back otherwise");
        assert!(read_login("other", written.expose(), NAMES).is_none());
    };
    if let Some([name, word]) = read_login(KIND, text, NAMES) {
        round_trip(name.expose(), word.expose());
    }
    let (name, word) = text.split_once('\n').unwrap_or((text, ""));
    round_trip(name, word);
    provider_login(&perennial_core::providers::navien::Navien::default(), text);
    provider_login(&perennial_core::providers::auth0::Auth0::angel_studios(), text);
    if let Ok(mosaia) = perennial_core::providers::mosaia::Mosaia::builder().build() {
        provider_login(&mosaia, text);
    }
    if let Ok(settrade) = perennial_core::providers::settrade::Settrade::new("SANDBOX", "ALGO") {
        provider_login(&settrade, text);
    }
    if let Ok(profile) = perennial_core::oauth2::Profile::new("https://a.example/token", "client") {
        provider_login(&perennial_core::providers::oauth2::OAuth2::new(profile), text);
    }
}

fn provider_login(provider: &impl perennial_core::exchange::Provider, text: &str) {
    let Some(login) = provider.read_login(text) else { return };
    let written = provider.write_login(&login).expect("what was read can be written");
    let again = provider.read_login(written.expose()).expect("what was written can be read");
    assert_eq!(provider.account_id(&login), provider.account_id(&again));
    let rewritten = provider.write_login(&again).expect("what was read can be written");
    assert!(written.expose() == rewritten.expose(), "written back otherwise");
}
