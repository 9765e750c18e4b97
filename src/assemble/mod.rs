//! From what is written down to what runs: a model file becomes a detector, used alike by the program's commands, by tests and by programs
//! that use this library.

#[cfg(feature = "tensorrt")]
pub mod card;
#[cfg(feature = "tensorrt")]
pub mod card_line;
mod detector;

pub use detector::{OpenError, Opened, maker, model_tag, open, open_on_cpu};
