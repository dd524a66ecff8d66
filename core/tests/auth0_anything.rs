//! Auth0 with random answers: no panic, no request to another host, the password in one form alone.
#![cfg(feature = "auth0")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use http::{HeaderName, HeaderValue, StatusCode};
use perennial_core::providers::auth0::{Auth0, Login, Page, validate};
use perennial_core::{Exchange, Now, Request, Response, Step};
use proptest::prelude::*;

const HOSTS: [&str; 3] = ["www.angel.com", "angel.com", "auth.angel.com"];
const PASSWORD: &str = "pa55w0rd";

/// Pages with their form, pages without it, and noise between their parts.
fn page() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("<input name=state value=s>".to_owned()),
        Just("<input name='_csrf_token' value='c'>".to_owned()),
        Just("<div class=error-message>Wrong password</div>".to_owned()),
        Just("<script>".to_owned()),
        Just("</script>".to_owned()),
        Just("<!--".to_owned()),
        Just("-->".to_owned()),
        "[<>a-z='\"/&;! \\x00-\\x1f]{0,12}",
        any::<String>(),
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn location() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("https://".to_owned()),
        Just("http://".to_owned()),
        Just("//".to_owned()),
        Just("/".to_owned()),
        Just("..".to_owned()),
        Just("\\".to_owned()),
        Just("@".to_owned()),
        Just(":443".to_owned()),
        Just("www.angel.com".to_owned()),
        Just("auth.angel.com".to_owned()),
        Just("evil.example".to_owned()),
        "[a-z?#%&=.:]{0,6}",
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

fn cookie() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("angel_jwt"), Just("angel_jwt_v2"), Just("angelSession"), Just("x")];
    let value = prop_oneof![Just("e30.e30.x".to_owned()), "[a-z.\"=; ]{0,8}"];
    let rest = prop_oneof![
        Just(String::new()),
        Just("; Max-Age=0".to_owned()),
        Just("; Domain=.angel.com".to_owned()),
        Just("; Domain=evil.example".to_owned()),
        "[a-zA-Z=;, 0-9-]{0,20}",
    ];
    (name, value, rest).prop_map(|(name, value, rest)| format!("{name}={value}{rest}"))
}

fn answer() -> impl Strategy<Value = Response> {
    let status = prop_oneof![4 => Just(200_u16), 3 => Just(302), 1 => 200_u16..600];
    let headers = (prop::option::of(location()), prop::collection::vec(cookie(), 0..3));
    (status, headers, page()).prop_map(|(status, (location, cookies), body)| {
        let mut response = Response::new(body.into_bytes().into());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let cookies = cookies.into_iter().map(|cookie| ("set-cookie", cookie));
        for (name, value) in location.map(|location| ("location", location)).into_iter().chain(cookies) {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                response.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        response
    })
}

fn is_proper(request: &Request) -> bool {
    let uri = request.http.uri();
    let at_home = uri.scheme_str() == Some("https")
        && uri.host().is_some_and(|host| HOSTS.contains(&host.to_ascii_lowercase().as_str()))
        && uri.port_u16().is_none_or(|port| port == 443);
    let form = std::str::from_utf8(request.http.body().as_ref()).unwrap();
    let is_form = request.http.method() == "POST" && uri.host() == Some("auth.angel.com") && uri.path() == "/u/login";
    let shows = |text: &str| text.contains(PASSWORD);
    let headers = request.http.headers().values().any(|value| value.to_str().is_ok_and(shows));
    at_home && !headers && !shows(&uri.to_string()) && form.is_empty() != is_form && shows(form) == is_form
}

proptest! {
    #[test]
    fn a_sign_in_never_leaves_the_site(answers in prop::collection::vec(answer(), 1..40)) {
        let login = Login::new("viewer@example.com", PASSWORD).unwrap();
        let mut exchange = Auth0::angel_studios().sign_in(&login);
        let first = exchange.start(Now::default());
        prop_assert!(is_proper(&first), "{first:?}");
        let mut forms = 0;
        for answer in answers {
            match exchange.receive(answer, Now::default()) {
                Ok(Step::Send(request)) => {
                    prop_assert!(is_proper(&request), "{request:?}");
                    forms += usize::from(request.http.method() == "POST");
                }
                Ok(Step::Done(grant)) => {
                    prop_assert!(grant.access.is_some());
                    break;
                }
                Err(error) => {
                    let said = format!("{error} {error:?}");
                    prop_assert!(!said.contains(PASSWORD), "{said}");
                    break;
                }
            }
        }
        prop_assert!(forms <= 1, "the password was shown {} times", forms);
    }

    #[test]
    fn any_bytes_are_read_as_a_page(bytes: Vec<u8>, html in page()) {
        Page::read(&bytes);
        let page = Page::read(html.as_bytes());
        prop_assert!(page.state().is_none_or(|state| !state.expose().trim().is_empty()));
        prop_assert!(page.error().is_none_or(|error| !error.is_empty()));
    }

    #[test]
    fn any_text_has_a_jwt_status(text: String, token in "[a-zA-Z0-9_=-]{0,40}\\.[a-zA-Z0-9_=-]{0,40}\\.[a-zA-Z0-9_-]{0,10}") {
        validate(&text, Now::default());
        validate(&token, Now::default());
        let _ = Auth0::angel_studios().from_token(&text, Now::default());
        let _ = Auth0::angel_studios().from_token(&token, Now::default());
    }
}
