//! The fields of an answer, whatever it is written in.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::profile::Encoding;
use crate::credentials::Secret;
use crate::error::ServiceError;
use crate::wire::{BodyBuffer, Lifetime, Text, form_decode, parse_json};

/// Deeper than anything that a server has to say, and shallow enough to be read again.
const MAX_DEPTH: u8 = 32;

/// The fields of one object, in their order; no name is there twice.
#[derive(Default)]
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

enum Value<'a> {
    /// As it stands in the body.
    Json(&'a str),
    /// Written anew as JSON: it came in a form.
    Form(Zeroizing<String>),
}

impl Value<'_> {
    fn json(&self) -> &str {
        match self {
            Value::Json(json) => json,
            Value::Form(json) => json,
        }
    }
}

impl<'a> Fields<'a> {
    /// Reads a body. JSON is taken where a form is expected, never the other way round.
    pub(super) fn read(body: &'a [u8], encoding: Encoding) -> Result<Self, ServiceError> {
        let first = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start().first();
        match (encoding, first) {
            (Encoding::Form, Some(first)) if !b"{[<".contains(first) => Self::read_form(body),
            _ => parse_json(body),
        }
    }

    fn read_form(body: &'a [u8]) -> Result<Self, ServiceError> {
        let text = std::str::from_utf8(body).map_err(|_| ServiceError::malformed("not UTF-8"))?;
        let mut fields = Fields::default();
        for pair in form_decode(text.strip_prefix('\u{feff}').unwrap_or(text).trim()) {
            let (name, value) = pair.ok_or(ServiceError::malformed("not UTF-8"))?;
            let value = Zeroizing::new(value);
            if fields.raw(&name).is_some() {
                return Err(ServiceError::malformed("a field is there twice"));
            }
            fields.0.push((Cow::Owned(name), Value::Form(quoted(&value))));
        }
        Ok(fields)
    }

    /// A field's JSON.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.json())
    }

    /// A text; absent where something else is there. An error where it is no text at all: a lone surrogate.
    pub(super) fn text(&self, name: &str) -> Result<Text<'_>, ServiceError> {
        match self.raw(name) {
            Some(json) => serde_json::from_str(json).map_err(|_| ServiceError::malformed("broken JSON")),
            None => Ok(Text::Absent),
        }
    }

    /// Seconds; `None` where nothing is there that makes sense.
    pub(super) fn lifetime(&self, name: &str) -> Option<Duration> {
        serde_json::from_str::<Lifetime>(self.raw(name)?).ok()?.0
    }

    /// An object within.
    pub(super) fn object(&self, name: &str) -> Option<Result<Fields<'_>, ServiceError>> {
        let json = self.raw(name).filter(|json| json.starts_with('{'))?;
        Some(parse_json(json.as_bytes()))
    }

    /// All fields but some as a JSON object, with one more field in front; `None` where there are none. What
    /// could not be read again is left out.
    pub(super) fn rest(&self, known: &[&str], scope: Option<&str>) -> Option<Secret> {
        let mut buffer = BodyBuffer::new(usize::MAX);
        let scope = scope.map(quoted);
        let scope = scope.iter().map(|scope| ("scope", scope.as_str()));
        let rest = self.0.iter().filter(|(name, value)| !known.contains(&&**name) && is_sound(value.json()));
        let rest = rest.map(|(name, value)| (&**name, value.json()));
        for (position, (name, json)) in scope.chain(rest).enumerate() {
            let start = if position == 0 { '{' } else { ',' };
            // Into memory, without a cap: nothing here can fail.
            let _ = write!(buffer, "{start}{}:{json}", *quoted(name));
        }
        let _ = buffer.push(b"}");
        let body = buffer.finish();
        let text = std::str::from_utf8(body.as_ref()).ok().filter(|text| text.len() > 1)?;
        Some(Secret::from(text))
    }
}

/// A text as JSON.
fn quoted(text: &str) -> Zeroizing<String> {
    let mut buffer = BodyBuffer::new(usize::MAX);
    // A text into memory: neither side can fail.
    let _ = serde_json::to_writer(&mut buffer, text);
    Zeroizing::new(std::str::from_utf8(buffer.finish().as_ref()).unwrap_or_default().to_owned())
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            let name = match name {
                Text::Borrowed(name) => Cow::Borrowed(name),
                Text::Owned(name) => Cow::Owned((**name).into()),
                Text::Absent => Cow::Borrowed(""),
            };
            if fields.raw(&name).is_some() {
                return Err(de::Error::custom("a field is there twice"));
            }
            fields.0.push((name, Value::Json(value.get())));
        }
        Ok(fields)
    }
}

/// Whether what was passed over can be read: its texts are texts, its numbers are numbers, its depth is bounded.
fn is_sound(json: &str) -> bool {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    Sound(MAX_DEPTH).deserialize(&mut deserializer).is_ok()
}

/// Looks at all of a value and keeps nothing of it.
#[derive(Clone, Copy)]
struct Sound(u8);

impl Sound {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Sound).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Sound {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sound {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        while seq.next_element_seed(deeper)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        while map.next_key_seed(deeper)?.is_some() {
            map.next_value_seed(deeper)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &str) -> Result<Fields<'_>, ServiceError> {
        Fields::read(body.as_bytes(), Encoding::Json)
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused() {
        assert!(json(r#"{"a":1,"b":2}"#).is_ok());
        assert!(json(r#"{"a":1,"a":1}"#).is_err());
        assert!(json(r#"{"a":1,"\u0061":1}"#).is_err());
        assert!(Fields::read(b"a=1&a=1", Encoding::Form).is_err());
    }

    #[test]
    fn a_form_is_read_only_where_it_is_expected() {
        assert!(json("access_token=x").is_err());
        let fields = Fields::read(b"access_token=a%22b&expires_in=60", Encoding::Form).unwrap();
        assert_eq!(fields.text("access_token").unwrap().get(), Some("a\"b"));
        assert_eq!(fields.lifetime("expires_in"), Some(Duration::from_secs(60)));
        assert!(Fields::read(br#"{"access_token":"x"}"#, Encoding::Form).unwrap().raw("access_token").is_some());
        assert!(Fields::read(b"<html>a=b", Encoding::Form).is_err());
    }

    #[test]
    fn what_is_not_known_is_kept_and_what_is_broken_is_left_out() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let body = format!(r#"{{"k":1,"a":{{"b":[1,null]}},"s":"\ud800","n":1e999,"d":{deep},"é\"":"x"}}"#);
        let rest = json(&body).unwrap().rest(&["k"], Some("r w")).unwrap();
        let read: serde_json::Value = serde_json::from_str(rest.expose()).unwrap();
        assert_eq!(read, serde_json::json!({"scope": "r w", "a": {"b": [1, null]}, "é\"": "x"}));
        assert!(json(r#"{"k":1}"#).unwrap().rest(&["k"], None).is_none());
    }

    #[test]
    fn anything_but_an_object_is_refused() {
        for odd in ["[]", "1", "null", "\"x\"", "", "<html>", "{", "{}x", "\u{0}"] {
            assert!(json(odd).is_err(), "{odd}");
        }
        let deep = "[".repeat(100_000);
        assert!(json(&deep).is_err());
        assert!(json(&format!(r#"{{"a":{deep}}}"#)).is_err());
    }
}
