//! What learning needs whatever the method: pictures and what kind they are, masks, features, coresets, thresholds with their claims,
//! parity. The methods themselves are in `methods`. Runs on the caller's thread (and helpers of its own); never on the line's.

mod augment;
mod claim;
mod coreset;
mod features;
pub mod groups;
mod images;
mod jpeg;
mod mask;
mod operating;
mod options;
mod parity;
mod survey;

pub use augment::Augment;
pub use claim::{Policy, ThresholdRule, images_for_claim, stands_out_above, threshold};
pub use coreset::greedy_coreset;
pub use features::{FeatureReader, FeatureSet};
pub use groups::Grouping;
pub(crate) use images::some;
pub use images::{
    ImageError, Listing, MAX_SIDE, Picture, RawPicture, bits_range, list_images, raw_of_bytes, read_image, read_raw,
    read_truth,
};
pub use mask::Mask;
pub(crate) use operating::claim_of_chosen;
pub use operating::{Aim, Choice, MistakeCosts, OperatingError, choose, claim_at};
pub use options::{FitError, FitJob, FitOptions, Fitted, MIN_IMAGES, NamedPicture, Phase};
pub use parity::{PARITY_TOLERANCE, ParityCase, ParityError, at_input_size, parity_check, parity_tolerance};
pub use survey::{Mixed, Survey, Take, read_in_range, survey};
