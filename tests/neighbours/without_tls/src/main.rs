//! Without TLS an https request is not sent, and says what it needs.

use perennial_core::wire::Body;
use perennial_core::{Request, TransportErrorKind};
use perennial_redis::{InvalidSettings, RedisStore};

fn main() {
    let request = || Request::new(http::Request::get("https://service.example/").body(Body::empty()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refusals = [
        runtime.block_on(perennial_hyper::Transport::send(&perennial_hyper::HttpTransport::new(), request())),
        perennial_blocking::Transport::send(&perennial_blocking::HttpTransport::new(), request()),
    ];
    for (refusal, name) in refusals.into_iter().zip(["perennial-hyper", "perennial-blocking"]) {
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.kind(), TransportErrorKind::NotSent);
        let reason = std::error::Error::source(&refusal).unwrap().to_string();
        assert!(reason.contains("`tls-ring`") && reason.contains(name), "{reason}");
    }
    let refusal = RedisStore::builder("rediss://redis.example", "key").build().unwrap_err();
    assert_eq!(refusal, InvalidSettings::NoTls);
}
