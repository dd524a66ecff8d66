//! Logins as text, for sessions that keep the login in their store. Providers use this in
//! [`Provider::write_login`](crate::Provider::write_login) and
//! [`Provider::read_login`](crate::Provider::read_login).

use std::fmt::{self, Write as _};

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::body::BodyBuffer;
use super::lenient::{Object, Text};
use crate::credentials::Secret;

/// Writes a login as JSON: `{"kind": …, "login": {…}}`. `None` where JSON cannot express the fields.
///
/// `kind` must be unique to this service and to this set of fields, so that no login is read as another. Texts in
/// `fields` must be [`LoginText`]s:
///
/// ```
/// use perennial_core::wire::{LoginText, read_login, write_login};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Key<S> {
///     key: S,
/// }
///
/// let text = write_login("weather-key", &Key { key: LoginText::from("s3cret") }).unwrap();
/// assert_eq!(text.expose(), r#"{"kind":"weather-key","login":{"key":"s3cret"}}"#);
/// let read: Key<LoginText<'_>> = read_login("weather-key", text.expose()).unwrap();
/// assert_eq!(read.key.as_str(), "s3cret");
/// ```
pub fn write_login(kind: &str, fields: &impl Serialize) -> Option<Secret> {
    let mut buffer = BodyBuffer::new(usize::MAX);
    serde_json::to_writer(&mut buffer, &Form { kind: LoginText::from(kind), login: fields }).ok()?;
    std::str::from_utf8(buffer.finish().as_ref()).ok().map(Secret::from)
}

/// Reads what [`write_login`] wrote. `None` where it is of another kind, or its fields are not those of `L`.
pub fn read_login<'a, L: Deserialize<'a>>(kind: &str, text: &'a str) -> Option<L> {
    let Object(form) = serde_json::from_str::<Object<Form<LoginText<'a>, Object<L>>>>(text).ok()?;
    let Form { kind: found, login: Object(login) } = form?;
    (found.as_str() == kind).then_some(login?)
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Form<K, L> {
    kind: K,
    login: L,
}

/// A text in a kept login. Reading anything but a text is an error; a blank one is allowed, because it may be a
/// password.
///
/// Characters that JSON would escape, and `%`, are written as `%` and two hexadecimal digits. The reason: JSON parsers
/// decode escapes in memory that they do not wipe.
pub enum LoginText<'a> {
    /// Borrowed from the login, or from the text that it was read from.
    Borrowed(&'a str),
    /// Decoded.
    Owned(Zeroizing<Box<str>>),
}

impl LoginText<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
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

    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair<S> {
        name: S,
        word: S,
    }

    const KIND: &str = "test-pair";

    fn write(name: &str, word: &str) -> Secret {
        write_login(KIND, &Pair { name: LoginText::from(name), word: word.into() }).unwrap()
    }

    fn read(text: &str) -> Option<Pair<LoginText<'_>>> {
        read_login(KIND, text)
    }

    #[test]
    fn every_text_reads_back_the_same_and_is_written_without_an_escape() {
        let every: String = (0..=0x17f).filter_map(char::from_u32).collect();
        for word in ["", " ", "\"", "\\", "%", "%41", "%%", "a\u{0}b\r\n", "\u{2028}\u{1f331}ก", every.as_str()] {
            let text = write("ada", word);
            assert!(!text.expose().contains('\\'), "{word:?}");
            let pair = read(text.expose()).unwrap();
            assert_eq!((pair.name.as_str(), pair.word.as_str()), ("ada", word));
        }
        assert_eq!(write("a", "%\"\n").expose(), r#"{"kind":"test-pair","login":{"name":"a","word":"%25%22%0A"}}"#);
    }

    #[test]
    fn a_text_is_borrowed_unless_there_is_something_to_decode() {
        let text = write("ada", "100%");
        let Pair { name, word } = read(text.expose()).unwrap();
        assert!(matches!((name, word), (LoginText::Borrowed("ada"), LoginText::Owned(_))));
        // Another program may have written it anew.
        let Pair { word, .. } = read(r#"{"login":{"word":"a\"b","name":"n"},"kind":"test-pair"}"#).unwrap();
        assert_eq!(word.as_str(), "a\"b");
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
        assert!(read_login::<Pair<LoginText<'_>>>("other", text.expose()).is_none());
    }

    #[test]
    fn a_text_hides_in_debug() {
        assert_eq!(format!("{:?}", LoginText::from("hunter2")), "LoginText(***)");
    }
}
