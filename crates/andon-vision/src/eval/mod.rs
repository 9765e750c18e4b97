//! How good a model is, measured on pictures whose truth is known: the field's metrics, exactly as it defines them, beside the
//! figures that a plant asks for. Never on the line's threads.

mod compare;
mod curve;
mod dataset;
mod learned;
mod masks;
mod operating;
mod page;
mod pixels;
mod report;
mod reviewed;
mod run;
mod saturation;
mod summary;
mod svg;
mod table;

pub use compare::{Comparison, compare};
pub use curve::Curve;
pub use dataset::{Dataset, DatasetError, Sample, load};
pub use learned::{set_by_one, write_fit_report};
pub use operating::{Aim, OperatingPoint, operating_points};
pub use pixels::{PixelMetrics, Pixels};
pub use report::write_report;
pub use reviewed::reviewed;
pub use run::{Evaluation, evaluate};
pub use saturation::{SaturatedOverlap, Saturation, SaturationError};
pub use summary::{ImageMetrics, ImageResult, Latency, Rates, Summary};
