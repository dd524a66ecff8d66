//! The services, one module and cargo feature each. None knows another.

#[cfg(feature = "navien")]
pub mod navien;
