//! Records to a web server, as HTTP POST.

mod config;
#[cfg(feature = "webhook")]
pub(super) mod sink;

pub use config::WebhookConfig;
#[cfg(feature = "webhook")]
pub use sink::{WebhookForwarder, WebhookSettings};
