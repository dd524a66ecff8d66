//! The fast way to read long texts: tokens are nearly all of an answer that grants something.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::lenient::Text;

/// A text as it stands in the body, without an escape in it. Anything else is an error: then the whole is read again
/// with [`Text`] in its place. Long tokens are found in a fraction of the time, because the parser need not look for
/// anything but the end of a text.
#[derive(Default)]
pub(crate) struct Plain<'a>(Text<'a>);

/// [`Text`] or [`Plain`].
pub(crate) trait AnyText: Default {
    /// `None` where absent or blank.
    fn text(&self) -> Option<&str>;
}

impl AnyText for Text<'_> {
    fn text(&self) -> Option<&str> {
        self.get()
    }
}

impl AnyText for Plain<'_> {
    fn text(&self) -> Option<&str> {
        self.0.get()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Plain<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text without an escape")
    }

    fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<Plain<'de>, E> {
        // As bytes, a text may have anything in it: what JSON forbids is looked for here.
        let least = bytes.iter().fold(u8::MAX, |least, byte| least.min(*byte));
        match std::str::from_utf8(bytes) {
            Ok(text) if least >= b' ' => Ok(Plain(Text::Borrowed(text))),
            _ => Err(E::custom("a control character, or no UTF-8")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_is_the_same_text_or_an_error() {
        for json in ["\"abc\"", "\"\"", "\" \"", "\"é\u{7f}\u{80}\"", "\"'{}[]\""] {
            let (plain, text) = (serde_json::from_str::<Plain<'_>>(json).unwrap(), serde_json::from_str(json).unwrap());
            let [Plain(Text::Borrowed(plain)), Plain(Text::Borrowed(text))] = [plain, Plain(text)] else {
                panic!("{json}");
            };
            assert_eq!(plain, text);
        }
        let odd =
            [r#""a\/b""#, r#""\u0061""#, "\"a\nb\"", "\"\u{1f}\"", "\"", "\"a", "null", "1", "true", "[97]", "{}", "a"];
        for odd in odd {
            assert!(serde_json::from_str::<Plain<'_>>(odd).is_err(), "{odd}");
        }
        assert!(serde_json::from_slice::<Plain<'_>>(b"\"\xff\"").is_err());
    }
}
