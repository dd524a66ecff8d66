//! A word that stands in every secret here and in nothing else.

use perennial_core::Secret;

/// The word. Letters only: words with digits are taken out of services' words in any case.
pub(crate) const WORD: &str = "Canary";

/// The secret that is called so.
pub(crate) fn canary(name: &str) -> String {
    format!("{WORD}{name}{WORD}")
}

/// The same as a secret.
pub(crate) fn secret(name: &str) -> Secret {
    Secret::from(canary(name))
}

/// What of a secret shows in a text: as it is, in any case, in base64, in hexadecimal digits, as a list of bytes.
pub(crate) fn shown_in(text: &str) -> Option<&'static str> {
    // "Canary" in base64, at each of the three places at which it can begin.
    const BASE64: [&str; 3] = ["Q2FuYXJ5", "NhbmFye", "DYW5hcn"];
    let lower = text.to_ascii_lowercase();
    let plain = ["canary", "43616e617279", "67, 97, 110, 97, 114, 121"];
    plain.into_iter().find(|shape| lower.contains(shape)).or(BASE64.into_iter().find(|shape| text.contains(shape)))
}

#[test]
fn a_canary_is_seen_in_every_shape() {
    for shape in ["x CANARYx", "Q2FuYXJ5", "eENhbmFyeQ==", "eHhDYW5hcnk=", "43616e617279"] {
        assert!(shown_in(shape).is_some(), "{shape}");
    }
    assert!(shown_in(&format!("{:?}", WORD.as_bytes())).is_some());
    assert_eq!(shown_in("a can of air"), None);
}
