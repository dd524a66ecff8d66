//! What one writes by hand: a token in an `ArcSwap`, and a tokio mutex around its renewal, looked at twice. Renewed when
//! a minute is left, or half of the lifetime where that is less; whoever asks then waits.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::Mutex;

use crate::endpoint::Endpoint;
use crate::peer::{Denied, Peer};
use crate::post::ask_for_token;

const MARGIN: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct ByHand(Arc<Inner>);

struct Inner {
    held: ArcSwap<Held>,
    renewal: Mutex<()>,
    url: String,
}

pub(crate) struct Held {
    #[expect(dead_code, reason = "it is what callers would use")]
    token: String,
    renew_at: SystemTime,
}

async fn renewed(url: &str) -> Result<Held, Denied> {
    let asked_at = SystemTime::now();
    let granted = ask_for_token(url).await.map_err(|_| Denied)?;
    let margin = MARGIN.min(granted.lifetime / 2);
    Ok(Held { token: granted.token, renew_at: asked_at + granted.lifetime - margin })
}

impl Inner {
    fn valid(&self) -> Option<Guard<Arc<Held>>> {
        let held = self.held.load();
        (SystemTime::now() < held.renew_at).then_some(held)
    }
}

impl Peer for ByHand {
    const NAME: &'static str = "by hand (ArcSwap + tokio Mutex)";
    const PACKAGE: Option<&'static str> = None;
    const IN_WINDOW: Duration = Duration::from_secs(8);
    const WINDOW_OPENS_WITHIN: Duration = Duration::from_secs(5);
    type Token = Guard<Arc<Held>>;

    async fn sign_in(endpoint: &Endpoint) -> Self {
        let url = endpoint.token_url();
        let held = renewed(&url).await.expect("the endpoint grants");
        Self(Arc::new(Inner { held: ArcSwap::from_pointee(held), renewal: Mutex::new(()), url }))
    }

    async fn ask(&self) -> Result<Guard<Arc<Held>>, Denied> {
        if let Some(held) = self.0.valid() {
            return Ok(held);
        }
        let _renewal = self.0.renewal.lock().await;
        if let Some(held) = self.0.valid() {
            return Ok(held);
        }
        self.0.held.store(Arc::new(renewed(&self.0.url).await?));
        Ok(self.0.held.load())
    }
}
