//! Simulations of whole sessions in virtual time: [`fleet`] has many processes on one store, with all that can go wrong
//! between them; [`year`] has one account for a year, with what goes wrong in one. Both hold every session to the rules
//! of [`perennial_testing`].

pub mod fleet;
pub mod year;
