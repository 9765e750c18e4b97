use std::io::IsTerminal;

use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Where messages go.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Filter, such as `info` or `info,andon::capture=debug`.
    pub level: String,
    /// One JSON object a line.
    pub json: bool,
}

/// Messages go to the journal when it holds our standard error, else to standard error: text with colours on a terminal,
/// JSON on demand. A second call changes nothing.
///
/// # Errors
/// When the filter cannot be read.
pub fn init_logging(options: &LogOptions) -> Result<(), ParseError> {
    // Zenoh reports every connection attempt; its warnings are enough unless somebody asks.
    let named = options.level.contains("zenoh");
    let text = if named {
        options.level.clone()
    } else {
        format!("{},zenoh=error,zenoh_transport=error,zenoh_link=error", options.level)
    };
    let filter = EnvFilter::try_new(text)?;
    let registry = tracing_subscriber::registry().with(filter);
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok());
    let result = match (journal, options.json) {
        (Some(journal), _) => registry.with(journal).try_init(),
        (None, true) => registry.with(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr)).try_init(),
        (None, false) => {
            let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
            registry.with(layer.with_target(false)).try_init()
        }
    };
    // Only a second call fails here (tests), and then the first one's choice stands.
    drop(result);
    Ok(())
}
