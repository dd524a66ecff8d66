//! The fields of an answer, read from JSON or from a form.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::profile::ResponseEncoding;
use crate::credentials::{MAX_EXTRA, Secret};
use crate::error::ServiceError;
use crate::wire::{AnyText, BodyBuffer, Lifetime, Text, UnescapedStr, form_decode, parse_json};

/// How deeply a kept value may be nested. Servers need less, and it stays below `serde_json`'s own limit of 128 when the
/// value is read back.
const MAX_DEPTH: u8 = 32;

/// The most fields that an object may have. Metadata documents, the largest, have a few dozen.
const MAX_FIELDS: usize = 256;

/// The fields of one object, in their order. No name occurs twice.
#[derive(Default)]
pub(super) struct Fields<'a> {
    all: Vec<(Cow<'a, str>, Value<'a>)>,
    /// The positions in `all`, sorted by name, once there are more than [`FEW`] fields: for a binary search.
    by_name: Vec<u16>,
}

/// Up to this many fields are searched one by one. That is quicker than a sorted index, and most answers have no more.
const FEW: usize = 16;

/// Why a field cannot be added.
enum Excess {
    Twice,
    TooMany,
}

enum Value<'a> {
    /// The JSON as it stands in the body.
    Json(&'a str),
    /// A value from a form, written anew as JSON.
    Form(Zeroizing<String>),
    /// One of [`TOKENS`], read by the fast path: a text without an escape.
    Token(UnescapedStr<'a>),
}

/// The long fields, which are plain texts in every usual grant: read by the fast path first.
const TOKENS: [&str; 3] = ["access_token", "id_token", "refresh_token"];

impl<'a> Fields<'a> {
    /// Reads a body. JSON is taken where a form is expected, never the other way round.
    pub(super) fn read(body: &'a [u8], encoding: ResponseEncoding) -> Result<Self, ServiceError> {
        let first = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start().first();
        match (encoding, first) {
            (ResponseEncoding::Form, Some(first)) if !b"{[<".contains(first) => Self::read_form(body),
            _ => Self::read_json(body),
        }
    }

    /// Tries the fast path first. Where it fails the body is read again by the full parser, whose result or error
    /// counts. Both give the same result for what the fast path can read.
    pub(super) fn read_json(body: &'a [u8]) -> Result<Self, ServiceError> {
        // The fast path skips nothing and checks each part for UTF-8, so the body as a whole need not be checked.
        let Counted(fields) = match serde_json::from_slice(body) {
            Ok(TokenFields(fields)) => fields,
            Err(_) => parse_json(body)?,
        };
        fields.ok_or_else(too_many)
    }

    fn read_form(body: &'a [u8]) -> Result<Self, ServiceError> {
        let text = std::str::from_utf8(body).map_err(|_| ServiceError::malformed("not UTF-8"))?;
        let mut fields = Fields::default();
        for pair in form_decode(text.strip_prefix('\u{feff}').unwrap_or(text).trim()) {
            let (name, value) = pair.ok_or(ServiceError::malformed("not UTF-8"))?;
            let value = Zeroizing::new(value);
            match fields.place_for(&name) {
                Ok(place) => fields.insert(place, Cow::Owned(name), Value::Form(quoted(&value))),
                Err(Excess::Twice) => return Err(ServiceError::malformed("a field is there twice")),
                Err(Excess::TooMany) => return Err(too_many()),
            }
        }
        Ok(fields)
    }

    /// The position of a name; as an error, the place in `by_name` at which it would be inserted.
    fn find(&self, name: &str) -> Result<usize, usize> {
        if self.all.len() <= FEW {
            return self.all.iter().position(|(known, _)| known == name).ok_or(0);
        }
        let place = self.by_name.binary_search_by(|at| order(&self.all[usize::from(*at)].0, name))?;
        Ok(self.by_name[place].into())
    }

    /// Where a new name goes in `by_name`.
    fn place_for(&self, name: &str) -> Result<usize, Excess> {
        match self.find(name) {
            Ok(_) => Err(Excess::Twice),
            Err(_) if self.all.len() == MAX_FIELDS => Err(Excess::TooMany),
            Err(place) => Ok(place),
        }
    }

    fn insert(&mut self, place: usize, name: Cow<'a, str>, value: Value<'a>) {
        let at = self.all.len();
        self.all.push((name, value));
        if at == FEW {
            self.by_name = (0..).take(at + 1).collect();
            self.by_name.sort_unstable_by(|a, b| order(&self.all[usize::from(*a)].0, &self.all[usize::from(*b)].0));
        } else if at > FEW {
            // At most MAX_FIELDS: it fits.
            self.by_name.insert(place, u16::try_from(at).unwrap_or(u16::MAX));
        }
    }

    fn value(&self, name: &str) -> Option<&Value<'a>> {
        Some(&self.all[self.find(name).ok()?].1)
    }

    /// A field's JSON. `None` also for a token of the fast path: read that with [`text`](Self::text).
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.value(name)?.json()
    }

    /// A field as text; absent where it is of another type. An error where the text cannot be decoded: a lone
    /// surrogate.
    pub(super) fn text(&self, name: &str) -> Result<Text<'_>, ServiceError> {
        match self.value(name) {
            Some(Value::Token(token)) => Ok(token.text().map_or(Text::Absent, Text::Borrowed)),
            Some(Value::Json(json)) => text(json),
            Some(Value::Form(json)) => text(json),
            None => Ok(Text::Absent),
        }
    }

    /// A field in seconds; `None` where it is absent or makes no sense.
    pub(super) fn lifetime(&self, name: &str) -> Option<Duration> {
        serde_json::from_str::<Lifetime>(self.raw(name)?).ok()?.0
    }

    /// A field that is an object; `None` where it is absent or of another type.
    pub(super) fn object(&self, name: &str) -> Option<Result<Fields<'_>, ServiceError>> {
        let json = self.raw(name).filter(|json| json.starts_with('{'))?;
        Some(Fields::read_json(json.as_bytes()))
    }

    /// All other fields as a JSON object, with `scope` in front; `None` where there are none. Left out are tokens, the
    /// `known` fields, values that could not be read back, and each field that no longer fits into [`MAX_EXTRA`] bytes.
    pub(super) fn rest(&self, known: impl Fn(&str) -> bool, scope: Option<&str>) -> Option<Secret> {
        let mut object = ObjectWriter::default();
        if let Some(scope) = scope.filter(|scope| object.has_room("scope", quoted_length(scope))) {
            object.begin("scope");
            write_quoted(&mut object.0, scope);
        }
        for (name, value) in self.all.iter().filter(|(name, _)| !known(name)) {
            let json = value.json().filter(|json| object.has_room(name, json.len()) && is_well_formed(json));
            if let Some(json) = json {
                object.begin(name);
                // A buffer without a cap: nothing can fail.
                let _ = object.0.push(json.as_bytes());
            }
        }
        object.finish()
    }
}

impl Value<'_> {
    fn json(&self) -> Option<&str> {
        match self {
            Value::Json(json) => Some(json),
            Value::Form(json) => Some(json),
            Value::Token(_) => None,
        }
    }
}

/// The order of names: by length first, which decides most comparisons.
fn order(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

fn too_many() -> ServiceError {
    ServiceError::malformed("an object of more than 256 fields")
}

/// Decodes JSON that was already parsed as a text; absent where it is of another type.
fn text(json: &str) -> Result<Text<'_>, ServiceError> {
    // It is known to be valid JSON: without an escape, what stands between the quotes is the text.
    match json.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(text) if !text.as_bytes().contains(&b'\\') => Ok(Text::Borrowed(text)),
        _ => serde_json::from_str(json).map_err(|_| ServiceError::malformed("broken JSON")),
    }
}

/// A JSON object that is being written.
struct ObjectWriter(BodyBuffer);

impl Default for ObjectWriter {
    fn default() -> Self {
        Self(BodyBuffer::new(usize::MAX))
    }
}

impl ObjectWriter {
    /// Whether one more field fits into [`MAX_EXTRA`] bytes, with the closing bracket.
    fn has_room(&self, name: &str, value: usize) -> bool {
        let field = quoted_length(name) + ":".len() + value;
        self.0.as_ref().len() + ",".len() + field + "}".len() <= MAX_EXTRA
    }

    fn begin(&mut self, name: &str) {
        let _ = self.0.push(if self.0.as_ref().is_empty() { b"{" } else { b"," });
        write_quoted(&mut self.0, name);
        let _ = self.0.push(b":");
    }

    fn finish(mut self) -> Option<Secret> {
        if self.0.as_ref().is_empty() {
            return None;
        }
        let _ = self.0.push(b"}");
        std::str::from_utf8(self.0.as_ref()).ok().map(Secret::from)
    }
}

/// A text as JSON, into memory without a cap: neither side can fail.
fn write_quoted(buffer: &mut BodyBuffer, text: &str) {
    let _ = serde_json::to_writer(buffer, text);
}

/// The length of a text as JSON, with its quotes.
fn quoted_length(text: &str) -> usize {
    let length = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..b' ' => 6,
        _ => 1,
    };
    text.bytes().map(length).sum::<usize>() + 2
}

fn quoted(text: &str) -> Zeroizing<String> {
    let mut buffer = BodyBuffer::new(usize::MAX);
    write_quoted(&mut buffer, text);
    Zeroizing::new(std::str::from_utf8(buffer.finish().as_ref()).unwrap_or_default().to_owned())
}

/// An object's fields; `None` where there are more than [`MAX_FIELDS`].
struct Counted<'a>(Option<Fields<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Counted<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor { tokens: &[] })
    }
}

/// As [`Counted`], by the fast path: an error where a token is anything but a text without an escape.
struct TokenFields<'a>(Counted<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for TokenFields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor { tokens: &TOKENS }).map(Self)
    }
}

struct FieldsVisitor {
    tokens: &'static [&'static str],
}

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Counted<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Counted<'de>, A::Error> {
        let mut fields = Fields { all: Vec::with_capacity(8), by_name: Vec::new() };
        while let Some(name) = map.next_key::<Text<'de>>()? {
            let name = match name {
                Text::Borrowed(name) => Cow::Borrowed(name),
                Text::Owned(name) => Cow::Owned((**name).into()),
                Text::Absent => Cow::Borrowed(""),
            };
            let place = match fields.place_for(&name) {
                Ok(place) => place,
                Err(Excess::Twice) => return Err(de::Error::custom("a field is there twice")),
                Err(Excess::TooMany) => {
                    map.next_value::<IgnoredAny>()?;
                    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                    return Ok(Counted(None));
                }
            };
            let value = if self.tokens.contains(&&*name) {
                Value::Token(map.next_value()?)
            } else {
                Value::Json(map.next_value::<&RawValue>()?.get())
            };
            fields.insert(place, name, value);
        }
        Ok(Counted(Some(fields)))
    }
}

/// Whether a raw value can be read back: its texts and numbers are valid, and it is nested no deeper than
/// [`MAX_DEPTH`].
fn is_well_formed(json: &str) -> bool {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    SyntaxCheck(MAX_DEPTH).deserialize(&mut deserializer).is_ok()
}

/// Visits all of a value and keeps nothing of it. The number is how many levels may still follow.
#[derive(Clone, Copy)]
struct SyntaxCheck(u8);

impl SyntaxCheck {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(SyntaxCheck).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for SyntaxCheck {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for SyntaxCheck {
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
        Fields::read(body.as_bytes(), ResponseEncoding::Json)
    }

    #[test]
    fn a_duplicate_name_is_refused() {
        assert!(json(r#"{"a":1,"b":2}"#).is_ok());
        assert!(json(r#"{"a":1,"a":1}"#).is_err());
        assert!(json(r#"{"a":1,"\u0061":1}"#).is_err());
        assert!(Fields::read(b"a=1&a=1", ResponseEncoding::Form).is_err());
    }

    #[test]
    fn each_of_256_fields_is_found_by_its_name() {
        // Names that begin alike, of one length and of many, in no order.
        let names: Vec<_> = (0..MAX_FIELDS).map(|n| format!("{}{:x}", "a".repeat(n % 5), n * 37 % 256)).collect();
        let object: Vec<_> = names.iter().enumerate().map(|(n, name)| format!("\"{name}\":{n}")).collect();
        let form: Vec<_> = names.iter().enumerate().map(|(n, name)| format!("{name}={n}")).collect();
        let (object, form) = (format!("{{{}}}", object.join(",")), form.join("&"));
        let (object, form) = (json(&object).unwrap(), Fields::read(form.as_bytes(), ResponseEncoding::Form).unwrap());
        for (n, name) in names.iter().enumerate() {
            assert_eq!(object.raw(name), Some(&*n.to_string()), "{name}");
            assert_eq!(form.text(name).unwrap().get(), Some(&*n.to_string()), "{name}");
        }
        assert!(object.raw("aaaaaa").is_none() && object.raw("").is_none());
        let written = object.rest(|_| false, None).unwrap();
        let last = names.iter().map(|name| written.expose().find(&format!("\"{name}\":")));
        assert!(last.is_sorted() && written.expose().starts_with("{\"0\":0,"), "in their order");
    }

    #[test]
    fn more_than_256_fields_are_refused_with_an_error_that_says_so() {
        let error = |fields: Result<Fields<'_>, ServiceError>| fields.err().unwrap().to_string();
        for many in [MAX_FIELDS + 1, 20_000] {
            let names = |separator| (0..many).map(|n| format!("a{n}")).collect::<Vec<_>>().join(separator);
            let object = format!("{{\"{}\":1}}", names("\":1,\""));
            assert!(error(json(&object)).ends_with("more than 256 fields"));
            assert!(
                error(json(&object.replace("a7\"", "access_token\"").replace(":1}", ":\"x\"}")))
                    .ends_with("256 fields")
            );
            assert!(
                error(Fields::read(names("&").as_bytes(), ResponseEncoding::Form)).ends_with("more than 256 fields")
            );
            // What comes after them is still JSON, or none.
            assert!(error(json(&object[..object.len() - 1])).ends_with("broken JSON"));
        }
    }

    #[test]
    fn extra_fields_are_kept_whole_as_long_as_there_is_room() {
        let kept = |long: usize| {
            let body = format!(r#"{{"a":1,"b":"{}","c":[2],"é\"\n":"x"}}"#, "b".repeat(long));
            let rest = json(&body).unwrap().rest(|_| false, Some("r \"w")).unwrap();
            let names = serde_json::from_str::<serde_json::Map<_, _>>(rest.expose()).unwrap().len();
            (names, rest.expose().len())
        };
        let others = kept(0).1;
        assert_eq!(kept(MAX_EXTRA - others), (5, MAX_EXTRA), "to the last byte");
        assert_eq!(kept(MAX_EXTRA - others + 1).0, 4, "the last has no room");
        assert_eq!(kept(MAX_EXTRA).0, 4, "those behind one that is too long have");
        let all = json(r#"{"a":1}"#).unwrap().rest(|_| false, Some(&"s".repeat(MAX_EXTRA))).unwrap();
        assert_eq!(all.expose(), r#"{"a":1}"#);
    }

    #[test]
    fn the_length_as_json_is_computed_without_writing() {
        let every: String = (0..0x100).filter_map(char::from_u32).collect();
        for text in ["", "plain", "\"\\/", "\u{0}\u{8}\t\n\u{b}\u{c}\r\u{1f}\u{7f}", "é\u{2028}", &every] {
            assert_eq!(quoted_length(text), quoted(text).len(), "{text:?}");
        }
    }

    #[test]
    fn a_form_is_read_only_where_it_is_expected() {
        assert!(json("access_token=x").is_err());
        let fields = Fields::read(b"access_token=a%22b&expires_in=60", ResponseEncoding::Form).unwrap();
        assert_eq!(fields.text("access_token").unwrap().get(), Some("a\"b"));
        assert_eq!(fields.lifetime("expires_in"), Some(Duration::from_secs(60)));
        let json = Fields::read(br#"{"access_token":"x"}"#, ResponseEncoding::Form).unwrap();
        assert_eq!(json.text("access_token").unwrap().get(), Some("x"));
        assert!(Fields::read(b"<html>a=b", ResponseEncoding::Form).is_err());
    }

    #[test]
    fn unknown_fields_are_kept_and_broken_ones_are_left_out() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let body = format!(r#"{{"k":1,"a":{{"b":[1,null]}},"s":"\ud800","n":1e999,"d":{deep},"é\"":"x"}}"#);
        let rest = json(&body).unwrap().rest(|name| name == "k", Some("r w")).unwrap();
        let read: serde_json::Value = serde_json::from_str(rest.expose()).unwrap();
        assert_eq!(read, serde_json::json!({"scope": "r w", "a": {"b": [1, null]}, "é\"": "x"}));
        assert!(json(r#"{"k":1}"#).unwrap().rest(|name| name == "k", None).is_none());
    }

    #[test]
    fn a_token_reads_the_same_on_the_fast_path_and_the_full_one() {
        let read = |json: &str| {
            let body = format!(r#"{{"access_token":{json},"a":{json}}}"#);
            let fields = Fields::read(body.as_bytes(), ResponseEncoding::Json).ok()?;
            let text = |name| fields.text(name).map(|text| text.get().map(str::to_owned)).map_err(drop);
            assert_eq!(text("access_token"), text("a"), "{json}");
            Some(text("a"))
        };
        for token in ["ey.J", "e\u{e9}", "a'b"] {
            assert_eq!(read(&format!("\"{token}\"")), Some(Ok(Some(token.to_owned()))));
        }
        assert_eq!(read(r#""a\/b\u0063""#), Some(Ok(Some("a/bc".to_owned()))));
        for absent in ["null", "\"\"", "\" \"", "7", "[\"x\"]", "{}", "true"] {
            assert_eq!(read(absent), Some(Ok(None)), "{absent}");
        }
        assert_eq!(read(r#""\ud800""#), Some(Err(())));
        for broken in ["\"a\nb\"", "\"\u{0}\"", "\"\\x\"", "\"", "x"] {
            assert_eq!(read(broken), None, "{broken:?}");
        }
        for odd in
            [&b"{\"access_token\":\"x\",\"a\":\"\xff\"}"[..], b"{\"access_token\":\"\xff\"}", b"{\"a\":[{\"\xff\":1}]}"]
        {
            assert!(Fields::read(odd, ResponseEncoding::Json).is_err(), "{odd:?}");
        }
        assert!(Fields::read(b"\xef\xbb\xbf {\"access_token\":\"x\"}", ResponseEncoding::Json).is_ok());
        assert!(json(r#"{"access_token":"x","access_token":"x"}"#).is_err());
        assert!(json(r#"{"access_token":"x","access\u005ftoken":"x"}"#).is_err());
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
