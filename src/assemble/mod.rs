//! From what is written down to what runs: a model file becomes a detector ([`open`]), a configuration becomes a running line
//! ([`line`](fn@line), or [`LineBuilder`] step by step). Used alike by the program's commands, by tests and by programs that use this
//! library; nothing here prints, and every error says what its caller has to decide ([`BuildError`]).
//!
//! ```text
//! Config ─► precheck ─► cameras (model ─► detector, pipeline ─► source) ─┐
//!                       fieldio (inputs, outputs, encoder ─► lanes)      ├─► LineBuilder ─► RunningLine
//!                       sinks, pictures, metrics endpoint, guard process ┘
//! ```

#[cfg_attr(not(feature = "tensorrt"), path = "gpu_absent.rs")]
pub mod gpu;
#[cfg_attr(not(feature = "tensorrt"), path = "gpu_background_absent.rs")]
mod gpu_background;
pub mod auto;
#[cfg(feature = "page")]
mod backup;
mod cameras;
pub mod describe;
mod detector;
mod error;
pub mod fieldio;
pub mod fit_defaults;
pub mod guard;
mod health;
mod line;
#[cfg(feature = "page")]
mod line_models;
#[cfg_attr(not(feature = "page"), path = "page_absent.rs")]
mod page;
#[cfg(feature = "page")]
mod page_pictures;
pub mod operating;
mod pictures;
pub mod precheck;
pub mod simulated;
mod sinks;
pub mod start_recipe;

#[cfg(feature = "page")]
pub use backup::backup_plan;
pub use cameras::{CameraParts, open_source};
pub use detector::{OpenError, OpenedDetector, lacks_feature, maker, model_tag, open, open_on_cpu};
pub use error::BuildError;
pub use fieldio::LaneParts;
pub use gpu::GpuError;
pub use line::{LineBuilder, RunningLine};
pub use page::Page;
pub use pictures::Pictures;
