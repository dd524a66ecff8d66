//! `aws-smithy-runtime`: `IdentityCache::lazy()`, what every client of the AWS SDK asks before each request.
//!
//! The cache is called as the SDK's orchestrator calls it, with a resolver of our own that asks the endpoint: the SDK's
//! resolvers speak to AWS alone. What else a client needs (endpoint resolver, signer) is filled in by the test helpers
//! of `aws-smithy-runtime-api`; nothing of it is called here.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::identity::{
    Identity, IdentityFuture, ResolveCachedIdentity, ResolveIdentity, SharedIdentityCache, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::config_bag::ConfigBag;

use crate::endpoint::Endpoint;
use crate::peer::{Denied, Peer};
use crate::post::ask_for_token;

#[derive(Clone)]
pub(crate) struct Aws(Arc<Inner>);

struct Inner {
    cache: SharedIdentityCache,
    resolver: SharedIdentityResolver,
    components: RuntimeComponents,
    config: ConfigBag,
}

struct Resolver {
    url: String,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl ResolveIdentity for Resolver {
    fn resolve_identity<'a>(&'a self, _: &'a RuntimeComponents, _: &'a ConfigBag) -> IdentityFuture<'a> {
        IdentityFuture::new(async {
            let asked_at = SystemTime::now();
            let granted = ask_for_token(&self.url).await?;
            let end = asked_at + granted.lifetime;
            let credentials = Credentials::new("AKIA", "secret", Some(granted.token), Some(end), "endpoint");
            Ok(Identity::from(credentials))
        })
    }
}

impl Peer for Aws {
    const NAME: &'static str = "aws";
    const PACKAGE: Option<&'static str> = Some("aws-smithy-runtime");
    // Renewed from 10 to 5 seconds before the end.
    const IN_WINDOW: Duration = Duration::from_secs(4);
    type Token = Identity;

    async fn sign_in(endpoint: &Endpoint) -> Self {
        let cache = IdentityCache::lazy().build();
        let mut components = RuntimeComponentsBuilder::for_tests();
        components.set_identity_cache(Some(cache.clone()));
        components.set_time_source(Some(SharedTimeSource::new(SystemTimeSource::new())));
        components.set_sleep_impl(Some(SharedAsyncSleep::new(TokioSleep::new())));
        let inner = Inner {
            cache,
            resolver: SharedIdentityResolver::new(Resolver { url: endpoint.token_url() }),
            components: components.build().expect("all components are there"),
            config: ConfigBag::base(),
        };
        let peer = Self(Arc::new(inner));
        assert!(peer.ask().await.is_ok(), "the endpoint grants");
        peer
    }

    async fn ask(&self) -> Result<Identity, Denied> {
        let Inner { cache, resolver, components, config } = &*self.0;
        cache.resolve_cached_identity(resolver.clone(), components, config).await.map_err(|_| Denied)
    }
}
