//! Pictures in a terminal: two pixels a cell with the upper half block.

use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use super::Colours;

/// Shrinks a square RGB picture to `to` a side by taking means.
pub(super) fn shrink(rgb: &[u8], from: usize, to: usize) -> Vec<[u8; 3]> {
    let pixels = rgb.as_chunks::<3>().0;
    if pixels.len() < from * from || from == 0 {
        return vec![[0; 3]; to * to];
    }
    let span = |i: usize| (i * from / to, ((i + 1) * from / to).max(i * from / to + 1).min(from));
    (0..to * to)
        .map(|i| {
            let ((x0, x1), (y0, y1)) = (span(i % to), span(i / to));
            let mut sums = [0u32; 3];
            for y in y0..y1 {
                for pixel in &pixels[y * from + x0..y * from + x1] {
                    sums.iter_mut().zip(pixel).for_each(|(s, p)| *s += u32::from(*p));
                }
            }
            let n = ((x1 - x0) * (y1 - y0)).max(1) as u32;
            sums.map(|s| (s / n) as u8)
        })
        .collect()
}

/// Lines of a square picture.
pub(super) fn lines(pixels: &[[u8; 3]], side: usize, colours: Colours) -> Vec<Line<'static>> {
    let row = |y: usize| pixels.get(y * side..(y + 1) * side).unwrap_or_default();
    (0..side / 2)
        .map(|y| {
            let cells = row(2 * y).iter().zip(row(2 * y + 1));
            Line::from(cells.map(|(top, bottom)| cell(*top, *bottom, colours)).collect::<Vec<_>>())
        })
        .collect()
}

fn cell(top: [u8; 3], bottom: [u8; 3], colours: Colours) -> Span<'static> {
    match colours {
        Colours::None => {
            const SHADES: [&str; 8] = [" ", ".", ":", "-", "=", "+", "*", "#"];
            let grey = |p: [u8; 3]| (usize::from(p[0]) * 3 + usize::from(p[1]) * 6 + usize::from(p[2])) / 10;
            Span::raw(SHADES[(grey(top) + grey(bottom)) / 2 * SHADES.len() / 256])
        }
        _ => Span::styled("▀", Style::new().fg(colour(top, colours)).bg(colour(bottom, colours))),
    }
}

/// The nearest colour that the terminal has.
pub(super) fn colour([r, g, b]: [u8; 3], colours: Colours) -> Color {
    match colours {
        Colours::True => Color::Rgb(r, g, b),
        Colours::Indexed => {
            // The 6x6x6 cube, or the grey ramp for greys.
            if r.abs_diff(g) < 12 && g.abs_diff(b) < 12 {
                return Color::Indexed(232 + (u16::from(r) * 23 / 255) as u8);
            }
            let step = |v: u8| (u16::from(v) * 5 + 127) / 255;
            Color::Indexed((16 + 36 * step(r) + 6 * step(g) + step(b)) as u8)
        }
        Colours::None => Color::Reset,
    }
}
