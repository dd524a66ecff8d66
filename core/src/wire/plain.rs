//! The fast path for long texts: tokens make up nearly all of a grant.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::lenient::Text;

/// A text without an escape, borrowed from the body. Anything else is an error, after which the caller reads the whole
/// body again with [`Text`] in its place. It is several times faster on long tokens, because the parser looks for the
/// closing quote alone.
#[derive(Default)]
pub(crate) struct UnescapedStr<'a>(Text<'a>);

/// [`Text`] or [`UnescapedStr`]: how a token is read.
pub(crate) trait AnyText: Default {
    /// The text; `None` where it is absent or blank.
    fn text(&self) -> Option<&str>;
}

impl AnyText for Text<'_> {
    fn text(&self) -> Option<&str> {
        self.get()
    }
}

impl AnyText for UnescapedStr<'_> {
    fn text(&self) -> Option<&str> {
        self.0.get()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for UnescapedStr<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = UnescapedStr<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text without an escape")
    }

    fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<UnescapedStr<'de>, E> {
        // Read as bytes, the text was not checked: look for control characters, which JSON forbids, and for bad UTF-8.
        let least = bytes.iter().fold(u8::MAX, |least, byte| least.min(*byte));
        match std::str::from_utf8(bytes) {
            Ok(text) if least >= b' ' => Ok(UnescapedStr(Text::Borrowed(text))),
            _ => Err(E::custom("a control character, or no UTF-8")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_path_gives_the_same_text_or_an_error() {
        for json in ["\"abc\"", "\"\"", "\" \"", "\"é\u{7f}\u{80}\"", "\"'{}[]\""] {
            let (plain, text) =
                (serde_json::from_str::<UnescapedStr<'_>>(json).unwrap(), serde_json::from_str(json).unwrap());
            let [UnescapedStr(Text::Borrowed(plain)), UnescapedStr(Text::Borrowed(text))] = [plain, UnescapedStr(text)]
            else {
                panic!("{json}");
            };
            assert_eq!(plain, text);
        }
        let odd =
            [r#""a\/b""#, r#""\u0061""#, "\"a\nb\"", "\"\u{1f}\"", "\"", "\"a", "null", "1", "true", "[97]", "{}", "a"];
        for odd in odd {
            assert!(serde_json::from_str::<UnescapedStr<'_>>(odd).is_err(), "{odd}");
        }
        assert!(serde_json::from_slice::<UnescapedStr<'_>>(b"\"\xff\"").is_err());
    }
}
