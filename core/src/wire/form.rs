//! Forms: `application/x-www-form-urlencoded`, in bodies and in queries.

use http::{Method, Uri, header};

use super::body::BodyBuffer;
use super::message::Request;
use crate::credentials::Secret;
use crate::error::TransportErrorKind;

/// A `POST` request with these fields as a form in its body, and `Accept: application/json`.
pub fn form_request<'a>(uri: Uri, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Request {
    let mut buffer = BodyBuffer::new(usize::MAX);
    // A buffer without a cap: nothing can fail.
    let _ = write_form(&mut buffer, fields);
    let mut http = http::Request::new(buffer.finish());
    *http.method_mut() = Method::POST;
    *http.uri_mut() = uri;
    let headers = http.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
    Request::new(http)
}

/// The fields as a form (`application/x-www-form-urlencoded`), for a query or for HTTP Basic credentials (RFC 6749
/// §2.3.1).
pub fn form_encode<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Secret {
    let mut buffer = BodyBuffer::new(usize::MAX);
    // A buffer without a cap: nothing can fail.
    let _ = write_form(&mut buffer, fields);
    Secret::from(std::str::from_utf8(buffer.finish().as_ref()).unwrap_or_default())
}

fn write_form<'a>(
    buffer: &mut BodyBuffer,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), TransportErrorKind> {
    for (position, (name, value)) in fields.into_iter().enumerate() {
        if position > 0 {
            buffer.push(b"&")?;
        }
        write_encoded(buffer, name)?;
        buffer.push(b"=")?;
        write_encoded(buffer, value)?;
    }
    Ok(())
}

fn write_encoded(buffer: &mut BodyBuffer, text: &str) -> Result<(), TransportErrorKind> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => buffer.push(&[byte])?,
            b' ' => buffer.push(b"+")?,
            _ => buffer.push(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]])?,
        }
    }
    Ok(())
}

/// Reads a query or a form, pair by pair: name and value, decoded. `None` for a pair that is not UTF-8 then.
pub fn form_decode(text: &str) -> impl Iterator<Item = Option<(String, String)>> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decoded(name)?, decoded(value)?))
    })
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escape = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (byte, escape) {
            (b'%', Some(byte)) if !after.starts_with(b"+") => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded_as_browsers_do() {
        assert_eq!(form_encode([("a b", "ä&=+%"), ("x", "-._*~")]).expose(), "a+b=%C3%A4%26%3D%2B%25&x=-._*%7E");
        assert_eq!(form_encode([]).expose(), "");
    }

    #[test]
    fn a_form_is_decoded_leniently_and_bad_utf8_is_none() {
        let read: Vec<_> = form_decode("a+b=%C3%A4%26%3d&x&&y=%zz%+1&z=%ff").collect();
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(read, [pair("a b", "ä&="), pair("x", ""), pair("y", "%zz% 1"), None]);
    }
}
