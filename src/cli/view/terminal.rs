//! The terminal: entered, drawn on, left as it was.

use std::io::{self, IsTerminal};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::Live;

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// 24 bits.
    True,
    /// 256 colours.
    Indexed,
    /// None wanted or none there.
    None,
}

impl Colours {
    /// By the usual variables: `NO_COLOR`, `COLORTERM`, `TERM`.
    pub fn detect(get: impl Fn(&str) -> Option<String>) -> Colours {
        let has = |name: &str, words: &[&str]| get(name).is_some_and(|v| words.iter().any(|w| v.contains(w)));
        if get("NO_COLOR").is_some_and(|v| !v.is_empty()) || has("TERM", &["dumb"]) {
            Colours::None
        } else if has("COLORTERM", &["truecolor", "24bit"]) {
            Colours::True
        } else {
            Colours::Indexed
        }
    }
}

/// The whole terminal, given back when dropped or on a panic.
pub struct Screen {
    terminal: DefaultTerminal,
    colours: Colours,
}

impl Screen {
    /// Takes the terminal; `None` when standard output is none.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn enter() -> io::Result<Option<Screen>> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Ok(None);
        }
        let terminal = ratatui::try_init()?;
        Ok(Some(Screen { terminal, colours: Colours::detect(|name| std::env::var(name).ok()) }))
    }

    /// Draws.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, live: &Live) -> io::Result<()> {
        let colours = self.colours;
        self.terminal.draw(|frame| live.draw(frame, colours)).map(|_| ())
    }

    /// Waits at most `wait` for a key; true for `q`, Escape and Ctrl-C.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn asked_to_quit(&mut self, wait: Duration) -> io::Result<bool> {
        if !event::poll(wait)? {
            return Ok(false);
        }
        let Event::Key(key) = event::read()? else { return Ok(false) };
        let ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        Ok(key.kind == KeyEventKind::Press && (ctrl_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
