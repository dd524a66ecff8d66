//! What the fuzz targets assert, over their committed corpora: no fuzzer is needed to keep what one has found.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use perennial_fuzz_assertions::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn seeds(target: &str) -> Vec<PathBuf> {
    let folder = fuzz().join("corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("no {}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a seed").path());
    // What a run finds lies beside them, and is not committed.
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "seed")).collect()
}

#[test]
fn every_seed_of_every_target_keeps_its_promises() {
    for target in TARGETS {
        let seeds = seeds(target.name);
        assert!(seeds.len() > 2, "no seeds of {}", target.name);
        for seed in seeds {
            // Whose seed it was, if it panics.
            println!("{}", seed.display());
            (target.assert)(&std::fs::read(&seed).expect("a seed"));
        }
    }
}

#[test]
fn every_target_is_a_binary_with_a_corpus() {
    // With all features: those of the fuzzer's own package.
    let known: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(known.len(), TARGETS.len(), "a name is there twice");
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).expect("the package of the targets");
    let binaries: BTreeSet<_> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""))
        .collect();
    assert_eq!(known, binaries.iter().map(|name| (*name).to_owned()).collect(), "Cargo.toml of fuzz");
    assert_eq!(known, names("fuzz_targets"), "files in fuzz_targets");
    assert_eq!(known, names("corpus"), "folders in corpus");
    for name in &known {
        let file = std::fs::read_to_string(fuzz().join("fuzz_targets").join(name).with_extension("rs"));
        assert!(file.is_ok_and(|file| file.contains(&format!("check(\"{name}\", data)"))), "{name} checks another");
    }
}

fn names(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(fuzz().join(folder)).expect("it is committed");
    let names = entries.map(|entry| entry.expect("a file").path().with_extension(""));
    names.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
}
