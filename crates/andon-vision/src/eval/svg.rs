//! Small charts as SVG: drawn here because they need nothing but lines and bars, and the report must open without a network.

use std::fmt::Write;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 46.0;
const BOTTOM: f64 = 38.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 12.0;

/// Two histograms over one axis, good and bad, with the threshold.
pub(super) fn histogram(good: &[f32], bad: &[f32], threshold: f32) -> String {
    const BINS: usize = 48;
    let all = || good.iter().chain(bad).copied();
    let (low, high) = (all().fold(threshold, f32::min), all().fold(threshold, f32::max));
    let span = (high - low).max(f32::MIN_POSITIVE) * 1.02;
    let count = |scores: &[f32]| {
        let mut bins = [0usize; BINS];
        scores.iter().for_each(|s| bins[(((s - low) / span * BINS as f32) as usize).min(BINS - 1)] += 1);
        bins
    };
    let (good, bad) = (count(good), count(bad));
    let most = good.iter().chain(&bad).copied().max().unwrap_or(1).max(1) as f64;
    let mut svg = open("Scores of good and defective pictures with the threshold");
    let (w, h) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    for (bins, class) in [(good, "good"), (bad, "bad")] {
        for (i, n) in bins.iter().enumerate().filter(|(_, n)| **n > 0) {
            let (x, bar) = (LEFT + w * i as f64 / BINS as f64, h * *n as f64 / most);
            let y = HEIGHT - BOTTOM - bar;
            write_to(
                &mut svg,
                format_args!(
                    r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{:.1}" height="{bar:.1}"/>"#,
                    w / BINS as f64 - 0.6
                ),
            );
        }
    }
    let x = LEFT + w * f64::from((threshold - low) / span);
    write_to(
        &mut svg,
        format_args!(r#"<line class="limit" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{:.1}"/>"#, HEIGHT - BOTTOM),
    );
    write_to(
        &mut svg,
        format_args!(r#"<text x="{:.1}" y="{:.1}" class="end">{:.2}</text>"#, x - 4.0, TOP + 10.0, threshold),
    );
    axes(&mut svg, "score", "pictures", (f64::from(low), f64::from(low + span)), (0.0, most));
    svg.push_str("</svg>");
    svg
}

/// A curve of points inside `0..=right` by `0..=1`.
pub(super) fn curve(title: &str, points: &[(f64, f64)], right: f64, x: &str, y: &str) -> String {
    let mut svg = open(title);
    let (w, h) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let mut path = String::new();
    for (i, p) in points.iter().enumerate() {
        let (px, py) = (LEFT + w * (p.0 / right).min(1.0), HEIGHT - BOTTOM - h * p.1);
        write_to(&mut path, format_args!("{}{px:.1} {py:.1}", if i == 0 { "M" } else { "L" }));
    }
    write_to(&mut svg, format_args!(r#"<path class="curve" d="{path}"/>"#));
    axes(&mut svg, x, y, (0.0, right), (0.0, 1.0));
    svg.push_str("</svg>");
    svg
}

fn open(title: &str) -> String {
    format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">"#)
}

fn axes(svg: &mut String, x: &str, y: &str, xs: (f64, f64), ys: (f64, f64)) {
    let (right, base) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    write_to(svg, format_args!(r#"<path class="axis" d="M{LEFT} {TOP}V{base}H{right}"/>"#));
    for i in 0..=4 {
        let t = f64::from(i) / 4.0;
        let (px, py) = (LEFT + (right - LEFT) * t, base - (base - TOP) * t);
        let (vx, vy) = (xs.0 + (xs.1 - xs.0) * t, ys.0 + (ys.1 - ys.0) * t);
        write_to(svg, format_args!(r#"<text x="{px:.1}" y="{:.1}" class="middle">{}</text>"#, base + 14.0, number(vx)));
        write_to(
            svg,
            format_args!(r#"<text x="{:.1}" y="{:.1}" class="end">{}</text>"#, LEFT - 5.0, py + 4.0, number(vy)),
        );
    }
    write_to(
        svg,
        format_args!(r#"<text x="{:.1}" y="{:.1}" class="middle">{x}</text>"#, (LEFT + right) / 2.0, HEIGHT - 6.0),
    );
    write_to(
        svg,
        format_args!(
            r#"<text transform="translate(11 {:.1}) rotate(-90)" class="middle">{y}</text>"#,
            (TOP + base) / 2.0
        ),
    );
}

fn number(v: f64) -> String {
    match v.abs() {
        a if a >= 100.0 || a.fract() == 0.0 => format!("{v:.0}"),
        a if a >= 10.0 => format!("{v:.1}"),
        _ => format!("{v:.2}"),
    }
}

/// Writing to a `String` cannot fail.
fn write_to(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).unwrap_or_default();
}
