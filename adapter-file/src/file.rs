//! Opening and reading files that belong to this user alone. A file is checked through its descriptor after it is opened,
//! so that it is the file that was checked which is read.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use perennial_core::wire::{Body, BodyBuffer};
use rustix::fs::OFlags;
use rustix::process::geteuid;
use zeroize::Zeroizing;

use crate::directory::{Directory, retry_interrupted};
use crate::error::{FileError, FileErrorKind};
use crate::format::MAX_FILE;

const PRIVATE_FILE: u32 = 0o600;
/// The mode bits that give other users any access.
const ACCESS_BY_OTHERS: u32 = 0o077;
const READ_BUFFER: usize = 16 << 10;

/// The content of a private file. `None` if there is none.
pub(crate) fn read(directory: &Directory, name: &OsStr) -> Result<Option<Body>, FileError> {
    let Some(file) = open(directory, name, OFlags::RDONLY)? else { return Ok(None) };
    read_to_end(&file).map(Some).map_err(|kind| kind.at(directory.path_of(name)))
}

/// Opens a regular file of this user that has no second name. Removes the access of other users, if they have any.
/// `None` if there is no file.
pub(crate) fn open(directory: &Directory, name: &OsStr, flags: OFlags) -> Result<Option<File>, FileError> {
    let path = directory.path_of(name);
    let file = match directory.open_file(name, flags) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(open_error(error, &path).at(path)),
    };
    match check_private(&file) {
        Ok(()) => Ok(Some(file)),
        Err(kind) => Err(kind.at(path)),
    }
}

/// Gives a file mode 0600, and checks that the file system has kept it.
pub(crate) fn make_private(file: &File) -> Result<(), FileErrorKind> {
    retry_interrupted(|| file.set_permissions(Permissions::from_mode(PRIVATE_FILE)))
        .map_err(FileErrorKind::system("made private"))?;
    let metadata = retry_interrupted(|| file.metadata()).map_err(FileErrorKind::system("examined"))?;
    if metadata.mode() & ACCESS_BY_OTHERS == 0 { Ok(()) } else { Err(FileErrorKind::Exposed) }
}

fn check_private(file: &File) -> Result<(), FileErrorKind> {
    let metadata = retry_interrupted(|| file.metadata()).map_err(FileErrorKind::system("examined"))?;
    if !metadata.is_file() {
        return Err(FileErrorKind::NotAFile);
    }
    if metadata.uid() != geteuid().as_raw() {
        return Err(FileErrorKind::Foreign { owner: metadata.uid() });
    }
    if metadata.nlink() > 1 {
        return Err(FileErrorKind::HardLink);
    }
    if metadata.mode() & ACCESS_BY_OTHERS == 0 { Ok(()) } else { make_private(file) }
}

/// Why a file could not be opened. Systems have different errors for what is no regular file, so the file is looked at
/// again.
fn open_error(error: io::Error, path: &Path) -> FileErrorKind {
    match retry_interrupted(|| fs::symlink_metadata(path)) {
        Ok(metadata) if metadata.is_symlink() => FileErrorKind::SymbolicLink,
        Ok(metadata) if !metadata.is_file() => FileErrorKind::NotAFile,
        _ => FileErrorKind::system("opened")(error),
    }
}

fn read_to_end(mut file: &File) -> Result<Body, FileErrorKind> {
    let mut content = BodyBuffer::new(MAX_FILE);
    let mut buffer = Zeroizing::new(vec![0; READ_BUFFER]);
    loop {
        match retry_interrupted(|| file.read(&mut buffer)).map_err(FileErrorKind::system("read"))? {
            0 => return Ok(content.finish()),
            count => content.push(&buffer[..count]).map_err(|_| FileErrorKind::TooLarge)?,
        }
    }
}
