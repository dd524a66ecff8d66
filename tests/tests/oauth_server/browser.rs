//! As much of a browser as it takes: cookies, redirects, forms.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use perennial_core::wire::form_encode;

/// Keeps cookies, for one host.
#[derive(Default)]
pub struct Browser {
    cookies: BTreeMap<String, String>,
}

pub struct Page {
    /// Where it is.
    pub url: String,
    pub body: String,
    status: u16,
    location: Option<String>,
}

impl Browser {
    /// Opens an address and goes where it is sent, until that leads to `end`: a redirect URI, where nobody listens.
    pub fn visit(&mut self, url: &str, end: &str) -> String {
        let page = self.get(url);
        let page = self.follow(page, Some(end));
        page.location.unwrap_or_else(|| panic!("stranded at {}: {}", page.url, page.body))
    }

    /// Opens the page for devices, enters the code, and says yes.
    pub fn approve(&mut self, url: &str, user_code: &str) {
        let page = self.get(url);
        let entered = self.submit(&page, &[("user_code", user_code)]);
        assert!(entered.body.contains("op.deviceConfirmForm"), "{}", entered.body);
        let done = self.submit(&entered, &[("user_code", user_code), ("confirm", "yes")]);
        assert_eq!(done.status, 200, "{}", done.body);
        assert!(!done.body.contains("<form"), "{}", done.body);
    }

    /// Sends a page's form back, with what guards it.
    fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Page {
        let part = |before: &str| {
            let after = page.body.split_once(before).unwrap_or_else(|| panic!("no {before} in {}", page.body)).1;
            after.split('"').next().unwrap().to_owned()
        };
        let (action, guard) = (part("action=\""), part("name=\"xsrf\" value=\""));
        let fields: Vec<_> = fields.iter().copied().chain([("xsrf", &*guard)]).collect();
        let answer = self.post(&absolute(&page.url, &action), &fields);
        self.follow(answer, None)
    }

    fn follow(&mut self, mut page: Page, end: Option<&str>) -> Page {
        for _ in 0..20 {
            let Some(location) = &page.location else { return page };
            if end.is_some_and(|end| location.starts_with(end)) {
                return page;
            }
            page = self.get(&absolute(&page.url, location));
        }
        panic!("redirected without an end at {}", page.url)
    }

    pub fn get(&mut self, url: &str) -> Page {
        self.send("GET", url, "")
    }

    pub fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Page {
        self.send("POST", url, form_encode(fields.iter().copied()).expose())
    }

    fn send(&mut self, method: &str, url: &str, body: &str) -> Page {
        let rest = url.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if path.is_empty() { "/" } else { path };
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut stream = TcpStream::connect(host).unwrap();
        // HTTP/1.0: the answer ends with the connection.
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {host}\r\nAccept: text/html\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            cookies.join("; "),
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut page = Page { url: url.to_owned(), body: body.to_owned(), status, location: None };
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match name.to_ascii_lowercase().as_str() {
                "location" => page.location = Some(value.to_owned()),
                "set-cookie" => self.keep(value),
                _ => {}
            }
        }
        page
    }

    fn keep(&mut self, cookie: &str) {
        let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
        if value.is_empty() {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

fn absolute(from: &str, to: &str) -> String {
    if to.starts_with("http://") {
        return to.to_owned();
    }
    let host = from.strip_prefix("http://").unwrap().split('/').next().unwrap();
    format!("http://{host}{to}")
}
