//! The networks that are trained here.

pub mod autoencoder;
pub mod pdn;

pub use autoencoder::{Autoencoder, DROPOUT};
pub use pdn::{Pdn, Size};
