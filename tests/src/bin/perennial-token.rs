//! Prints an access token and ends, as a credential helper does: it signs in once, and lives by what it saved.

use std::error::Error;

use perennial_blocking::{Connector, SessionBuilder};
use perennial_core::providers::navien::Navien;
use perennial_file::FileStore;
use perennial_tests::tool::{Later, arguments};

fn main() -> Result<(), Box<dyn Error>> {
    let (file, policy) = arguments()?;
    let setup =
        SessionBuilder::<Navien>::from_env()?.store(FileStore::new(file)).policy(policy).clock(Later::from_env());
    let session = Connector::new().connect(setup)?;
    println!("{}", session.credentials()?.access().expose());
    Ok(())
}
