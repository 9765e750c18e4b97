//! Why a line cannot be built.

use thiserror::Error;

use super::detector::OpenError;
use crate::config::ConfigError;
use andon_core::FieldError;
use andon_io::capture::CaptureError;
use andon_io::pictures::PictureError;
use andon_io::sinks::SinkError;
use andon_line::runtime::LineError;
use andon_service::WebError;
#[cfg(feature = "page")]
use andon_service::page::PageError;

/// Why a line cannot be built, by what has to change before it can be. [`BuildError::is_refusal`] tells the two groups apart.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A camera's pipeline.
    #[error("camera `{camera}`: {source}")]
    Camera {
        /// Name of the camera.
        camera: String,
        /// What is wrong with its pipeline.
        source: CaptureError,
    },
    /// An input, an output or the encoder.
    #[error(transparent)]
    FieldIo(#[from] FieldError),
    /// A sink; its error says whether the configuration has to change.
    #[error(transparent)]
    Sink(#[from] SinkError),

    /// The recipe that the line was to start with.
    #[error(
        "recipe `{recipe}`{because}: {why}; `andon run --recipe NAME` starts with another one, `--no-recipe` with the models of the cameras"
    )]
    Recipe {
        /// Its name.
        recipe: String,
        /// Why it was to be that one.
        because: &'static str,
        /// Why it cannot be taken.
        why: String,
    },

    /// The folder of pictures.
    #[error("pictures.path: {0}")]
    Pictures(#[from] PictureError),
    /// A camera's detector.
    #[error("camera `{camera}`: {source}")]
    Detector {
        /// Name of the camera.
        camera: String,
        /// Why there is none.
        source: OpenError,
    },
    /// Detectors that several cameras share.
    #[error(transparent)]
    SharedDetector(OpenError),
    /// A model without a threshold above 0.
    #[error("camera `{camera}`: the model has no usable threshold")]
    NoThreshold {
        /// Name of the camera.
        camera: String,
    },
    /// The metrics endpoint.
    #[error(transparent)]
    Metrics(#[from] WebError),
    /// The operator's page.
    #[cfg(feature = "page")]
    #[error(transparent)]
    Page(#[from] PageError),
    /// Users and audit of the page.
    #[cfg(feature = "page")]
    #[error(transparent)]
    Accounts(#[from] andon_service::accounts::AccountError),
    /// The operator's page is not in this build.
    #[cfg(not(feature = "page"))]
    #[error(transparent)]
    NoPage(andon_io::NotBuilt),
    /// The threads of the line.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The configuration cannot be written as JSON, for those who may read it over the network.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The system: no room for a thread.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

impl BuildError {
    /// The configuration, or what it names, has to be changed first: trying again changes nothing. Everything else may work at the next
    /// start.
    pub fn is_refusal(&self) -> bool {
        match self {
            BuildError::Config(_) | BuildError::Camera { .. } | BuildError::FieldIo(_) | BuildError::Recipe { .. } => {
                true
            }
            BuildError::Sink(e) => e.is_refusal(),
            #[cfg(feature = "page")]
            BuildError::Accounts(_) => true,
            #[cfg(feature = "page")]
            BuildError::Page(e) => matches!(e, PageError::Tls(_)),
            #[cfg(not(feature = "page"))]
            BuildError::NoPage(_) => true,
            BuildError::Pictures(_)
            | BuildError::Detector { .. }
            | BuildError::SharedDetector(_)
            | BuildError::NoThreshold { .. }
            | BuildError::Metrics(_)
            | BuildError::Line(_)
            | BuildError::Json(_)
            | BuildError::System(_) => false,
        }
    }
}
