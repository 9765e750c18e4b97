//! Learns a bundle from good pictures: features, coreset, leave-one-image-out scores, threshold. Runs on the caller's
//! thread (and helpers of its own); never on the line's.

mod coreset;
mod images;
mod learn;
mod parity;

pub use coreset::greedy_coreset;
pub use images::{ImageError, MAX_SIDE, Picture, list_images, read_image};
pub use learn::{FitError, FitOptions, MIN_IMAGES, Stage, fit, images_for_claim};
pub use parity::{ParityError, parity_check};
