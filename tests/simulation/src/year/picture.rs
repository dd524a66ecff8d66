//! A year as a drawing: a row for each month, a tile for each day, a pixel for each hour.

use std::fmt::Write as _;
use std::time::Duration;

use super::diary::{Diary, Mark, Marked, Spell};
use super::report::{YearReport, percent};
use super::rule::YearViolation;
use super::scenario::{DAY, Year};
use super::standing::Standing;
use super::world::{Lived, Recording, World};

const MONTHS: [Month; 12] = [
    Month::new("Jan", 31),
    Month::new("Feb", 28),
    Month::new("Mar", 31),
    Month::new("Apr", 30),
    Month::new("May", 31),
    Month::new("Jun", 30),
    Month::new("Jul", 31),
    Month::new("Aug", 31),
    Month::new("Sep", 30),
    Month::new("Oct", 31),
    Month::new("Nov", 30),
    Month::new("Dec", 31),
];

/// Where the first day of a month is drawn, in pixels.
const LEFT: u64 = 62;

/// Where the first month is drawn.
const TOP: u64 = 136;

/// From one month to the next.
const ROW: u64 = 31;

/// How wide a day is.
const TILE: u64 = 24;

/// How high.
const HEIGHT: u64 = 14;

/// What is shorter is not drawn: the conversation of a renewal, for instance.
const SEEN: Duration = Duration::from_secs(10);

const WIDTH: u64 = LEFT + 31 * TILE + 26;

/// Colours in light and in dark, quiet ones for what is well.
const STYLE: &str = "\
svg{--paper:#fdfdfb;--edge:#e6e6df;--ink:#24302b;--soft:#7c8580;--live:#b7dac3;--well:#7fb894;--off:#98a3ac;\
--down:#8a9ccb;--lost:#b59ad6;--store:#c8a877;--person:#e9b04e;--unseen:#e3b877;--ours:#d8344f;--sign:#1f6f4a;--err:#c26a2e}\
@media(prefers-color-scheme:dark){svg{--paper:#11171a;--edge:#273036;--ink:#dbe4df;--soft:#87938d;--live:#285640;\
--well:#3f8562;--off:#5d6a74;--down:#6f86c9;--lost:#9a7cc4;--store:#a5844f;--person:#d59a36;--unseen:#8d7145;\
--ours:#ff5f78;--sign:#8fe0b4;--err:#e59a63}}\
text{font-family:ui-sans-serif,system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:var(--soft);font-size:11px}\
.h{fill:var(--ink);font-size:19px;font-weight:600}.b{fill:var(--ink);font-size:12.5px}.paper{fill:var(--paper);stroke:var(--edge)}\
.live{fill:var(--live)}.off{fill:var(--off)}.down{fill:var(--down)}.lost{fill:var(--lost)}.store{fill:var(--store)}\
.person{fill:var(--person)}.unseen{fill:var(--unseen)}.ours{fill:var(--ours)}.sign{fill:var(--sign)}\
.came{fill:none;stroke:var(--person);stroke-width:1.6}.fault{stroke:var(--soft);stroke-width:1}\
.waited{fill:none;stroke:var(--well);stroke-width:1.4}.err{stroke:var(--err);stroke-width:1}.work{fill:var(--well)}";

struct Month {
    name: &'static str,
    days: u64,
}

impl Month {
    const fn new(name: &'static str, days: u64) -> Self {
        Self { name, days }
    }
}

/// A place on the drawing, in tenths of a pixel.
#[derive(Clone, Copy)]
struct Place {
    x: u64,
    y: u64,
}

/// Lives through a year and draws it: an SVG without scripts and fonts of its own, for light and dark. The same year
/// always gives the same drawing.
pub fn draw(year: &Year) -> Result<String, Box<YearViolation>> {
    let Lived { report, diary } = World::new(year, Recording::Diary).run()?;
    let mut svg = String::new();
    let bottom = TOP + 12 * ROW;
    let height = bottom + 84;
    // Writing into a string cannot fail.
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-labelledby=\"t d\"><title id=\"t\">{}</title><desc id=\"d\">{} {} {}</desc>\
         <style>{STYLE}</style><rect class=\"paper\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"10\"/>",
        headline(&report),
        remainder(&report),
        figures(&report),
        service(&report),
        WIDTH - 1,
        height - 1,
    );
    let _ = writeln!(svg, "<text class=\"h\" x=\"26\" y=\"36\">{}</text>", headline(&report));
    for (line, text) in (0..).zip([remainder(&report), figures(&report), service(&report)]) {
        let _ = writeln!(svg, "<text class=\"b\" x=\"26\" y=\"{}\">{text}</text>", 58 + line * 18);
    }
    for day in [1, 5, 10, 15, 20, 25, 30] {
        let x = LEFT + (day - 1) * TILE + TILE / 2;
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{day}</text>", TOP - 12);
    }
    draw_days(&mut svg, &diary);
    let seen = |spell: &&Spell| class_of(spell.standing) != "live" && spell.until - spell.from >= SEEN;
    diary.spells.iter().filter(seen).for_each(|spell| draw_spell(&mut svg, spell));
    draw_marks(&mut svg, &diary.marks);
    draw_legend(&mut svg, bottom + 24);
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn headline(report: &YearReport) -> String {
    format!("A year of one account: valid credentials {} of the time", percent(report.share(report.valid())))
}

fn remainder(report: &YearReport) -> String {
    let (ours, valid) = (report.share(report.ours()), report.share(report.valid()));
    format!(
        "{} faults in 365 days. {} of the time there was no way to have any; {} is ours, {} s in all.",
        report.faults,
        percent(1_000_000 - valid - ours),
        percent(ours),
        report.ours().as_secs(),
    )
}

fn figures(report: &YearReport) -> String {
    format!(
        "Callers asked {} times: {} waited, at most {}.{} s; {} were told an error. {} leases of an hour were",
        grouped(report.asked),
        grouped(report.waited),
        report.longest_wait.as_secs(),
        report.longest_wait.subsec_millis() / 100,
        grouped(report.errors),
        grouped(report.renewals),
    )
}

fn service(report: &YearReport) -> String {
    let person = match report.persons {
        0 => "nobody had to come".into(),
        1 => "a person came once".into(),
        2 => "a person came twice".into(),
        many => format!("a person came {many} times"),
    };
    format!(
        "renewed with {} requests, {} of them sign-ins; {person}.",
        grouped(report.requests),
        grouped(report.sign_ins),
    )
}

/// With a comma before every three digits.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

// ---- Days

/// A tile for each day, and below it a line as long as its renewals are many.
fn draw_days(svg: &mut String, diary: &Diary) {
    let most = diary.renewals.iter().copied().max().unwrap_or(0).max(1);
    let (mut tiles, mut work) = (String::new(), String::new());
    let mut day = 0;
    for (row, month) in (0..).zip(MONTHS) {
        let y = TOP + row * ROW;
        let _ = writeln!(svg, "<text x=\"26\" y=\"{}\">{}</text>", y + 11, month.name);
        for column in 0..month.days {
            let (x, width) = (LEFT + column * TILE, TILE - 1);
            let _ = write!(tiles, "M{x} {y}h{width}v{HEIGHT}h-{width}z");
            let renewals = diary.renewals.get(day).copied().unwrap_or(0);
            let length = u64::from(renewals) * width / u64::from(most);
            if length > 0 {
                let _ = write!(work, "M{x} {}h{length}v2h-{length}z", y + HEIGHT + 1);
            }
            day += 1;
        }
    }
    let _ = writeln!(svg, "<path class=\"live\" d=\"{tiles}\"/>\n<path class=\"work\" d=\"{work}\"/>");
}

/// The part of a time that falls on each day.
fn draw_spell(svg: &mut String, spell: &Spell) {
    let mut from = spell.from;
    while from < spell.until {
        let midnight = DAY * u32::try_from(from.as_secs() / DAY.as_secs() + 1).unwrap_or(u32::MAX);
        let until = spell.until.min(midnight);
        let Some(Place { x, y }) = place(from) else { return };
        let end = place(until - Duration::from_millis(1)).map_or(x, |place| place.x);
        // A few minutes are seen all the same.
        let width = end.saturating_sub(x).max(9);
        let class = class_of(spell.standing);
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{HEIGHT}\"/>",
            pixels(x),
            y / 10,
            pixels(width)
        );
        from = until;
    }
}

fn class_of(standing: Standing) -> &'static str {
    match standing {
        Standing::Live | Standing::Idle => "live",
        Standing::Off => "off",
        Standing::ServiceDown => "down",
        Standing::Unanswered => "lost",
        Standing::StoreDown => "store",
        Standing::NeedsPerson => "person",
        Standing::Unnoticed => "unseen",
        Standing::Asking | Standing::Pausing => "ours",
    }
}

// ---- Moments

fn draw_marks(svg: &mut String, marks: &[Mark]) {
    for what in [Marked::Fault, Marked::Failed, Marked::Waited, Marked::SignIn, Marked::Person] {
        let mut hour = None;
        for Mark { at, .. } in marks.iter().filter(|mark| mark.what == what) {
            let this = at.as_secs() / 3600;
            if hour.replace(this) != Some(this)
                && let Some(place) = place(*at)
            {
                let _ = writeln!(svg, "{}", drawn(what, place));
            }
        }
    }
}

fn drawn(what: Marked, Place { x, y }: Place) -> String {
    let (x, top) = (pixels(x), y / 10);
    let below = top + HEIGHT;
    match what {
        Marked::Fault => format!("<path class=\"fault\" d=\"M{x} {}v3\"/>", top - 4),
        Marked::Failed => format!("<path class=\"err\" d=\"M{x} {}v4\"/>", below + 3),
        Marked::Waited => format!("<circle class=\"waited\" cx=\"{x}\" cy=\"{}\" r=\"2.2\"/>", below + 7),
        Marked::SignIn => format!("<circle class=\"sign\" cx=\"{x}\" cy=\"{}\" r=\"2.4\"/>", top + HEIGHT / 2),
        Marked::Person => format!("<circle class=\"came\" cx=\"{x}\" cy=\"{}\" r=\"4.6\"/>", top + HEIGHT / 2),
    }
}

/// Where a moment is drawn; `None`: after the year.
fn place(at: Duration) -> Option<Place> {
    let mut day = at.as_secs() / DAY.as_secs();
    for (row, month) in (0..).zip(MONTHS) {
        if day < month.days {
            // A pixel less than the day is wide: the gap between two days.
            let within = (at.as_secs() % DAY.as_secs()) * (TILE - 1) * 10 / DAY.as_secs();
            return Some(Place { x: (LEFT + day * TILE) * 10 + within, y: (TOP + row * ROW) * 10 });
        }
        day -= month.days;
    }
    None
}

fn pixels(tenths: u64) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

// ---- Legend

fn draw_legend(svg: &mut String, y: u64) {
    let tiles = [
        ("live", "valid"),
        ("down", "service down"),
        ("off", "machine or process off"),
        ("store", "store down"),
        ("person", "a person has to sign in"),
        ("lost", "answer lost or slow"),
    ];
    let mut x = LEFT;
    for (class, text) in tiles {
        x = draw_swatch(svg, class, text, x, y);
    }
    let x = draw_swatch(svg, "unseen", "ended by the service, and nobody has used it since", LEFT, y + 20);
    let x = draw_swatch(svg, "ours", "ours, from ten seconds on", x, y + 20);
    let _ = writeln!(svg, "<rect class=\"work\" x=\"{x}\" y=\"{}\" width=\"12\" height=\"2\"/>", y + 16);
    let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\">renewals of the day</text>", x + 17, y + 20);
    let y = y + 40;
    let marks = [
        (Marked::Fault, "a fault begins"),
        (Marked::SignIn, "sign-in"),
        (Marked::Person, "a person signs in"),
        (Marked::Waited, "a caller waited"),
        (Marked::Failed, "a caller was told an error"),
    ];
    let mut x = LEFT;
    for (what, text) in marks {
        let rise = match what {
            Marked::Fault => 1,
            Marked::Failed => HEIGHT + 9,
            Marked::Waited => HEIGHT + 11,
            Marked::SignIn | Marked::Person => HEIGHT / 2 + 4,
        };
        let _ = writeln!(svg, "{}", drawn(what, Place { x: (x + 6) * 10, y: (y - rise) * 10 }));
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{y}\">{text}</text>", x + 17);
        x += width_of(text);
    }
}

fn draw_swatch(svg: &mut String, class: &str, text: &str, x: u64, y: u64) -> u64 {
    let _ = writeln!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"12\" height=\"10\"/>", y - 9);
    let _ = writeln!(svg, "<text x=\"{}\" y=\"{y}\">{text}</text>", x + 17);
    x + width_of(text)
}

/// About: fonts differ.
fn width_of(text: &str) -> u64 {
    34 + text.len() as u64 * 6
}
