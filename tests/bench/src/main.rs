//! Prints what Perennial costs: `cargo run --release -p perennial-bench`, or some sections of it by name.

mod sections;

/// The sections, in the order in which they are printed.
const SECTIONS: &[Section] = &[
    Section { name: "reading", print: sections::reading::print },
    Section { name: "authorize", print: sections::authorize::print },
    Section { name: "storms", print: sections::storms::print },
    Section { name: "ahead", print: sections::ahead::print },
    Section { name: "parsing", print: sections::parsing::print },
    Section { name: "building", print: sections::building::print },
    Section { name: "machine", print: sections::machine::print },
];

/// One part of the report.
struct Section {
    name: &'static str,
    print: fn(),
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| !SECTIONS.iter().any(|section| section.name == *name)) {
        let names: Vec<_> = SECTIONS.iter().map(|section| section.name).collect();
        eprintln!("there is no section {unknown}; there are: {}", names.join(", "));
        std::process::exit(2);
    }
    for section in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|name| name == section.name) {
            println!("## {}\n", section.name);
            (section.print)();
            println!();
        }
    }
}
