//! Where messages go: the journal, or standard error.

use std::io::IsTerminal;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
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

/// Keeps the log's own thread; what is still waiting is written when it is dropped.
#[must_use = "messages are lost when the guard is dropped early"]
#[derive(Debug)]
pub struct LogGuard(#[allow(dead_code, reason = "held for its drop")] Option<WorkerGuard>);

/// Messages go to the journal when it holds our standard error, else to standard error: text with colours on a terminal,
/// JSON on demand. Standard error is written by a thread of its own, and messages are dropped when it does not keep up: the
/// line never waits for whoever reads them. A second call changes nothing.
///
/// # Errors
/// When the filter cannot be read.
pub fn init_logging(options: &LogOptions) -> Result<LogGuard, ParseError> {
    // Zenoh reports every connection attempt; its errors are enough unless somebody asks.
    let quiet = ",zenoh=error,zenoh_transport=error,zenoh_link=error";
    let named = options.level.contains("zenoh");
    let filter = EnvFilter::try_new(format!("{}{}", options.level, if named { "" } else { quiet }))?;
    let registry = tracing_subscriber::registry().with(filter);
    if let Some(journal) = std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok()) {
        // Only a second call fails here and below (tests), and then the first one's choice stands.
        drop(registry.with(journal).try_init());
        return Ok(LogGuard(None));
    }
    let (writer, guard) = NonBlockingBuilder::default().lossy(true).finish(std::io::stderr());
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let result = if options.json {
        registry.with(layer.json()).try_init()
    } else {
        let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        registry.with(layer.with_ansi(colours).with_target(false)).try_init()
    };
    drop(result);
    Ok(LogGuard(Some(guard)))
}
