//! Seeds of what a service answers that is right.

use perennial_core::{LeaseId, Provider};

use super::input::{LINE, written};
use crate::conformance::provider::ProviderUnderTest;

/// Seeds for [`answers`](super::answers) and for [`session`](super::session), made of what the service answers: one for
/// each method, which signs in first, and one of all.
///
/// # Panics
///
/// Where the service does not grant what it is asked for.
pub fn seeds<P: Provider>(mut under_test: ProviderUnderTest<P>) -> Vec<(String, Vec<u8>)> {
    let walks = under_test.walks();
    let provider = &under_test.provider;
    let methods: Vec<_> = LeaseId::ALL.into_iter().flat_map(|lease_id| provider.methods(lease_id)).collect();
    let (mut seeds, mut all, mut first) = (Vec::new(), vec![b"8".to_vec()], None);
    for walk in &walks {
        let number = methods.iter().position(|method| **method == walk.method).unwrap_or_default();
        let parts: Vec<_> =
            std::iter::once(format!(">{number}").into_bytes()).chain(walk.answers.iter().map(written)).collect();
        let first: &Vec<_> = first.get_or_insert_with(|| parts.clone());
        let mut own = vec![b"8".to_vec()];
        if *first != parts {
            own.extend(first.iter().cloned());
        }
        own.extend(parts.iter().cloned());
        all.extend(parts);
        seeds.push((walk.name.replace(' ', "_"), own.join(LINE)));
    }
    seeds.push(("all".into(), all.join(LINE)));
    // The same answers for a session that signs in, renews, loses an answer, is restored and signs out.
    let mut history = vec![b"8".to_vec()];
    for (number, walk) in walks.iter().enumerate() {
        let of_access = provider.methods(LeaseId::Access).contains(&walk.method);
        history.push(if number == 0 {
            b">d".to_vec()
        } else if of_access {
            b">tr".to_vec()
        } else {
            b">tR".to_vec()
        });
        history.extend(walk.answers.iter().map(written));
    }
    history.extend([b">wl".to_vec(), b">ew".to_vec(), b">O".to_vec()]);
    seeds.push(("session".into(), history.join(LINE)));
    seeds
}
