//! Several processes on one file, and what needs a process of its own: a umask, a user, a mount.
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
use support::action::{Action, INCREMENTS};
use support::child::{self, Child, command, command_of, under};
use support::record::{number_in, numbered};
use support::{LONG, TestDir, failure, is_root, mode, read, save, set_mode, skipped, temp_files, try_lock};

const NOBODY: u32 = 65_534;

#[test]
fn eight_processes_lose_no_update() {
    let dir = TestDir::in_memory();
    let children: Vec<_> = (0..8).map(|_| Child::run(command(Action::Increment, &dir.session()))).collect();
    for child in children {
        assert!(child.end().status.success());
    }
    assert_eq!(number(&dir.store()), 8 * INCREMENTS);
}

#[test]
fn a_lock_of_another_process_is_busy_after_the_timeout() {
    let dir = TestDir::new();
    let holder = Child::run(command(Action::HoldLock, &dir.session()));
    assert_eq!(holder.next_line().as_deref(), Some("holding"));
    failure(dir.store().lock(Duration::from_millis(50), LONG)).is(StoreErrorKind::Busy, "");
    failure(try_lock(&dir.store())).is(StoreErrorKind::Busy, "");
    assert_eq!(holder.end().lines, ["released"]);
    drop(try_lock(&dir.store()).unwrap());
}

#[test]
fn the_lock_of_a_killed_process_is_free_and_its_temporary_files_are_removed() {
    let dir = TestDir::new();
    let mut holder = Child::run(command(Action::HoldLock, &dir.session()));
    assert_eq!(holder.next_line().as_deref(), Some("holding"));
    holder.send_line("save");
    assert_eq!(holder.next_line().as_deref(), Some("saved: 1"));
    holder.kill();
    assert_eq!(temp_files(dir.path()).len(), 1);
    drop(try_lock(&dir.store()).unwrap());
    assert_eq!(temp_files(dir.path()), Vec::<String>::new());
    assert_eq!(number(&dir.store()), 1);
}

#[test]
fn a_child_program_inherits_no_descriptor() {
    if !Path::new("/proc/self/fd").is_dir() {
        return skipped("inherited descriptors", "no /proc");
    }
    let dir = TestDir::new();
    let other = TestDir::new();
    let held = try_lock(&dir.store()).unwrap();
    let child = Child::run(command(Action::HoldLock, &other.session()));
    assert_eq!(child.next_line().as_deref(), Some("holding"));
    let open = |process: &str| {
        let links = fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten();
        links.filter_map(|link| fs::read_link(link.path()).ok()).filter(|path| path.starts_with(dir.path())).count()
    };
    assert!(open("self") > 0);
    assert_eq!(open(&child.id().to_string()), 0);
    drop(held);
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    for umask in ["000", "077"] {
        let dir = TestDir::new();
        let path = dir.join("state").join("session");
        let script = format!(r#"umask {umask}; exec "$0" "$@""#);
        let ended = Child::run(under("sh", &["-c", &script], &command(Action::SaveOnce, &path))).end();
        assert_eq!(ended.lines, ["read: 0", "locked", "saved: 1"]);
        assert_eq!(mode(&dir.join("state")), 0o700);
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&dir.join("state").join("session.lock")), 0o600);
    }
    // A umask that takes the permission to write from the owner, too.
    let dir = TestDir::new();
    let script = r#"umask 277; exec "$0" "$@""#;
    let ended = Child::run(under("sh", &["-c", script], &command(Action::SaveOnce, &dir.session()))).end();
    assert_eq!(ended.lines, ["read: 0", "locked", "saved: 1"]);
    assert_eq!(mode(&dir.session()), 0o600);
}

#[cfg(not(target_vendor = "apple"))]
#[test]
fn the_default_path_follows_the_environment() {
    let place = |variables: &[(&str, &str)]| {
        let mut command = command(Action::PrintDefaultPath, Path::new("unused"));
        command.env_remove("XDG_STATE_HOME").env("HOME", "/home/grower").envs(variables.iter().copied());
        Child::run(command).end().lines
    };
    assert_eq!(place(&[]), ["/home/grower/.local/state/app/greenhouse.session"]);
    assert_eq!(place(&[("XDG_STATE_HOME", "/state")]), ["/state/app/greenhouse.session"]);
    assert_eq!(place(&[("XDG_STATE_HOME", "state")]), ["/home/grower/.local/state/app/greenhouse.session"]);
    assert_eq!(place(&[("HOME", "home")]), ["Unusable"]);
}

#[test]
fn a_directory_without_write_permission_is_unusable_at_the_lock() {
    let dir = TestDir::new();
    let directory = dir.join("state");
    let store = FileStore::new(directory.join("session"));
    save(&store, &numbered(7));
    let Some(child) = without_privileges("a directory that may not be written", &dir, &store) else { return };
    if is_root() {
        for path in [&directory, &directory.join("session"), &directory.join("session.lock")] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    set_mode(&directory, 0o500);
    let ended = Child::run(child).end();
    set_mode(&directory, 0o700);
    assert_eq!(ended.lines, ["read: 7", "lock: Unusable"]);
    assert_eq!(support::names(&directory), ["session", "session.lock"]);
}

#[test]
fn a_directory_of_root_can_be_used_by_a_user_who_may_write_to_it() {
    let what = "a directory of root";
    if !is_root() {
        return skipped(what, "only root can make one");
    }
    let dir = TestDir::new();
    let store = FileStore::new(dir.join("state").join("session"));
    fs::create_dir(dir.join("state")).unwrap();
    set_mode(&dir.join("state"), 0o1777); // as /tmp
    let Some(child) = without_privileges(what, &dir, &store) else { return };
    assert_eq!(Child::run(child).end().lines, ["read: 0", "locked", "saved: 1"]);
    // Root does not use files of that user.
    failure(store.read(LONG)).is(StoreErrorKind::Unusable, "belongs to user 65534");
}

#[test]
fn a_read_only_file_system_is_unusable_at_the_lock() {
    let dir = TestDir::new();
    save(&dir.store(), &numbered(7));
    let script = r#"mount --bind "$D" "$D" && mount -o remount,bind,ro "$D" && exec "$0" "$@""#;
    let Some(child) = with_mounts("a read-only file system", script, Action::SaveOnce, &dir) else { return };
    assert_eq!(child.end().lines, ["read: 7", "lock: Unusable"]);
    assert_eq!(dir.names(), ["session", "session.lock"]);
}

#[test]
fn a_full_disk_is_unavailable_at_the_lock() {
    let dir = TestDir::new();
    // There is room for the first record. Then there is room for 8 KiB, so that the next is written in part.
    let script = r#"mount -t tmpfs -o size=128k,mode=700 tmpfs "$D" && "$0" "$@" &&
        { dd if=/dev/zero of="$D/fill" bs=4k; dd if=/dev/null of="$D/fill" bs=4k seek=$(($(stat -c %s "$D/fill") / 4096 - 2)); } 2>/dev/null;
        "$0" "$@" && ls -A "$D" && rm "$D/fill" && "$0" "$@""#;
    let Some(child) = with_mounts("a full disk", script, Action::SaveOnce, &dir) else { return };
    assert_eq!(
        child.end().lines,
        [
            &["read: 0", "locked", "saved: 1"][..],
            &["read: 1", "lock: Unavailable", "fill", "session", "session.lock"],
            &["read: 1", "locked", "saved: 2"],
        ]
        .concat()
    );
}

#[test]
fn two_records_can_be_written_after_the_disk_filled_up_under_the_lock() {
    let dir = TestDir::new();
    let script = r#"mount -t tmpfs -o size=256k,mode=700 tmpfs "$D" && exec "$0" "$@""#;
    let Some(mut child) = with_mounts("a disk that fills up", script, Action::HoldLock, &dir) else { return };
    assert_eq!(child.next_line().as_deref(), Some("holding"));
    // The mount is visible to the child only, so the path goes through the child's root.
    let inside = format!("/proc/{}/root{}", child.id(), dir.join("fill").display());
    let mut fill = fs::File::create(inside).unwrap();
    while fill.write(&[0; 4096]).is_ok_and(|count| count > 0) {}
    for saved in ["saved: 1", "saved: 2"] {
        child.send_line("save");
        assert_eq!(child.next_line().as_deref(), Some(saved));
    }
    assert_eq!(child.end().lines, ["released"]);
}

/// A child that modes apply to. They do not apply to root: then the user `nobody` runs a copy of the program.
fn without_privileges(what: &str, dir: &TestDir, store: &FileStore) -> Option<Command> {
    if !is_root() {
        return Some(command(Action::SaveOnce, store.path()));
    }
    if let Err(error) = Command::new("setpriv").arg("--version").output() {
        skipped(what, &format!("setpriv: {error}"));
        return None;
    }
    set_mode(dir.path(), 0o755);
    let program = dir.join("program");
    // Another process copies it. If this one did, a child that another test forks meanwhile would have the copy open for
    // writing until it executes its own program, and a file that is open for writing cannot be executed.
    let copied = Command::new("install").args(["-m", "755"]).arg(child::program()).arg(&program).status().unwrap();
    assert!(copied.success());
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    Some(under("setpriv", &nobody, &command_of(&program, Action::SaveOnce, store.path())))
}

/// A child with mounts of its own, which `script` makes over the test's directory `$D`. They end with the child.
fn with_mounts(what: &str, script: &str, action: Action, dir: &TestDir) -> Option<Child> {
    let possible = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        skipped(what, "only root can mount, with `unshare`");
        return None;
    }
    let mut command = under("unshare", &["-m", "sh", "-c", script], &command(action, &dir.session()));
    command.env("D", dir.path());
    Some(Child::run(command))
}

fn number(store: &FileStore) -> u64 {
    number_in(read(store).as_deref().map(str::as_bytes))
}
