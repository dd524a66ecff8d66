//! What else a service answered: a JSON object, kept as text.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::secret::Secret;

/// The most bytes that are kept of a service's extra fields as JSON, and of those of its account: 16 KiB.
pub const MAX_EXTRA: usize = 16 * 1024;

/// The fields as text; `None` where they are no object or too large.
pub(super) fn write(fields: &impl Serialize) -> Option<Box<str>> {
    // Room for what most services tell, so that it need not grow.
    let mut text = Vec::with_capacity(512);
    serde_json::to_writer(&mut text, fields).ok()?;
    let text = String::from_utf8(text).ok()?;
    (text.starts_with('{') && text.len() <= MAX_EXTRA).then(|| text.into())
}

pub(crate) fn within_limit(extra: Option<Secret>) -> Option<Secret> {
    extra.filter(|extra| extra.expose().len() <= MAX_EXTRA)
}

/// One of the fields.
pub(super) fn field(extra: &str, name: &str) -> Option<serde_json::Value> {
    let mut json = serde_json::Deserializer::from_str(extra);
    FieldSeed(name).deserialize(&mut json).ok()?
}

/// Reads one field of an object. No copies are made of the others, which may be secret.
struct FieldSeed<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = Option<serde_json::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_> {
    type Value = Option<serde_json::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if name == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
