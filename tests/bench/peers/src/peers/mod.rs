//! The contestants, one file each. None knows another.

mod aws;
mod azure;
mod by_hand;
mod google;
mod perennial_blocking;
mod perennial_hyper;
mod yup;

pub(crate) use aws::Aws;
pub(crate) use azure::Azure;
pub(crate) use by_hand::ByHand;
pub(crate) use google::Google;
pub(crate) use perennial_blocking::PerennialBlocking;
pub(crate) use perennial_hyper::PerennialHyper;
pub(crate) use yup::Yup;

use crate::lock::version;
use crate::peer::Peer;

/// Calls a function with each contestant as its type, in the order of the tables.
macro_rules! each_peer {
    ($each:ident($($argument:expr),*)) => {{
        use $crate::peers::{Aws, Azure, ByHand, Google, PerennialBlocking, PerennialHyper, Yup};
        $each::<PerennialHyper>($($argument),*);
        $each::<PerennialBlocking>($($argument),*);
        $each::<ByHand>($($argument),*);
        $each::<Aws>($($argument),*);
        $each::<Azure>($($argument),*);
        $each::<Google>($($argument),*);
        $each::<Yup>($($argument),*);
    }};
}
pub(crate) use each_peer;

/// What has to be set once in a process.
pub(crate) fn prepare() {
    // An error means that there is one already, which is all that google-cloud-auth asks for.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A sentence that says who runs.
pub(crate) fn versions() -> String {
    fn add<P: Peer>(versions: &mut Vec<String>) {
        versions.extend(P::PACKAGE.map(|package| format!("{package} {}", version(package))));
    }
    let mut versions = Vec::new();
    each_peer!(add(&mut versions));
    format!("Peers: {}.", versions.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::World;

    #[test]
    fn every_peer_gets_its_token_from_the_endpoint_and_keeps_it() {
        fn check<P: Peer>(world: &World) {
            world.endpoint.count_anew();
            let peer: P = world.signed_in();
            peer.read(world.runtime.handle(), 3);
            assert_eq!(world.endpoint.requests(), 1, "{}", P::NAME);
            assert_eq!(world.endpoint.answered(), 1, "{}", P::NAME);
        }
        prepare();
        let world = World::new().expect("a runtime and an endpoint");
        each_peer!(check(&world));
    }
}
