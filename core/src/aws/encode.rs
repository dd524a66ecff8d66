//! Percent-encoding by AWS's rules: all characters but the unreserved ones of RFC 3986 §2.3, in upper-case hex.

/// Appends `text`, percent-encoded.
pub(super) fn push_encoded(to: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            to.push(char::from(byte));
        } else {
            to.push('%');
            to.push(char::from(HEX[usize::from(byte >> 4)]));
            to.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay() {
        let mut text = String::new();
        push_encoded(&mut text, "aZ09-._~ +/=%&é");
        assert_eq!(text, "aZ09-._~%20%2B%2F%3D%25%26%C3%A9");
    }
}
