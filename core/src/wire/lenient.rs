//! JSON values that parse whatever their type is: one of an unexpected type counts as absent or odd. A field that
//! matters is then missed where it is used; no other field is worth losing a token for.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// The visitor's methods for the JSON types that are not expected: they all give `$value`.
macro_rules! otherwise {
    ($value:expr;) => {};
    ($value:expr; seq $($rest:ident)*) => {
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            IgnoredAny.visit_seq(seq).map(|_| $value)
        }
        otherwise!($value; $($rest)*);
    };
    ($value:expr; map $($rest:ident)*) => {
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            IgnoredAny.visit_map(map).map(|_| $value)
        }
        otherwise!($value; $($rest)*);
    };
    ($value:expr; null $($rest:ident)*) => {
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
        otherwise!($value; $($rest)*);
    };
    ($value:expr; bool $($rest:ident)*) => {
        fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }
        otherwise!($value; $($rest)*);
    };
    ($value:expr; text $($rest:ident)*) => {
        fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Ok($value)
        }
        otherwise!($value; $($rest)*);
    };
    ($value:expr; number $($rest:ident)*) => {
        fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }
        otherwise!($value; $($rest)*);
    };
}

/// A text from JSON, or nothing where it is of another type. Borrowed from the body where that is possible, wiped when
/// dropped where it is not.
#[derive(Default)]
pub enum Text<'a> {
    /// Absent, or of another type.
    #[default]
    Absent,
    /// Borrowed from the body.
    Borrowed(&'a str),
    /// Decoded: it had an escape in it.
    Owned(Zeroizing<Box<str>>),
}

impl Text<'_> {
    /// The text; `None` where it is absent or blank.
    pub fn get(&self) -> Option<&str> {
        let text = match self {
            Text::Absent => return None,
            Text::Borrowed(text) => text,
            Text::Owned(text) => &***text,
        };
        (!text.chars().all(char::is_whitespace)).then_some(text)
    }

    /// This text, or the other where this one is absent or blank.
    pub fn or<'b>(&'b self, other: &'b Self) -> Option<&'b str> {
        self.get().or_else(|| other.get())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text::Borrowed(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text::Owned(Zeroizing::new(text.into())))
    }

    otherwise!(Text::Absent; null bool number seq map);
}

/// A whole number from JSON, as a number or as a text with a number in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Number {
    /// Absent, null or a blank text.
    #[default]
    Absent,
    /// A whole number.
    Is(i64),
    /// Something else.
    Odd,
}

impl Number {
    /// The number, if it is one.
    pub fn value(self) -> Option<i64> {
        match self {
            Number::Is(number) => Some(number),
            Number::Absent | Number::Odd => None,
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number::Is(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Number, E> {
        Ok(i64::try_from(number).map_or(Number::Odd, Number::Is))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Number, E> {
        // Beyond 2^53 a float no longer holds every whole number.
        let whole = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
        #[allow(clippy::cast_possible_truncation, reason = "whole and within bounds")]
        Ok(if whole { Number::Is(number as i64) } else { Number::Odd })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
        let text = text.trim();
        Ok(match text.parse() {
            Ok(number) => Number::Is(number),
            Err(_) if text.is_empty() => Number::Absent,
            Err(_) => Number::Odd,
        })
    }

    fn visit_unit<E: de::Error>(self) -> Result<Number, E> {
        Ok(Number::Absent)
    }

    otherwise!(Number::Odd; bool seq map);
}

/// A JSON object, or nothing where it is of another type. Without this wrapper `serde` also reads an array as a struct,
/// element by element.
pub struct Object<T>(pub Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|object| Object(Some(object)))
    }

    otherwise!(Object(None); null bool number text seq);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(json: &str) -> Number {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_are_read_in_every_form() {
        for two_hundred in ["200", "\"200\"", "200.0", "\" 200 \"", "2e2"] {
            assert_eq!(number(two_hundred), Number::Is(200), "{two_hundred}");
        }
        assert_eq!(number("-7"), Number::Is(-7));
        for absent in ["null", "\"\"", "\" \""] {
            assert_eq!(number(absent), Number::Absent, "{absent}");
        }
        for odd in ["\"OK\"", "200.5", "1e300", "18446744073709551615", "true", "[200]", "{\"a\":1}"] {
            assert_eq!(number(odd), Number::Odd, "{odd}");
        }
    }

    #[test]
    fn a_text_is_borrowed_unless_it_has_an_escape() {
        assert!(matches!(serde_json::from_str("\"abc\"").unwrap(), Text::Borrowed("abc")));
        let escaped: Text<'_> = serde_json::from_str(r#""a\/b""#).unwrap();
        assert!(matches!(escaped, Text::Owned(_)));
        assert_eq!(escaped.get(), Some("a/b"));
    }

    #[test]
    fn a_value_of_another_type_is_no_text() {
        for odd in ["null", "true", "1", "-1", "1.5", "[\"a\"]", "{\"a\":\"b\"}", "\"\"", "\" \""] {
            assert_eq!(serde_json::from_str::<Text<'_>>(odd).unwrap().get(), None, "{odd}");
        }
    }

    #[test]
    fn an_array_is_no_object() {
        #[derive(Deserialize)]
        struct One {
            #[serde(default)]
            one: i64,
        }
        let read = |json| serde_json::from_str::<Object<One>>(json).unwrap().0.map(|object| object.one);
        assert_eq!(read("{\"one\":1}"), Some(1));
        for odd in ["[1]", "[]", "null", "1", "\"one\"", "true"] {
            assert_eq!(read(odd), None, "{odd}");
        }
        assert!(serde_json::from_str::<Object<One>>("{\"one\":1,\"one\":2}").is_err());
    }
}
