//! Learns a bundle from good pictures: features, coreset, held-out scores, threshold. Runs on the caller's
//! thread (and helpers of its own); never on the line's.

mod adapt;
mod augment;
mod claim;
mod coreset;
mod denoise;
mod features;
mod images;
mod jpeg;
mod learn;
mod mask;
mod options;
mod parity;
mod source;
mod spread;
mod survey;

pub use adapt::{AdaptError, Adapted, add, remove};
pub use augment::Augment;
pub use claim::{Policy, images_for_claim};
pub use coreset::greedy_coreset;
pub(crate) use images::some;
pub use images::{
    ImageError, Listing, MAX_SIDE, Picture, RawPicture, bits_range, list_images, read_image, read_raw, read_truth,
};
pub use learn::fit;
pub use mask::Mask;
pub use options::{BankSize, FitError, FitOptions, Fitted, MIN_IMAGES, Stage};
pub use parity::{ParityCase, ParityError, parity_check, parity_tolerance};
pub use survey::{Mixed, Survey, Take, read_in_range, survey};
