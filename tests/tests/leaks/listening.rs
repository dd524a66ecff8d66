//! Everything that is written to a log in this process, at every level: by `tracing`, fields of spans included, and
//! by the `log` crate, which some libraries below the adapters write to.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};

use log::{Level, LevelFilter};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter as TracingLevel;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static WRITTEN: Mutex<String> = Mutex::new(String::new());
static TARGETS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Begins to listen, once.
pub(crate) fn begin() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(Listener::default()).unwrap();
        log::set_logger(&Logger).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
}

/// What was written since this was last asked.
pub(crate) fn written() -> String {
    std::mem::take(&mut *WRITTEN.lock().unwrap())
}

/// Who has written so far.
pub(crate) fn targets() -> BTreeSet<String> {
    TARGETS.lock().unwrap().clone()
}

fn write(target: &str, line: &str) {
    TARGETS.lock().unwrap().insert(target.to_owned());
    WRITTEN.lock().unwrap().push_str(&format!("{line}\n"));
}

#[derive(Default)]
struct Listener {
    spans: AtomicU64,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?} {value:#?}");
    }
}

fn keep(metadata: &Metadata<'_>, fields: impl FnOnce(&mut Line)) {
    let mut line = Line(format!("tracing {} {}", metadata.target(), metadata.name()));
    fields(&mut line);
    write(metadata.target(), &line.0);
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn max_level_hint(&self) -> Option<TracingLevel> {
        Some(TracingLevel::TRACE)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        keep(span.metadata(), |line| span.record(line));
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line("tracing more".to_owned());
        values.record(&mut line);
        write("a span", &line.0);
    }

    fn event(&self, event: &Event<'_>) {
        keep(event.metadata(), |line| event.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Logger;

impl log::Log for Logger {
    /// All but the bytes on the wire: with those on, the blocking adapter sends nothing (`transport_log`).
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() < Level::Trace || !metadata.target().starts_with("ureq")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            write(record.target(), &format!("log {} {}", record.target(), record.args()));
        }
    }

    fn flush(&self) {}
}
