//! The endpoint for Prometheus and for whoever asks whether all is well.

#[cfg(feature = "web")]
mod server;

use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;

use andon_line::telemetry::Metrics;

/// Whether the line is healthy, and if not, why: one line a camera.
pub type Health = Arc<dyn Fn() -> Result<(), Vec<String>> + Send + Sync>;

/// Why there is no endpoint.
#[derive(Debug, Error)]
pub enum WebError {
    /// Address in use, or not ours.
    #[error("cannot serve metrics on {address}: {source}; choose another metrics.listen, or metrics.enabled = false")]
    Bind {
        /// Address.
        address: SocketAddr,
        /// Cause.
        source: std::io::Error,
    },
    /// No threads.
    #[error("cannot start the HTTP threads: {0}")]
    Runtime(std::io::Error),
    /// Not compiled in.
    #[error("metrics need HTTP, which is not in this build: needs --features web; or set metrics.enabled = false")]
    NotBuilt,
}

/// A running endpoint; stops within a second when dropped.
#[derive(Debug)]
pub struct Server {
    #[cfg(feature = "web")]
    inner: server::Inner,
}

impl Server {
    /// Binds and serves.
    ///
    /// # Errors
    /// See [`WebError`].
    #[cfg(feature = "web")]
    pub fn start(address: SocketAddr, metrics: Arc<Metrics>, health: Health) -> Result<Server, WebError> {
        Ok(Server { inner: server::Inner::start(address, metrics, health)? })
    }

    /// Without the feature `web`: says so.
    ///
    /// # Errors
    /// Always [`WebError::NotBuilt`].
    #[cfg(not(feature = "web"))]
    pub fn start(_: SocketAddr, _: Arc<Metrics>, _: Health) -> Result<Server, WebError> {
        Err(WebError::NotBuilt)
    }

    /// Where it listens (the port that was given for port 0).
    #[cfg(feature = "web")]
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }
}
