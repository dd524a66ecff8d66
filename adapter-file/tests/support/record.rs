//! Records in which a torn write shows.

/// A record with its number at both ends and a filler between, whose size depends on the number: up to 12 KiB.
pub(crate) fn numbered(number: u64) -> String {
    let filler = "x".repeat(usize::try_from(number * 1_237 % 12_289).unwrap());
    format!(r#"{{"number":{number},"filler":"{filler}","end":{number}}}"#)
}

/// The number of a record; 0 if there is none. Panics if the record is torn.
pub(crate) fn number_in(record: Option<&[u8]>) -> u64 {
    let Some(record) = record else { return 0 };
    let text = std::str::from_utf8(record).unwrap();
    let digits = text.strip_prefix(r#"{"number":"#).and_then(|text| text.split(',').next());
    let number = digits.and_then(|digits| digits.parse().ok());
    let number = number.unwrap_or_else(|| panic!("no number in {} bytes: {:.40}", text.len(), text));
    assert!(text == numbered(number), "torn: {} bytes that begin with {text:.40}", text.len());
    number
}
