//! A process of its own with sessions in it: what it is told, and what it says. Its program is `perennial-tenant`;
//! this is the other end of its pipes.

mod crew;
mod orders;
mod process;
mod said;

pub use crew::{Crew, Line};
pub use orders::{AdapterName, ClockName, Orders, Service, StorePlace};
pub use process::{Order, Process};
pub use said::{Mark, News, Said};
