//! One file, opened once and examined: what was checked is what is read.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use perennial_core::wire::{Body, BodyBuffer};
use rustix::fs::OFlags;
use rustix::process::geteuid;
use zeroize::Zeroizing;

use crate::MAX_BYTES;
use crate::directory::{Directory, uninterrupted};
use crate::error::{FileError, Trouble};

const PRIVATE_FILE: u32 = 0o600;
const FOR_OTHERS: u32 = 0o077;
const PIECE: usize = 16 << 10;

/// All of a file of ours; `None` where there is none.
pub(crate) fn read(directory: &Directory, name: &OsStr) -> Result<Option<Body>, FileError> {
    let Some(file) = open(directory, name, OFlags::RDONLY)? else { return Ok(None) };
    let trouble = |trouble: Trouble| trouble.at(directory.path_of(name));
    read_whole(&file).map(Some).map_err(trouble)
}

/// Opens a regular file of ours with one name, which only we can read afterwards; `None` where there is none.
pub(crate) fn open(directory: &Directory, name: &OsStr, flags: OFlags) -> Result<Option<File>, FileError> {
    let path = directory.path_of(name);
    let file = match directory.open_file(name, flags) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(not_opened(error, &path).at(path)),
    };
    match examine(&file) {
        Ok(()) => Ok(Some(file)),
        Err(trouble) => Err(trouble.at(path)),
    }
}

/// Lets only its owner read a file, and makes sure that the file system obeys.
pub(crate) fn make_private(file: &File) -> Result<(), Trouble> {
    uninterrupted(|| file.set_permissions(Permissions::from_mode(PRIVATE_FILE)))
        .map_err(Trouble::system("made private"))?;
    let found = uninterrupted(|| file.metadata()).map_err(Trouble::system("examined"))?;
    if found.mode() & FOR_OTHERS == 0 { Ok(()) } else { Err(Trouble::Exposed) }
}

fn examine(file: &File) -> Result<(), Trouble> {
    let found = uninterrupted(|| file.metadata()).map_err(Trouble::system("examined"))?;
    if !found.is_file() {
        return Err(Trouble::NotAFile);
    }
    if found.uid() != geteuid().as_raw() {
        return Err(Trouble::Foreign { owner: found.uid() });
    }
    if found.nlink() > 1 {
        return Err(Trouble::HardLink);
    }
    if found.mode() & FOR_OTHERS == 0 { Ok(()) } else { make_private(file) }
}

/// Systems have many words for "this is no regular file".
fn not_opened(error: io::Error, path: &Path) -> Trouble {
    match uninterrupted(|| fs::symlink_metadata(path)) {
        Ok(found) if found.is_symlink() => Trouble::SymbolicLink,
        Ok(found) if !found.is_file() => Trouble::NotAFile,
        _ => Trouble::system("opened")(error),
    }
}

fn read_whole(mut file: &File) -> Result<Body, Trouble> {
    let mut whole = BodyBuffer::new(MAX_BYTES);
    let mut piece = Zeroizing::new(vec![0; PIECE]);
    loop {
        match uninterrupted(|| file.read(&mut piece)).map_err(Trouble::system("read"))? {
            0 => return Ok(whole.finish()),
            count => whole.push(&piece[..count]).map_err(|_| Trouble::TooLarge)?,
        }
    }
}
