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

    /// Steps that are done. What the first call says was done before: it says nothing about the time that the others take.
    pub fn set_position(&self, position: u64) {
        self.tell(|lines, now| lines.reach(position, now));
        let goes_on = self.bar.position() == 0 && position > 1;
        self.bar.set_position(position);
        if goes_on {
            self.bar.reset_eta();
        }
    }

    /// So many steps more are done.
    pub fn inc(&self, steps: u64) {
        self.tell(|lines, _| lines.position += steps);
        self.bar.inc(steps);
    }

    /// Begins anew with the next work.
    pub fn reset(&self) {
        self.tell(Lines::restart);
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
    /// Steps that were done when the present work was first counted.
    before: Option<u64>,
    /// When the present work began.
    begun: Mono,
    /// When the next line is due.
    next: Mono,
    /// From one line to the next.
    pause: Duration,
}

impl Lines {
    fn new(now: Mono, first: Duration, pause: Duration) -> Lines {
        Lines { message: String::new(), length: 0, position: 0, before: None, begun: now, next: now + first, pause }
    }

    fn restart(&mut self, now: Mono) {
        (self.position, self.before, self.begun) = (0, None, now);
    }

    fn reach(&mut self, position: u64, now: Mono) {
        self.position = position;
        if self.before.is_none() {
            // Work that goes on from earlier begins here; the first step of new work took its time since the start.
            let goes_on = position > 1;
            self.before = Some(if goes_on { position } else { 0 });
            self.begun = if goes_on { now } else { self.begun };
        }
    }

    fn begin(&mut self, message: &str, now: Mono) {
        if self.message != message {
            message.clone_into(&mut self.message);
            self.restart(now);
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
        let since = self.position.saturating_sub(self.before.unwrap_or(0));
        let left = match since > 0 {
            true => {
                let to_do = self.length.saturating_sub(self.position) as f64 / since as f64;
                format!(", about {:.0} s left", now.since(self.begun).as_secs_f64() * to_do)
            }
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

    #[test]
    fn work_that_goes_on_from_earlier_counts_its_own_steps_for_the_time_left() {
        let at = |s: u64| Mono(s * 1_000_000_000);
        let mut lines = Lines::new(at(0), Duration::ZERO, PAUSE);
        lines.length = 100;
        lines.reach(52, at(100));
        assert_eq!(lines.due(at(100)).unwrap(), "working: 52 %");
        lines.reach(54, at(130));
        assert_eq!(lines.due(at(130)).unwrap(), "working: 54 %, about 690 s left");
        lines.restart(at(200));
        lines.reach(1, at(210));
        assert_eq!(lines.due(at(210)).unwrap(), "working: 1 %, about 990 s left");
    }
}
