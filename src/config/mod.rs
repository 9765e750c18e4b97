//! What the user writes: defaults → file → environment (`ANDON__…`) → flags, checked as a whole before anything starts.
//!
//! [`Raw`] is the shape of the file; [`load`] layers and checks it; [`Config`] is what the program may rely on.
//! `config/andon.toml` in the repository is the manual: every key with its default and its reason.

mod check;
mod file;
mod filter;
mod keys;
mod load;
mod page;
mod parts;
mod raw;
mod raw_line;
mod recipes;
mod secrets;
mod twice;
mod window;

pub use check::{Camera, Config};
pub use filter::{check_filter, targets_of};
pub use keys::nearest_of;
pub use load::{ConfigError, Loaded, environment, load, load_and, schema};
pub use page::{PageLanguage, PageTable, RawPage};
pub use parts::{Ejector, Parts};
pub use raw::{FrameSize, OnEos, Raw, RawCamera, RawCapture, RawEngine, RawLog, RawMetrics, RawPresence};
pub use raw_line::{Cause, EncoderKind, RawAlarms, RawBelt, RawEjector, RawParts, SafeAction, TriggerKind};
pub use recipes::{RawRecipe, Recipe};
pub use secrets::{masked, without_secrets};
