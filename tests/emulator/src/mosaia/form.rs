//! `application/x-www-form-urlencoded`, as little of it as is needed.

/// The fields of a form or a query, none of them there twice.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// `None` where it cannot be decoded, or a name is there twice.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut fields = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if fields.iter().any(|(known, _)| *known == name) {
                return None;
            }
            fields.push((name, value));
        }
        Some(Self(fields))
    }

    /// The value of a field; an empty one is none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let field = self.0.iter().find(|(known, _)| known == name);
        field.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Writes fields as a query.
pub(super) fn write(fields: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_and_written() {
        let form = Form::read("a=x+y&b=%C3%A4%26&c=&d").unwrap();
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), (Some("x y"), Some("ä&"), None));
        assert!(Form::read("a=1&a=2").is_none() && Form::read("a=%zz").is_none() && Form::read("a=%f").is_none());
        assert_eq!(write([("a", "x y&".to_owned()), ("b", String::new())]), "a=x%20y%26&b=");
    }
}
