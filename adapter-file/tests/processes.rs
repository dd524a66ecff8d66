//! Several processes, and what only a process of its own can show.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use perennial_core::store::{Store, StoreErrorKind};
use perennial_file::FileStore;
use support::act::{Act, COUNTS};
use support::child::{Child, PROGRAM, command, command_of, under};
use support::record::{number_in, numbered};
use support::{LONG, Scratch, failure, is_root, mode, read, save, set_mode, skipped, temporaries, try_lock};

const NOBODY: u32 = 65_534;

#[test]
fn eight_processes_lose_no_update() {
    let scratch = Scratch::in_memory();
    let children: Vec<_> = (0..8).map(|_| Child::run(command(Act::Counts, &scratch.session()))).collect();
    for child in children {
        assert!(child.end().status.success());
    }
    assert_eq!(number(&scratch.store()), 8 * COUNTS);
}

#[test]
fn a_process_that_holds_on_is_waited_for_within_bounds() {
    let scratch = Scratch::new();
    let holder = Child::run(command(Act::Holds, &scratch.session()));
    assert_eq!(holder.hear().as_deref(), Some("holding"));
    failure(scratch.store().lock(Duration::from_millis(50), LONG)).is(StoreErrorKind::Busy, "");
    failure(try_lock(&scratch.store())).is(StoreErrorKind::Busy, "");
    assert_eq!(holder.end().said, ["given back"]);
    drop(try_lock(&scratch.store()).unwrap());
}

#[test]
fn the_lock_of_a_killed_process_is_free_and_its_files_are_swept() {
    let scratch = Scratch::new();
    let mut holder = Child::run(command(Act::Holds, &scratch.session()));
    assert_eq!(holder.hear().as_deref(), Some("holding"));
    holder.tell("save");
    assert_eq!(holder.hear().as_deref(), Some("saved: 1"));
    holder.kill();
    assert_eq!(temporaries(scratch.path()).len(), 1);
    drop(try_lock(&scratch.store()).unwrap());
    assert_eq!(temporaries(scratch.path()), Vec::<String>::new());
    assert_eq!(number(&scratch.store()), 1);
}

#[test]
fn a_program_that_is_run_meanwhile_gets_no_descriptor() {
    if !Path::new("/proc/self/fd").is_dir() {
        return skipped("inherited descriptors", "no /proc");
    }
    let scratch = Scratch::new();
    let other = Scratch::new();
    let held = try_lock(&scratch.store()).unwrap();
    let child = Child::run(command(Act::Holds, &other.session()));
    assert_eq!(child.hear().as_deref(), Some("holding"));
    let open = |process: &str| {
        let links = fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten();
        links.filter_map(|link| fs::read_link(link.path()).ok()).filter(|path| path.starts_with(scratch.path())).count()
    };
    assert!(open("self") > 0);
    assert_eq!(open(&child.id().to_string()), 0);
    drop(held);
}

#[test]
fn the_umask_does_not_matter() {
    for umask in ["000", "077"] {
        let scratch = Scratch::new();
        let path = scratch.join("state").join("session");
        let script = format!(r#"umask {umask}; exec "$0" "$@""#);
        let ended = Child::run(under("sh", &["-c", &script], &command(Act::Tries, &path))).end();
        assert_eq!(ended.said, ["read: 0", "locked", "saved: 1"]);
        assert_eq!(mode(&scratch.join("state")), 0o700);
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&scratch.join("state").join("session.lock")), 0o600);
    }
    // One that takes the right to write from the owner.
    let scratch = Scratch::new();
    let script = r#"umask 277; exec "$0" "$@""#;
    let ended = Child::run(under("sh", &["-c", script], &command(Act::Tries, &scratch.session()))).end();
    assert_eq!(ended.said, ["read: 0", "locked", "saved: 1"]);
    assert_eq!(mode(&scratch.session()), 0o600);
}

#[cfg(not(target_vendor = "apple"))]
#[test]
fn the_default_place_follows_the_environment() {
    let place = |variables: &[(&str, &str)]| {
        let mut command = command(Act::Places, Path::new("unused"));
        command.env_remove("XDG_STATE_HOME").env("HOME", "/home/grower").envs(variables.iter().copied());
        Child::run(command).end().said
    };
    assert_eq!(place(&[]), ["/home/grower/.local/state/app/greenhouse.session"]);
    assert_eq!(place(&[("XDG_STATE_HOME", "/state")]), ["/state/app/greenhouse.session"]);
    assert_eq!(place(&[("XDG_STATE_HOME", "state")]), ["/home/grower/.local/state/app/greenhouse.session"]);
    assert_eq!(place(&[("HOME", "home")]), ["Unusable"]);
}

#[test]
fn a_directory_that_may_not_be_written_is_found_when_locking() {
    let scratch = Scratch::new();
    let directory = scratch.join("state");
    let store = FileStore::new(directory.join("session"));
    save(&store, &numbered(7));
    let Some(child) = without_privileges("a directory that may not be written", &scratch, &store) else { return };
    if is_root() {
        for path in [&directory, &directory.join("session"), &directory.join("session.lock")] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    set_mode(&directory, 0o500);
    let ended = Child::run(child).end();
    set_mode(&directory, 0o700);
    assert_eq!(ended.said, ["read: 7", "lock: Unusable"]);
    assert_eq!(support::names(&directory), ["session", "session.lock"]);
}

#[test]
fn a_directory_of_root_serves_a_user_who_may_write_there() {
    let what = "a directory of root";
    if !is_root() {
        return skipped(what, "only root can make one");
    }
    let scratch = Scratch::new();
    let store = FileStore::new(scratch.join("state").join("session"));
    fs::create_dir(scratch.join("state")).unwrap();
    set_mode(&scratch.join("state"), 0o1777); // as /tmp
    let Some(child) = without_privileges(what, &scratch, &store) else { return };
    assert_eq!(Child::run(child).end().said, ["read: 0", "locked", "saved: 1"]);
    // And nobody else takes over what is theirs.
    failure(store.read(LONG)).is(StoreErrorKind::Unusable, "belongs to user 65534");
}

#[test]
fn a_read_only_file_system_is_found_when_locking() {
    let scratch = Scratch::new();
    save(&scratch.store(), &numbered(7));
    let script = r#"mount --bind "$D" "$D" && mount -o remount,bind,ro "$D" && exec "$0" "$@""#;
    let Some(child) = with_mounts("a read-only file system", script, Act::Tries, &scratch) else { return };
    assert_eq!(child.end().said, ["read: 7", "lock: Unusable"]);
    assert_eq!(scratch.names(), ["session", "session.lock"]);
}

#[test]
fn a_full_disk_is_found_when_locking() {
    let scratch = Scratch::new();
    // Room for the first record; then for 8 KiB: the next one is written in part.
    let script = r#"mount -t tmpfs -o size=128k,mode=700 tmpfs "$D" && "$0" "$@" &&
        { dd if=/dev/zero of="$D/fill" bs=4k; dd if=/dev/null of="$D/fill" bs=4k seek=$(($(stat -c %s "$D/fill") / 4096 - 2)); } 2>/dev/null;
        "$0" "$@" && ls -A "$D" && rm "$D/fill" && "$0" "$@""#;
    let Some(child) = with_mounts("a full disk", script, Act::Tries, &scratch) else { return };
    assert_eq!(
        child.end().said,
        [
            &["read: 0", "locked", "saved: 1"][..],
            &["read: 1", "lock: Unavailable", "fill", "session", "session.lock"],
            &["read: 1", "locked", "saved: 2"],
        ]
        .concat()
    );
}

#[test]
fn a_disk_that_fills_up_under_the_lock_does_not_lose_the_token() {
    let scratch = Scratch::new();
    let script = r#"mount -t tmpfs -o size=256k,mode=700 tmpfs "$D" && exec "$0" "$@""#;
    let Some(mut child) = with_mounts("a disk that fills up", script, Act::Holds, &scratch) else { return };
    assert_eq!(child.hear().as_deref(), Some("holding"));
    // The child's own view of its mounts.
    let inside = format!("/proc/{}/root{}", child.id(), scratch.join("fill").display());
    let mut fill = fs::File::create(inside).unwrap();
    while fill.write(&[0; 4096]).is_ok_and(|count| count > 0) {}
    for saved in ["saved: 1", "saved: 2"] {
        child.tell("save");
        assert_eq!(child.hear().as_deref(), Some(saved));
    }
    assert_eq!(child.end().said, ["given back"]);
}

/// A child for whom modes count. Root is above them: then somebody else runs a copy of the program.
fn without_privileges(what: &str, scratch: &Scratch, store: &FileStore) -> Option<Command> {
    if !is_root() {
        return Some(command(Act::Tries, store.path()));
    }
    if let Err(error) = Command::new("setpriv").arg("--version").output() {
        skipped(what, &format!("setpriv: {error}"));
        return None;
    }
    set_mode(scratch.path(), 0o755);
    let program = scratch.join("program");
    // Not by this process: another test's child that is forked meanwhile would have the copy open for writing until it
    // runs its own program, and what is open for writing cannot be run.
    let copied = Command::new("install").args(["-m", "755", PROGRAM]).arg(&program).status().unwrap();
    assert!(copied.success());
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    Some(under("setpriv", &nobody, &command_of(&program, Act::Tries, store.path())))
}

/// A child with mounts of its own, made by `script` over the scratch directory `$D`; they end with it.
fn with_mounts(what: &str, script: &str, act: Act, scratch: &Scratch) -> Option<Child> {
    let possible = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        skipped(what, "only root can mount, with `unshare`");
        return None;
    }
    let mut command = under("unshare", &["-m", "sh", "-c", script], &command(act, &scratch.session()));
    command.env("D", scratch.path());
    Some(Child::run(command))
}

fn number(store: &FileStore) -> u64 {
    number_in(read(store).as_deref().map(str::as_bytes))
}
