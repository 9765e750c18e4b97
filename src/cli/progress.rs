//! How far a long command is: a bar as wide as the terminal, or a line now and then where standard error is no terminal.

use std::borrow::Cow;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output;
use andon_core::Mono;

/// Work that is done by then says nothing.
const FIRST: Duration = Duration::from_secs(10);
/// From one line to the next: a log of a learning that takes ten minutes stays readable.
const PAUSE: Duration = Duration::from_secs(30);

/// Shows progress on standard error. Clones show the same work.
#[derive(Clone)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// Where there is no terminal.
    lines: Option<Arc<Mutex<Lines>>>,
}

impl Progress {
    /// Nothing is done yet.
    pub fn new() -> Progress {
        Progress::every(None)
    }

    /// The same with a line every so many seconds where there is no terminal, from the start on.
    pub fn every(seconds: Option<u64>) -> Progress {
        if !io::stderr().is_terminal() {
            let (first, pause) = seconds.map_or((FIRST, PAUSE), |s| (Duration::ZERO, Duration::from_secs(s)));
            let lines = Some(Arc::new(Mutex::new(Lines::new(Mono::now(), first, pause))));
            return Progress { bar: ProgressBar::hidden(), lines };
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{msg:>22} [{wide_bar}] {percent:>3} %  {eta} left") {
            bar.set_style(style.progress_chars("=> "));
        }
        Progress { bar, lines: None }
    }

    /// What is being done.
    pub fn set_message(&self, message: impl Into<Cow<'static, str>>) {
        let message = message.into();
        self.tell(|lines, now| lines.begin(&message, now));
        self.bar.set_message(message);
    }

    /// More about what is being done, which goes on.
    pub fn describe(&self, message: impl Into<Cow<'static, str>>) {
        let message = message.into();
        self.tell(|lines, _| lines.message = message.to_string());
        self.bar.set_message(message);
    }

    /// Steps in all.
    pub fn set_length(&self, length: u64) {
        self.tell(|lines, _| lines.length = length);
        self.bar.set_length(length);
    }

    /// Steps that are done.
    pub fn set_position(&self, position: u64) {
        self.tell(|lines, _| lines.position = position);
        self.bar.set_position(position);
    }

    /// So many steps more are done.
    pub fn inc(&self, steps: u64) {
        self.tell(|lines, _| lines.position += steps);
        self.bar.inc(steps);
    }

    /// Begins anew with the next work.
    pub fn reset(&self) {
        self.tell(|lines, _| lines.position = 0);
        self.bar.reset();
    }

    /// All is done; a bar goes away.
    pub fn finish_and_clear(&self) {
        self.bar.finish_and_clear();
    }

    fn tell(&self, change: impl FnOnce(&mut Lines, Mono)) {
        let Some(Ok(mut lines)) = self.lines.as_ref().map(|l| l.lock()) else { return };
        let now = Mono::now();
        change(&mut lines, now);
        if let Some(text) = lines.due(now) {
            output::note(&text);
        }
    }
}

/// When which line is written.
#[derive(Debug)]
struct Lines {
    message: String,
    length: u64,
    position: u64,
    /// When the present work began.
    begun: Mono,
    /// When the next line is due.
    next: Mono,
    /// From one line to the next.
    pause: Duration,
}

impl Lines {
    fn new(now: Mono, first: Duration, pause: Duration) -> Lines {
        Lines { message: String::new(), length: 0, position: 0, begun: now, next: now + first, pause }
    }

    fn begin(&mut self, message: &str, now: Mono) {
        if self.message != message {
            message.clone_into(&mut self.message);
            (self.position, self.begun) = (0, now);
        }
    }

    /// The line that is due now, if one is.
    fn due(&mut self, now: Mono) -> Option<String> {
        if now < self.next || self.length == 0 {
            return None;
        }
        self.next = now + self.pause;
        let done = (self.position as f64 / self.length as f64).min(1.0);
        let what = if self.message.is_empty() { "working" } else { &self.message };
        let left = match done > 0.0 {
            true => format!(", about {:.0} s left", now.since(self.begun).as_secs_f64() * (1.0 - done) / done),
            false => String::new(),
        };
        Some(format!("{what}: {:.0} %{left}", (done * 100.0).floor()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_long_work_says_how_far_it_is_and_short_work_nothing() {
        let at = |s: u64| Mono(s * 1_000_000_000);
        let mut lines = Lines::new(at(0), FIRST, PAUSE);
        lines.begin("features", at(0));
        (lines.length, lines.position) = (100, 50);
        assert_eq!(lines.due(at(9)), None);
        assert_eq!(lines.due(at(10)).unwrap(), "features: 50 %, about 10 s left");
        lines.position = 99;
        assert_eq!((lines.due(at(11)), lines.due(at(39))), (None, None), "not at every step");
        lines.begin("bank", at(30));
        lines.begin("bank", at(35));
        assert_eq!(lines.due(at(41)).unwrap(), "bank: 0 %");
        (lines.length, lines.position) = (8, 9);
        assert_eq!(lines.due(at(80)).unwrap(), "bank: 100 %, about 0 s left");
    }
}
