//! Reads sign-in pages, with a tokenizer that follows the HTML standard.

use std::borrow::Cow;
use std::fmt;

use html5gum::emitters::default::{DefaultEmitter, StartTag};
use html5gum::{HtmlString, Token, Tokenizer};
use zeroize::{Zeroize, Zeroizing};

use crate::credentials::Secret;

/// The longest error message that is kept, in characters.
const MOST: usize = 500;

/// The parts of a sign-in page that the sign-in needs: `state`, `_csrf_token` and the error message. Each may be
/// absent.
#[derive(Default)]
pub struct Page {
    state: Option<Secret>,
    csrf_token: Option<Secret>,
    /// Wiped when dropped: pages repeat what was entered.
    error: Option<Zeroizing<Box<str>>>,
}

impl Page {
    /// Reads a page. It never fails: any bytes are HTML. Inputs in comments, scripts and templates do not count.
    pub fn read(html: &[u8]) -> Self {
        let mut emitter = DefaultEmitter::default();
        emitter.naively_switch_states(true);
        let mut reader = Reader::default();
        for token in Tokenizer::new_with_emitter(html, emitter) {
            let Ok(token) = token;
            reader.take(token);
        }
        reader.finish()
    }

    /// The value of the input `state`.
    pub fn state(&self) -> Option<&Secret> {
        self.state.as_ref()
    }

    /// The value of the input `_csrf_token`.
    pub fn csrf_token(&self) -> Option<&Secret> {
        self.csrf_token.as_ref()
    }

    /// The text of the first `div.error-message` that has one, cut to 500 characters. It is untrusted text.
    pub fn error(&self) -> Option<&str> {
        self.error.as_ref().map(|words| &***words)
    }
}

/// Which parts are there, without their values.
impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_error = self.error.is_some();
        let mut debug = f.debug_struct("Page");
        debug.field("state", &self.state).field("csrf_token", &self.csrf_token);
        debug.field("has_error", &has_error).finish()
    }
}

#[derive(Default)]
struct Reader {
    page: Page,
    /// How many `div`s are open within the error message.
    depth: usize,
    words: Zeroizing<String>,
    /// How many `template`s are open: browsers neither show nor send what is in one.
    templates: usize,
}

impl Reader {
    fn take(&mut self, token: Token) {
        match token {
            Token::StartTag(tag) if *tag.name == b"template"[..] => self.templates += 1,
            Token::EndTag(tag) if *tag.name == b"template"[..] => self.templates = self.templates.saturating_sub(1),
            _ if self.templates > 0 => {}
            Token::StartTag(tag) => {
                match &**tag.name {
                    b"input" => self.input(&tag),
                    b"div" if self.depth > 0 => self.divide(self.depth + 1),
                    b"div" if self.page.error.is_none() && is_error(&tag) => self.depth = 1,
                    b"br" | b"p" | b"li" if self.depth > 0 => self.say(" "),
                    _ => {}
                }
                // Inputs hold what was entered.
                tag.attributes.into_values().for_each(|value| Vec::from(value.value).zeroize());
            }
            Token::EndTag(tag) if *tag.name == b"div"[..] && self.depth > 0 => {
                self.divide(self.depth - 1);
                if self.depth == 0 {
                    self.end_error();
                }
            }
            Token::String(text) => {
                let text = Zeroizing::new(Vec::from(text.value));
                if self.depth > 0 {
                    match String::from_utf8_lossy(&text) {
                        Cow::Borrowed(text) => self.say(text),
                        Cow::Owned(text) => self.say(&Zeroizing::new(text)),
                    }
                }
            }
            _ => {}
        }
    }

    /// Appends to the error message while there is room in the buffer: growing would leave copies behind.
    fn say(&mut self, text: &str) {
        const ROOM: usize = 8 * MOST;
        if self.words.capacity() == 0 {
            self.words = Zeroizing::new(String::with_capacity(ROOM));
        }
        for c in text.chars() {
            if self.words.len() + c.len_utf8() > ROOM {
                break;
            }
            self.words.push(c);
        }
    }

    /// Begins or ends a `div` within the error message, which separates words.
    fn divide(&mut self, depth: usize) {
        self.depth = depth;
        self.say(" ");
    }

    /// Keeps the first input of each name that has a value.
    fn input(&mut self, tag: &StartTag<()>) {
        let place = match attribute(tag, b"name") {
            Some(b"state") => &mut self.page.state,
            Some(b"_csrf_token") => &mut self.page.csrf_token,
            _ => return,
        };
        let value = attribute(tag, b"value").and_then(|value| std::str::from_utf8(value).ok());
        if place.is_none() {
            *place = value.filter(|value| !value.trim().is_empty()).map(Secret::from);
        }
    }

    fn end_error(&mut self) {
        let words = std::mem::take(&mut self.words);
        let mut text = Zeroizing::new(String::with_capacity(words.len()));
        for word in words.split_whitespace() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        let end = text.char_indices().nth(MOST).map_or(text.len(), |(end, _)| end);
        if end > 0 {
            self.page.error = Some(Zeroizing::new(text[..end].into()));
        }
    }

    fn finish(mut self) -> Page {
        if self.depth > 0 {
            self.end_error();
        }
        self.page
    }
}

/// Whether a `div` holds the error message. A hidden one is a placeholder, which a script may fill.
fn is_error(tag: &StartTag<()>) -> bool {
    let mut classes = attribute(tag, b"class").unwrap_or_default().split(u8::is_ascii_whitespace);
    classes.any(|class| class == b"error-message") && attribute(tag, b"hidden").is_none()
}

fn attribute<'a>(tag: &'a StartTag<()>, name: &[u8]) -> Option<&'a [u8]> {
    let value: &HtmlString = tag.attributes.get(name)?;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(html: &str) -> Option<String> {
        Page::read(html.as_bytes()).state().map(|state| state.expose().to_owned())
    }

    fn error(html: &str) -> Option<String> {
        Page::read(html.as_bytes()).error().map(str::to_owned)
    }

    #[test]
    fn inputs_are_read_however_they_are_written() {
        for html in [
            r#"<input id="state" name="state" value="s-1">"#,
            r#"<input value="s-1" type="hidden" name="state" id=x />"#,
            "<INPUT NAME='state' VALUE='s-1'>",
            "<input name=state value=s-1>",
            "<input\n\tname = \"state\"\n\tvalue\n=\n's-1'\n>",
            r#"<input data-value="no" name="state" value="s-1" value="twice">"#,
            r#"<form><p>1 < 2 & 3<input name="state" value="&#115;&#x2d;1"></form>"#,
            r#"<input name="state" value=""><input name="state" value="s-1"><input name="state" value="s-2">"#,
            "\u{feff}<!doctype html><html><head><title><input name=state value=no></title></head><input name=state value=s-1>",
        ] {
            assert_eq!(state(html).as_deref(), Some("s-1"), "{html}");
        }
        let entities = r#"<input name="state" value="a&amp;b&quot;&lt;&#39;&eacute;&nosuch;&amp">"#;
        assert_eq!(state(entities).as_deref(), Some("a&b\"<'é&nosuch;&"));
    }

    #[test]
    fn inputs_in_comments_scripts_and_templates_do_not_count() {
        for html in [
            r#"<!-- <input name="state" value="no"> -->"#,
            r#"<!-- > <input name="state" value="no">"#,
            r#"<script>var x = '<input name="state" value="no">';</script>"#,
            r#"<script>/* <!-- <script> <input name="state" value="no"> */</script>"#,
            r#"<style>a::before{content:'<input name="state" value="no">'}</style>"#,
            r#"<textarea><input name="state" value="no"></textarea>"#,
            r#"<noscript><input name="state" value="no"></noscript>"#,
            r#"<template><input name="state" value="no"></template>"#,
            r#"<a title='<input name="state" value="no">'>x</a>"#,
            r#"&lt;input name="state" value="no"&gt;"#,
            r#"<input name="states" value="no"><input id="state" value="no"><inputs name="state" value="no">"#,
            r#"<input name="state">"#,
            r#"<input name="state" value="  ">"#,
            r#"<input name="state" value="no"#,
            r#"<input name="state" value="no""#,
            "<input name=state value=no",
            "",
            "<",
            "\u{0}\u{ffff}<<>><//><!><?>",
        ] {
            assert_eq!(state(html), None, "{html}");
        }
        assert_eq!(state("<script>no</script><input name=state value=s>").as_deref(), Some("s"));
    }

    #[test]
    fn bytes_that_are_not_utf8_do_no_harm() {
        assert!(
            Page::read(b"<input name=state value='\xff\xfe'>").state().is_none_or(|state| !state.expose().is_empty())
        );
        let page =
            Page::read(b"\xff\xfe\x00<input name=_csrf_token value=c>\xc0\xaf<div class=error-message>\xff no</div>");
        assert_eq!(page.csrf_token().unwrap().expose(), "c");
        assert!(page.error().unwrap().ends_with("no"));
    }

    #[test]
    fn the_error_is_the_first_error_div_with_text() {
        for (html, words) in [
            ("<div class=\"error-message\">Wrong  email\n or\tpassword</div>", Some("Wrong email or password")),
            (
                "<div id=e class='a error-message b'><span>Wrong</span>\n<b>pass</b>word.<br>Try<p>again</div> later",
                Some("Wrong password. Try again"),
            ),
            ("<DIV CLASS=error-message>A<div>B</div>C</DIV><div>D</div>", Some("A B C")),
            ("<div class=error-message></div><div class=error-message> Two </div>", Some("Two")),
            ("<div class=error-message>Cut of", Some("Cut of")),
            ("<div class=error-message>&lt;b&gt; &amp; co</div>", Some("<b> & co")),
            ("<div class=error-message> \n </div>", None),
            ("<div class=error-message hidden>Wrong</div>", None),
            ("<div class=error-messages>Wrong</div>", None),
            ("<div class=no-error-message>Wrong</div>", None),
            ("<p class=error-message>Wrong</p>", None),
            ("<!-- <div class=error-message>Wrong</div> -->", None),
            ("<script>'<div class=error-message>Wrong</div>'</script>", None),
            ("<template><div class=error-message>Wrong</div></template>", None),
        ] {
            assert_eq!(error(html).as_deref(), words, "{html}");
        }
        let long = format!("<div class=error-message>{}</div>", "é ".repeat(100_000));
        assert_eq!(error(&long).unwrap().chars().count(), MOST);
    }

    #[test]
    fn a_page_hides_in_debug() {
        let html = b"<input name=state value=hunter2><input name=_csrf_token value=hunter2>\
            <div class=error-message>hunter2 is wrong</div>";
        let page = Page::read(html);
        assert_eq!(page.error(), Some("hunter2 is wrong"));
        assert!(!format!("{page:?}").contains("hunter2"));
    }

    #[test]
    fn text_around_the_error_div_is_not_part_of_it() {
        let div = r#"<div class="error-message">Wrong.</div>"#;
        for html in [
            format!("Hello.{div}"),
            format!("</div></div>Hello.{div}bye"),
            format!(r#"<template><div class="error-message">No.</div></template>{div}"#),
            format!(r#"<div class="other">Hello.</div>{div}"#),
            format!("{}{div}", "<br>".repeat(9 * MOST)),
        ] {
            assert_eq!(error(&html).as_deref(), Some("Wrong."), "{html}");
        }
    }

    #[test]
    fn debug_shows_that_there_is_an_error_and_not_its_text() {
        let page = Page::read(br#"<input name="state" value="s-1"><div class="error-message">Wrong.</div>"#);
        let shown = format!("{page:?}");
        assert!(shown.starts_with("Page {") && shown.contains("has_error: true"), "{shown}");
        assert!(!shown.contains("s-1") && !shown.contains("Wrong."), "{shown}");
    }

    #[test]
    fn an_error_is_read_up_to_its_cap() {
        let after = |spaces: usize| error(&format!(r#"<div class="error-message">{}x</div>"#, " ".repeat(spaces)));
        assert_eq!(after(8 * MOST - 1).as_deref(), Some("x"));
        assert_eq!(after(8 * MOST), None);
    }
}
