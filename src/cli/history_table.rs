//! How `andon history` writes rows: as a table, as JSON or as comma-separated values, in which texts from elsewhere do nothing.

use clap::Args;
use serde::Serialize;

use super::exit::Failure;
use super::output;
use andon_io::history::{CounterRow, LaneRow, PartDetail, PartRow};

#[derive(Debug, Args)]
pub(super) struct Form {
    /// One JSON object a line.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Comma-separated values with a line of names.
    #[arg(long)]
    pub csv: bool,
}

/// A row as cells.
pub(super) trait Cells: Serialize {
    const NAMES: &'static [&'static str];
    fn cells(&self) -> Vec<String>;
}

fn number(value: Option<f32>) -> String {
    value.map_or(String::new(), |v| format!("{v:.4}"))
}

impl Cells for PartRow {
    const NAMES: &'static [&'static str] = &[
        "time",
        "camera",
        "lane",
        "seq",
        "outcome",
        "reason",
        "score",
        "threshold",
        "ratio",
        "review",
        "model",
        "recipe",
        "id",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.time.clone(),
            self.camera.clone(),
            self.lane.clone(),
            self.seq.to_string(),
            self.outcome.as_str().to_owned(),
            self.reason.clone(),
            number(self.score),
            number(self.threshold),
            number(self.ratio),
            self.review.as_str().to_owned(),
            self.model.clone(),
            self.recipe.clone().unwrap_or_default(),
            self.id.clone(),
        ]
    }
}

impl Cells for LaneRow {
    const NAMES: &'static [&'static str] = &["time", "kind", "lane", "seq", "what", "text"];

    fn cells(&self) -> Vec<String> {
        let text = self.json.get("text").or_else(|| self.json.get("result")).and_then(|t| t.as_str());
        vec![
            self.time.clone(),
            self.kind.as_str().to_owned(),
            self.lane.clone(),
            self.seq.map_or(String::new(), |n| n.to_string()),
            self.what.clone().unwrap_or_default(),
            text.unwrap_or_default().to_owned(),
        ]
    }
}

impl Cells for CounterRow {
    const NAMES: &'static [&'static str] =
        &["time", "label", "lane", "camera", "offered", "pass", "reject", "uninspected", "error", "ejected", "missed"];

    fn cells(&self) -> Vec<String> {
        let counts = [self.offered, self.pass, self.reject, self.uninspected, self.error, self.ejected, self.missed];
        let names = [self.time.clone(), self.label.clone(), self.lane.clone(), self.camera.clone().unwrap_or_default()];
        names.into_iter().chain(counts.map(|n| n.to_string())).collect()
    }
}

/// Prints the rows in the form that was asked for.
pub(super) fn print<T: Cells>(rows: &[T], form: &Form) -> Result<(), Failure> {
    if form.json {
        rows.iter().try_for_each(output::json)?;
    } else if form.csv {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(T::NAMES)?;
        for row in rows {
            writer.write_record(row.cells().iter().map(|cell| for_spreadsheet(cell)))?;
        }
        let bytes = writer.into_inner().map_err(|e| anyhow::anyhow!("{e}"))?;
        output::line(String::from_utf8_lossy(&bytes).trim_end())?;
    } else {
        let cells: Vec<Vec<String>> =
            rows.iter().map(|row| row.cells().iter().map(|cell| harmless(cell)).collect()).collect();
        let width = |n: usize| {
            let name = T::NAMES.get(n).map_or(0, |name| name.len());
            cells.iter().filter_map(|row| row.get(n)).map(|cell| cell.chars().count()).fold(name, usize::max)
        };
        let widths: Vec<usize> = (0..T::NAMES.len()).map(width).collect();
        let line = |row: &[String]| {
            let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        output::line(&line(&T::NAMES.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()))?;
        for row in &cells {
            output::line(&line(row))?;
        }
    }
    Ok(())
}

/// Text that a terminal only shows: control characters, and those that turn the direction of writing, are written out.
fn harmless(text: &str) -> String {
    let shown = |c: char| match c {
        c if turns_text(c) => c.escape_unicode().collect(),
        c if c.is_control() => c.escape_debug().collect(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// A mark that changes the direction of writing.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The same for a spreadsheet, which takes a cell that begins so for a formula. A number is none.
fn for_spreadsheet(text: &str) -> String {
    let text = harmless(text);
    let is_formula = text.starts_with(['=', '+', '-', '@']) && text.parse::<f64>().is_err() && text != "-";
    if is_formula { format!("'{text}") } else { text }
}

/// Prints everything about a part as JSON, indented.
pub(super) fn print_part(part: &PartDetail) -> Result<(), Failure> {
    // JSON escapes control characters by itself; the marks of direction may be written in the same way.
    let text = serde_json::to_string_pretty(part)?;
    let shown = |c: char| if turns_text(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Ok(output::line(&text.chars().map(shown).collect::<String>())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_are_shown_and_do_nothing() {
        assert_eq!(harmless("a\x1b[2Jb\u{202e}c\n"), "a\\u{1b}[2Jb\\u{202e}c\\n");
        let cells = ["=1+1", "@x", "-3.5", "-", "plain"].map(for_spreadsheet);
        assert_eq!(cells, ["'=1+1", "'@x", "-3.5", "-", "plain"]);
    }
}
