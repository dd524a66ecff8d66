//! The same as `perennial-token`, with tokio. Told to `return`, it leaves `main` as soon as it has its token.

use std::error::Error;
use std::time::Duration;

use perennial_core::providers::navien::Navien;
use perennial_file::FileStore;
use perennial_hyper::{Connector, SessionBuilder};
use perennial_tests::tool::{Later, arguments};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (file, policy) = arguments()?;
    let setup =
        SessionBuilder::<Navien>::from_env()?.store(FileStore::new(file)).policy(policy).clock(Later::from_env());
    let session = Connector::new().connect(setup).await?;
    println!("{}", session.credentials().await?.access().expose());
    if !std::env::args().any(|word| word == "return") {
        session.finish(Duration::from_secs(30)).await?;
    }
    Ok(())
}
