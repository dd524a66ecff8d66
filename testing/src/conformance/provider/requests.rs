//! Where requests go, and what stands where.

use http::{HeaderMap, Method, StatusCode, Uri};
use perennial_core::{Call, Judgement, Provider, TransportSecurity};

use super::rig::decoded;
use super::subject::{ProviderUnderTest, START};

pub(super) fn every_request_goes_over_https_or_to_this_machine<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let security = TransportSecurity::new();
    for walk in under_test.walks() {
        for request in &walk.requests {
            let (name, host) = (walk.name, request.uri.host().unwrap_or_default());
            if let Err(refused) = security.check_address(&request.uri) {
                panic!("`{name}` sends to {host}: {refused}");
            }
        }
    }
}

pub(super) fn no_address_holds_a_secret<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let walks = under_test.walks();
    for walk in &walks {
        let secrets = [walk.tokens(), under_test.secrets.clone()].concat();
        for request in &walk.requests {
            let address = request.uri.to_string();
            let address = format!("{address} {}", decoded(&address));
            let shown = secrets.iter().any(|secret| super::rig::shows(&address, secret));
            assert!(!shown, "`{}` has a secret in the address of {}", walk.name, request.uri.path());
        }
    }
}

pub(super) fn the_headers_of_a_call_are_sensitive<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let held = under_test.held();
    let uri = api();
    let call = Call::new(&Method::GET, &uri, START.wall);
    let mut headers = HeaderMap::new();
    under_test.provider.authorize(&call, &held, &mut headers);
    for (name, value) in &headers {
        assert!(value.is_sensitive(), "`{name}` is not marked as sensitive");
    }
    let mut again = headers.clone();
    under_test.provider.authorize(&call, &held, &mut again);
    assert_eq!(again.len(), headers.len(), "headers of a call that is authorized twice");
}

pub(super) fn an_answer_that_works_or_an_outage_refuses_nothing<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let uri = api();
    let call = Call::new(&Method::GET, &uri, START.wall);
    for status in [200, 204, 304, 404, 429, 500, 502, 503, 504] {
        let status = StatusCode::from_u16(status).expect("a status");
        let judgement = under_test.provider.judge(&call, status, &HeaderMap::new());
        assert_eq!(judgement, Judgement::Accepted, "of HTTP {}", status.as_u16());
    }
}

fn api() -> Uri {
    Uri::from_static("https://api.example/devices")
}
