//! How a camera is supervised.

use std::time::Duration;

/// How a camera behind a pipeline is supervised.
#[derive(Clone, Debug)]
pub struct GstOptions {
    /// Elements allowed besides the built-in list.
    pub allow_elements: Vec<String>,
    /// The camera's name, for messages.
    pub name: String,
    /// Whether the end of the stream ends the source instead of restarting it.
    pub end_at_eos: bool,
    /// Silence longer than three frame periods, and at least this, is a fault; `None` where frames come only when a part does. A
    /// recording is given `first_frame` instead.
    pub silence: Option<Duration>,
    /// A start takes this long at most, and where silence is a fault the first frame comes within it: cameras take seconds to start.
    pub first_frame: Duration,
    /// First pause before a rebuild; doubles up to `max_backoff`.
    pub min_backoff: Duration,
    /// Longest pause before a rebuild.
    pub max_backoff: Duration,
}

impl Default for GstOptions {
    fn default() -> Self {
        GstOptions {
            allow_elements: Vec::new(),
            name: String::new(),
            end_at_eos: false,
            silence: Some(Duration::from_millis(250)),
            first_frame: Duration::from_secs(10),
            min_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
        }
    }
}
