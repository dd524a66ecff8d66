//! What a tenant is started with: its arguments.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use perennial_core::store::Store;
use perennial_file::FileStore;
use perennial_redis::RedisStore;

/// What a tenant is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    /// What its sessions run on.
    pub adapter: AdapterName,
    /// Where they are signed in.
    pub service: Service,
    /// Where they are kept.
    pub store: StorePlace,
    /// How many there are, each in a cell of its own.
    pub cells: usize,
    /// The deadline of a request.
    pub request_timeout: Duration,
    /// What they take the time from.
    pub clock: ClockName,
}

/// One of the two adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the crates of these names")]
pub enum AdapterName {
    Hyper,
    Blocking,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// The certified OAuth 2 server at this issuer. Its sessions have no login.
    OAuth2(String),
    /// The emulated Navien at this address. Its sessions have the login of the emulator's account.
    Navien(String),
}

/// Where cells are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlace {
    /// In files of this directory.
    Files(PathBuf),
    /// In the Redis at this address.
    Redis(String),
}

/// A clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockName {
    /// What programs take by default.
    System,
    /// The same, but readers, too, ask the C library for the time.
    Library,
}

impl StorePlace {
    /// The store of one cell.
    pub fn cell(&self, number: usize) -> Result<Arc<dyn Store>, String> {
        let name = format!("cell-{number}");
        match self {
            StorePlace::Files(directory) => Ok(Arc::new(FileStore::new(directory.join(name)))),
            StorePlace::Redis(url) => match RedisStore::new(url, &name) {
                Ok(store) => Ok(Arc::new(store)),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}

impl Orders {
    /// As arguments of the program.
    pub fn arguments(&self) -> [String; 8] {
        let adapter = match self.adapter {
            AdapterName::Hyper => "hyper",
            AdapterName::Blocking => "blocking",
        };
        let (service, address) = match &self.service {
            Service::OAuth2(issuer) => ("oauth2", issuer),
            Service::Navien(url) => ("navien", url),
        };
        let (store, place) = match &self.store {
            StorePlace::Files(directory) => ("files", directory.display().to_string()),
            StorePlace::Redis(url) => ("redis", url.clone()),
        };
        let clock = match self.clock {
            ClockName::System => "system",
            ClockName::Library => "library",
        };
        let timeout = self.request_timeout.as_millis().to_string();
        let words = [adapter, service, address, store, &place, &self.cells.to_string(), &timeout, clock];
        words.map(str::to_owned)
    }

    /// From the arguments of the program.
    pub fn parse(arguments: &[String]) -> Option<Self> {
        let words: [&str; 8] = arguments.iter().map(String::as_str).collect::<Vec<_>>().try_into().ok()?;
        let [adapter, service, address, store, place, cells, timeout, clock] = words;
        Some(Self {
            adapter: match adapter {
                "hyper" => AdapterName::Hyper,
                "blocking" => AdapterName::Blocking,
                _ => return None,
            },
            service: match service {
                "oauth2" => Service::OAuth2(address.to_owned()),
                "navien" => Service::Navien(address.to_owned()),
                _ => return None,
            },
            store: match store {
                "files" => StorePlace::Files(place.into()),
                "redis" => StorePlace::Redis(place.to_owned()),
                _ => return None,
            },
            cells: cells.parse().ok()?,
            request_timeout: Duration::from_millis(timeout.parse().ok()?),
            clock: match clock {
                "system" => ClockName::System,
                "library" => ClockName::Library,
                _ => return None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_they_are_given() {
        let orders = Orders {
            adapter: AdapterName::Blocking,
            service: Service::Navien("http://127.0.0.1:1/api".into()),
            store: StorePlace::Files("/a/b c".into()),
            cells: 3,
            request_timeout: Duration::from_millis(1500),
            clock: ClockName::Library,
        };
        assert_eq!(Orders::parse(&orders.arguments()), Some(orders));
        assert_eq!(Orders::parse(&[]), None);
    }
}
