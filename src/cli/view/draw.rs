//! The drawing. Blocks that do not fit are left out, the counters last.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

use super::{Colours, Live, Shown, picture};
use andon_core::Outcome;
use andon_vision::model::heatmap;

const GREEN: [u8; 3] = [88, 190, 110];
const RED: [u8; 3] = [232, 72, 66];
const YELLOW: [u8; 3] = [240, 196, 70];
const GREY: [u8; 3] = [140, 140, 150];

pub(super) fn draw(live: &Live, frame: &mut Frame<'_>, colours: Colours) {
    let area = frame.area();
    let rows = [Constraint::Length(1), Constraint::Min(8), Constraint::Length(7), Constraint::Length(1)];
    let [title, middle, chart, foot] = Layout::vertical(rows).areas(area);
    frame.render_widget(header(live), title);
    // Two pictures side by side, one below the other, or none.
    let side = live.shown.as_ref().map_or(32, |s| s.side) as u16;
    let pictures = if area.width >= 40 + 2 * side + 5 {
        2 * side + 5
    } else if area.width >= 38 + side + 2 {
        side + 2
    } else {
        0
    };
    let [left, right] = Layout::horizontal([Constraint::Min(30), Constraint::Length(pictures)]).areas(middle);
    frame.render_widget(counters(live, colours, left), left);
    if let (Some(shown), 1..) = (&live.shown, pictures) {
        draw_pictures(shown, frame, right, colours, pictures > side + 2);
    }
    draw_chart(live, frame, chart, colours);
    frame.render_widget(Paragraph::new("q quits").style(fg(GREY, colours)), foot);
}

fn fg(rgb: [u8; 3], colours: Colours) -> Style {
    match colours {
        Colours::None => Style::new(),
        _ => Style::new().fg(picture::colour(rgb, colours)),
    }
}

fn header(live: &Live) -> Paragraph<'_> {
    let state = live.stats.map_or("starting", |s| s.camera_state);
    let text = format!(" andon  {}  {:.0}/s  camera {state}  {:.0} s", live.title, live.rate, live.elapsed);
    Paragraph::new(text).style(Style::new().add_modifier(Modifier::REVERSED))
}

fn counters<'a>(live: &'a Live, colours: Colours, area: Rect) -> Paragraph<'a> {
    let [pass, reject, uninspected, error] = live.tally.outcomes;
    let (good, false_rejects) = live.tally.good;
    let (bad, missed) = (live.tally.bad(), live.tally.missed());
    let row = |name: &'static str, n: u64, rgb: [u8; 3]| {
        // A bar of at most 16 cells, the share of all parts.
        let cells = (16 * n).checked_div(live.tally.parts).unwrap_or(0) as usize;
        Line::from(vec![Span::raw(format!(" {name:<12}{n:>7} ")), Span::styled("█".repeat(cells), fg(rgb, colours))])
    };
    let latency = live.stats.map(|s| s.latency).unwrap_or_default();
    let margin = live.stats.map(|s| s.margin).unwrap_or_default();
    let ms = |us: u64| us as f64 / 1000.0;
    let of = |hits: u64, n: u64| format!("{hits} of {n}");
    let mut lines = vec![
        row("PASS", pass, GREEN),
        row("REJECT", reject, RED),
        row("UNINSPECTED", uninspected, YELLOW),
        row("ERROR", error, YELLOW),
        Line::raw(""),
        Line::raw(format!(" missed        {}", of(missed, bad))),
        Line::raw(format!(" false rejects {}", of(false_rejects, good))),
        Line::raw(format!(" latency ms  p50 {:.1}  p99 {:.1}", ms(latency.p50_us), ms(latency.p99_us))),
        Line::raw(format!("             max {:.1}", ms(latency.max_us))),
        Line::raw(format!(" margin ms   min {:.1}  p50 {:.1}", ms(margin.min_us), ms(margin.p50_us))),
        Line::raw(format!(" ejected       {}", live.ejected)),
        Line::raw(""),
    ];
    let room = usize::from(area.height).saturating_sub(lines.len());
    let skip = live.events.len().saturating_sub(room);
    lines.extend(live.events.iter().skip(skip).map(|e| Line::styled(format!(" {e}"), fg(GREY, colours))));
    Paragraph::new(lines)
}

fn draw_pictures(shown: &Shown, frame: &mut Frame<'_>, area: Rect, colours: Colours, both: bool) {
    let heat: Vec<[u8; 3]> = shown.levels.iter().map(|l| heatmap::colour(*l)).collect();
    let boxed = |title: String, pixels: &[[u8; 3]]| {
        let lines = picture::lines(pixels, shown.side, colours);
        Paragraph::new(lines).block(Block::new().borders(Borders::TOP).title(title))
    };
    if both {
        let side = shown.side as u16;
        let parts = [Constraint::Length(side + 1), Constraint::Length(2), Constraint::Length(side + 1)];
        let [left, _, right] = Layout::horizontal(parts).areas(area);
        frame.render_widget(boxed(shown.caption.clone(), &shown.rgb), left);
        frame.render_widget(boxed("heatmap".to_owned(), &heat), right);
    } else {
        frame.render_widget(boxed(shown.caption.clone(), &heat), area);
    }
}

/// Scores of the last parts as columns against the threshold, and a strip of their outcomes below.
fn draw_chart(live: &Live, frame: &mut Frame<'_>, area: Rect, colours: Colours) {
    let width = usize::from(area.width.saturating_sub(2));
    let height = usize::from(area.height.saturating_sub(2));
    if width == 0 || height == 0 {
        return;
    }
    let last: Vec<_> = live.recent.iter().rev().take(width).rev().collect();
    // The threshold lies at half height, in eighths of a cell.
    let eighths =
        |margin: Option<f32>| (margin.unwrap_or(0.0) * height as f32 * 4.0).clamp(0.0, height as f32 * 8.0) as usize;
    const BLOCKS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    let mut lines: Vec<Line<'_>> = (0..height)
        .rev()
        .map(|row| {
            let cells = last.iter().map(|(outcome, margin)| {
                let fill = eighths(*margin).saturating_sub(row * 8).min(8);
                Span::styled(BLOCKS[fill], fg(mark(outcome).1, colours))
            });
            Line::from(std::iter::once(Span::raw(" ")).chain(cells).collect::<Vec<_>>())
        })
        .collect();
    let strip = last.iter().map(|(outcome, _)| {
        let (sign, rgb) = mark(outcome);
        Span::styled(sign, fg(rgb, colours))
    });
    lines.push(Line::from(std::iter::once(Span::raw(" ")).chain(strip).collect::<Vec<_>>()));
    let block = Block::new().borders(Borders::TOP).title(" score by part (threshold at half height) ");
    frame.render_widget(Paragraph::new(lines).block(block).style(Style::new().fg(Color::Reset)), area);
}

fn mark(outcome: &Outcome) -> (&'static str, [u8; 3]) {
    match outcome {
        Outcome::Pass(_) => ("·", GREEN),
        Outcome::Reject => ("R", RED),
        Outcome::Uninspected => ("U", YELLOW),
        Outcome::Error => ("E", YELLOW),
    }
}
