//! Logins as text, for sessions that keep the login in their store. Providers use this in
//! [`Provider::write_login`](crate::Provider::write_login) and
//! [`Provider::read_login`](crate::Provider::read_login).

use std::fmt::{self, Write as _};

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::body::BodyBuffer;
use super::lenient::{Object, Text};
use crate::credentials::Secret;

/// Writes a login as JSON: `{"kind": …, "login": {…}}`, with texts as its fields.
///
/// `kind` must be unique to this service and to this set of fields, so that no login is read as another.
///
/// ```
/// use perennial_core::wire::{read_login, write_login};
///
/// let text = write_login("weather-key", &[("key", "s3cret")]);
/// assert_eq!(text.expose(), r#"{"kind":"weather-key","login":{"key":"s3cret"}}"#);
/// let [key] = read_login("weather-key", text.expose(), ["key"]).unwrap();
/// assert_eq!(key.expose(), "s3cret");
/// ```
pub fn write_login(kind: &str, fields: &[(&str, &str)]) -> Secret {
    let mut buffer = BodyBuffer::new(usize::MAX);
    // Texts into memory: neither side can fail.
    let _ = serde_json::to_writer(&mut buffer, &Form { kind: LoginText::from(kind), login: Fields(fields) });
    Secret::from(std::str::from_utf8(buffer.finish().as_ref()).unwrap_or_default())
}

/// Reads what [`write_login`] wrote, and returns the values of the fields `names`, in that order. `None` if its kind is
/// another, or its fields are not exactly these.
pub fn read_login<const N: usize>(kind: &str, text: &str, names: [&str; N]) -> Option<[Secret; N]> {
    let Object(form) = serde_json::from_str::<Object<Form<LoginText<'_>, ReadFields<'_, N>>>>(text).ok()?;
    let Form { kind: found, login } = form?;
    if found.as_str() != kind || login.0.len() != N {
        return None;
    }
    let field = |name: &&str| {
        let (_, text) = login.0.iter().find(|(found, _)| found.get() == Some(*name))?;
        Some(Secret::from(text.as_str()))
    };
    names.iter().map(field).collect::<Option<Vec<_>>>()?.try_into().ok()
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Form<K, L> {
    kind: K,
    login: L,
}

struct Fields<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, text)| (name, LoginText::from(*text))))
    }
}

/// At most `N` fields, whatever their names are.
struct ReadFields<'a, const N: usize>(Vec<(Text<'a>, LoginText<'a>)>);

impl<'de: 'a, 'a, const N: usize> Deserialize<'de> for ReadFields<'a, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor<const N: usize>;

        impl<'de, const N: usize> Visitor<'de> for FieldsVisitor<N> {
            type Value = ReadFields<'de, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(N);
                while let Some(field) = map.next_entry()? {
                    if fields.len() == N {
                        return Err(de::Error::custom("more fields than there are"));
                    }
                    fields.push(field);
                }
                Ok(ReadFields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// A text in a kept login. Reading anything but a text is an error; a blank one is allowed, because it may be a
/// password.
///
/// Characters that JSON would escape, and `%`, are written as `%` and two hexadecimal digits. The reason: JSON parsers
/// decode escapes in memory that they do not wipe.
pub(crate) enum LoginText<'a> {
    /// Borrowed from the login, or from the text that it was read from.
    Borrowed(&'a str),
    /// Decoded.
    Owned(Zeroizing<Box<str>>),
}

impl LoginText<'_> {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            LoginText::Borrowed(text) => text,
            LoginText::Owned(text) => text,
        }
    }
}

impl<'a> From<&'a str> for LoginText<'a> {
    fn from(text: &'a str) -> Self {
        LoginText::Borrowed(text)
    }
}

impl fmt::Debug for LoginText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginText(***)")
    }
}

impl Serialize for LoginText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Encoded(self.as_str()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for LoginText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The error does not say what was found: it may be secret.
        let other = || de::Error::custom("no text");
        match Text::deserialize(deserializer)? {
            Text::Absent => Err(other()),
            Text::Borrowed(text) if !text.contains('%') => Ok(LoginText::Borrowed(text)),
            Text::Borrowed(text) => decoded(text).map(LoginText::Owned).ok_or_else(other),
            Text::Owned(text) => decoded(&text).map(LoginText::Owned).ok_or_else(other),
        }
    }
}

/// Encodes character by character into the writer, so that no buffer is left behind.
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '%' | '"' | '\\' | '\0'..='\x1f' => write!(f, "%{:02X}", u32::from(c)),
            plain => f.write_char(plain),
        })
    }
}

fn decoded(text: &str) -> Option<Zeroizing<Box<str>>> {
    // The result is no longer than the text: the buffer does not grow, which would leave a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            bytes.push(hexadecimal(digits)?);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    std::str::from_utf8(&bytes).ok().map(|text| Zeroizing::new(text.into()))
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0, |value: u8, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some((value << 4) | u8::try_from(digit).ok()?)
    })
}

/// Texts that differ a little from the login `text`: cut, extended, with a field missing, added or changed. For the
/// tests of each provider, which must read none of them.
#[cfg(test)]
pub(crate) fn not_quite(text: &str) -> Vec<String> {
    let whole: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut odd: Vec<_> = text.char_indices().map(|(end, _)| text[..end].to_owned()).collect();
    odd.extend(["null", "{}", "[]", "1", "\"x\"", "\u{0}", "{\"kind\":1}"].map(str::to_owned));
    odd.extend([format!("\u{feff}{text}"), format!("{text}x"), format!("{text}{text}"), format!("[{text}]")]);
    odd.extend(["[", "{\"kind\":", "{\"login\":"].map(|open| open.repeat(100_000)));
    odd.push(text.replacen("\"kind\":\"", "\"kind\":\"x", 1));
    odd.push(text.replacen("\"kind\":", "\"kind\":\"x\",\"kind\":", 1));
    for place in ["", "/login"] {
        let object = whole.pointer(place).unwrap().as_object().unwrap();
        let mut put = |changed: serde_json::Value| {
            let mut all = whole.clone();
            *all.pointer_mut(place).unwrap() = changed;
            odd.push(all.to_string());
        };
        put(object.values().cloned().collect());
        let mut more = object.clone();
        more.insert("more".into(), 1.into());
        put(more.into());
        for (name, value) in object {
            let mut without = object.clone();
            without.remove(name);
            put(without.into());
            for other in [().into(), 1.into(), true.into(), vec![value.clone()].into(), "%".into(), "%zz".into()] {
                let mut changed = object.clone();
                changed.insert(name.clone(), other);
                put(changed.into());
            }
        }
    }
    odd
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "test-pair";

    fn write(name: &str, word: &str) -> Secret {
        write_login(KIND, &[("name", name), ("word", word)])
    }

    fn read(text: &str) -> Option<[Secret; 2]> {
        read_login(KIND, text, ["name", "word"])
    }

    #[test]
    fn every_text_reads_back_the_same_and_is_written_without_an_escape() {
        let every: String = (0..=0x17f).filter_map(char::from_u32).collect();
        for word in ["", " ", "\"", "\\", "%", "%41", "%%", "a\u{0}b\r\n", "\u{2028}\u{1f331}ก", every.as_str()] {
            let text = write("ada", word);
            assert!(!text.expose().contains('\\'), "{word:?}");
            let [name, read] = read(text.expose()).unwrap();
            assert_eq!((name.expose(), read.expose()), ("ada", word));
        }
        assert_eq!(write("a", "%\"\n").expose(), r#"{"kind":"test-pair","login":{"name":"a","word":"%25%22%0A"}}"#);
    }

    #[test]
    fn a_text_is_borrowed_unless_there_is_something_to_decode() {
        let text: LoginText<'_> = serde_json::from_str(r#""ada""#).unwrap();
        assert!(matches!(text, LoginText::Borrowed("ada")));
        let text: LoginText<'_> = serde_json::from_str(r#""100%25""#).unwrap();
        assert!(matches!(text, LoginText::Owned(text) if &**text == "100%"));
    }

    #[test]
    fn a_login_that_another_program_wrote_anew_is_read() {
        let [name, word] = read(r#"{"login":{"word":"a\"b","name":"n"},"kind":"test-pair"}"#).unwrap();
        assert_eq!((name.expose(), word.expose()), ("n", "a\"b"));
    }

    #[test]
    fn a_damaged_login_is_none() {
        let text = write("ada", "hunter2");
        assert!(read(text.expose()).is_some());
        for odd in not_quite(text.expose()) {
            assert!(read(&odd).is_none(), "{odd:.200}");
        }
        for code in ["%", "%4", "%zz", "%+1", "%\u{e9}", "%ff", "a%c3"] {
            let text = format!(r#"{{"kind":"test-pair","login":{{"name":"n","word":"{code}"}}}}"#);
            assert!(read(&text).is_none(), "{code}");
        }
        assert!(read_login("other", text.expose(), ["name", "word"]).is_none());
        assert!(read_login(KIND, text.expose(), ["name"]).is_none() && read_login(KIND, text.expose(), []).is_none());
        assert!(read_login(KIND, text.expose(), ["name", "other"]).is_none());
        assert!(read(r#"{"kind":"test-pair","login":{"name":"a","name":"b"}}"#).is_none());
    }

    #[test]
    fn a_text_hides_in_debug() {
        assert_eq!(format!("{:?}", LoginText::from("hunter2")), "LoginText(***)");
    }
}
