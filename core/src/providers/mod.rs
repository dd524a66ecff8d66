//! The services, one module and cargo feature each. None knows another.

#[cfg(feature = "auth0")]
pub mod auth0;
#[cfg(feature = "mosaia")]
pub mod mosaia;
#[cfg(feature = "navien")]
pub mod navien;
#[cfg(feature = "oauth")]
pub mod oauth2;
#[cfg(feature = "settrade")]
pub mod settrade;
