//! What a person or another machine may ask of a running line, over HTTP and beside it: the acts with their users and their audit, the
//! operator's page, `/metrics` for Prometheus and `/healthz`. All on threads of its own; the line does not depend on it.

#[cfg(feature = "page")]
pub mod accounts;
#[cfg(feature = "page")]
pub mod live;
#[cfg(feature = "page")]
pub mod models;
#[cfg(feature = "page")]
pub mod backup;
#[cfg(feature = "page")]
pub mod act;
#[cfg(feature = "page")]
pub mod page;
mod metrics;

pub use metrics::{Health, Server, WebError};
