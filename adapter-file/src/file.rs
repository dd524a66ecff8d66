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
use crate::error::{FileError, FileErrorKind};

const PRIVATE_FILE: u32 = 0o600;
const FOR_OTHERS: u32 = 0o077;
const PIECE: usize = 16 << 10;

/// All of a file of ours; `None` where there is none.
pub(crate) fn read(directory: &Directory, name: &OsStr) -> Result<Option<Body>, FileError> {
    let Some(file) = open(directory, name, OFlags::RDONLY)? else { return Ok(None) };
    let trouble = |trouble: FileErrorKind| trouble.at(directory.path_of(name));
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
pub(crate) fn make_private(file: &File) -> Result<(), FileErrorKind> {
    uninterrupted(|| file.set_permissions(Permissions::from_mode(PRIVATE_FILE)))
        .map_err(FileErrorKind::system("made private"))?;
    let found = uninterrupted(|| file.metadata()).map_err(FileErrorKind::system("examined"))?;
    if found.mode() & FOR_OTHERS == 0 { Ok(()) } else { Err(FileErrorKind::Exposed) }
}

fn examine(file: &File) -> Result<(), FileErrorKind> {
    let found = uninterrupted(|| file.metadata()).map_err(FileErrorKind::system("examined"))?;
    if !found.is_file() {
        return Err(FileErrorKind::NotAFile);
    }
    if found.uid() != geteuid().as_raw() {
        return Err(FileErrorKind::Foreign { owner: found.uid() });
    }
    if found.nlink() > 1 {
        return Err(FileErrorKind::HardLink);
    }
    if found.mode() & FOR_OTHERS == 0 { Ok(()) } else { make_private(file) }
}

/// Systems have many words for "this is no regular file".
fn not_opened(error: io::Error, path: &Path) -> FileErrorKind {
    match uninterrupted(|| fs::symlink_metadata(path)) {
        Ok(found) if found.is_symlink() => FileErrorKind::SymbolicLink,
        Ok(found) if !found.is_file() => FileErrorKind::NotAFile,
        _ => FileErrorKind::system("opened")(error),
    }
}

fn read_whole(mut file: &File) -> Result<Body, FileErrorKind> {
    let mut whole = BodyBuffer::new(MAX_BYTES);
    let mut piece = Zeroizing::new(vec![0; PIECE]);
    loop {
        match uninterrupted(|| file.read(&mut piece)).map_err(FileErrorKind::system("read"))? {
            0 => return Ok(whole.finish()),
            count => whole.push(&piece[..count]).map_err(|_| FileErrorKind::TooLarge)?,
        }
    }
}
