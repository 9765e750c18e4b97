//! One HTML file with everything in it: opens from a disk, a share or a mail, without a network.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::ImageEncoder;

use super::compare::Comparison;
use super::operating::{Aim, OperatingPoint};
use super::run::Evaluation;
use super::summary::ImageResult;
use super::svg;
use crate::fit::read_image;
use crate::model::heatmap;
use andon_core::AnomalyMap;

/// Pictures of each kind of mistake that are shown.
const SHOWN: usize = 12;
/// Longest side of a shown picture.
const SIDE: u32 = 280;

/// Writes `report.html` into `folder`, whole or not at all, and returns its path.
///
/// # Errors
/// When the folder or the file cannot be written.
pub fn write_report(
    folder: &Path,
    data: &str,
    evaluations: &[&Evaluation],
    comparison: Option<&Comparison>,
) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let mut html = String::new();
    html.push_str(HEAD);
    put(&mut html, format_args!("<h1>andon eval: {}</h1>", escape(data)));
    if let (Some(c), [first, second]) = (comparison, evaluations) {
        flips(&mut html, c, first, second);
    }
    for e in evaluations {
        section(&mut html, e);
    }
    html.push_str("</main></body></html>\n");
    let path = folder.join("report.html");
    let mut file = AtomicWriteFile::open(&path)?;
    std::io::Write::write_all(&mut file, html.as_bytes())?;
    file.commit()?;
    Ok(path)
}

fn section(html: &mut String, e: &Evaluation) {
    let s = &e.summary;
    let scores = |bad: bool| -> Vec<f32> { e.images.iter().filter(|r| r.bad == bad).filter_map(|r| r.score).collect() };
    put(html, format_args!("<section><h2>{}</h2><dl class=\"tiles\">", escape(&e.name)));
    let share = |i: &andon_core::Interval| {
        format!(
            "{:.1} % <small>{} of {}; {:.1} to {:.1} %</small>",
            i.share * 100.0,
            i.count,
            i.of,
            i.low * 100.0,
            i.high * 100.0
        )
    };
    let some = |v: Option<f64>| v.map_or("–".to_owned(), |v| format!("{v:.4}"));
    let p = s.pixel.as_ref();
    for (name, value) in [
        ("Good parts rejected", share(&s.rates.false_reject)),
        ("Defects that pass", share(&s.rates.miss)),
        ("Image AUROC", some(s.image.auroc)),
        ("Image AP", some(s.image.average_precision)),
        ("F1 at the threshold", format!("{} <small>best of any {}</small>", some(s.image.f1), some(s.image.f1_max))),
        ("Pixel AUROC", some(p.and_then(|p| p.auroc))),
        ("Pixel AP", some(p.and_then(|p| p.average_precision))),
        (
            "AUPRO",
            format!("{} <small>to 5 %: {}</small>", some(p.and_then(|p| p.aupro_30)), some(p.and_then(|p| p.aupro_5))),
        ),
        ("AUPIMO", some(p.and_then(|p| p.aupimo))),
        ("Time for a picture", format!("{:.1} ms <small>99 %: {:.1} ms</small>", s.latency.p50_ms, s.latency.p99_ms)),
    ] {
        put(html, format_args!("<div><dt>{name}</dt><dd>{value}</dd></div>"));
    }
    html.push_str("</dl><div class=\"charts\">");
    let (good, bad) = (scores(false), scores(true));
    put(
        html,
        format_args!(
            "<figure>{}<figcaption><i class=\"good\"></i> good <i class=\"bad\"></i> defective, by score; the line is the threshold</figcaption></figure>",
            svg::histogram(&good, &bad, s.rates.threshold)
        ),
    );
    let roc = super::Curve::new(good.iter().map(|v| (*v, false)).chain(bad.iter().map(|v| (*v, true))).collect()).roc();
    put(
        html,
        format_args!(
            "<figure>{}<figcaption>ROC of pictures</figcaption></figure>",
            svg::curve("ROC of pictures", &roc, 1.0, "good parts rejected", "defects found")
        ),
    );
    if let Some(p) = p.filter(|p| !p.pro_curve.is_empty()) {
        put(
            html,
            format_args!(
                "<figure>{}<figcaption>Overlap with {} defect regions</figcaption></figure>",
                svg::curve("PRO", &p.pro_curve, 0.3, "false positive rate of pixels", "mean overlap"),
                p.regions
            ),
        );
    }
    html.push_str("</div><table><thead><tr><th>Defect</th><th>Pictures</th><th>AUROC</th><th>Pass at the threshold</th></tr></thead><tbody>");
    for (kind, (auroc, missed)) in &s.kinds {
        put(
            html,
            format_args!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(kind),
                missed.of,
                some(*auroc),
                share(missed)
            ),
        );
    }
    html.push_str("</tbody></table>");
    operating(html, &s.operating);
    let order = |bad: bool| {
        let mut wrong: Vec<usize> =
            (0..e.images.len()).filter(|i| e.images[*i].bad == bad && e.images[*i].passed == bad).collect();
        wrong.sort_by(|a, b| {
            let by =
                e.images[*a].score.unwrap_or(f32::INFINITY).total_cmp(&e.images[*b].score.unwrap_or(f32::INFINITY));
            if bad { by } else { by.reverse() }
        });
        wrong
    };
    gallery(html, e, "Defects that pass, lowest score first", &order(true));
    gallery(html, e, "Good parts rejected, highest score first", &order(false));
    let failed: Vec<&ImageResult> = e.images.iter().filter(|r| r.error.is_some()).collect();
    if !failed.is_empty() {
        html.push_str("<h3>Pictures with errors</h3><ul>");
        for r in failed {
            put(
                html,
                format_args!(
                    "<li>{}: {}</li>",
                    escape(&r.path.display().to_string()),
                    escape(r.error.as_deref().unwrap_or(""))
                ),
            );
        }
        html.push_str("</ul>");
    }
    html.push_str("</section>");
}

/// What other thresholds would cost on these pictures.
fn operating(html: &mut String, points: &[OperatingPoint]) {
    html.push_str("<h3>Thresholds, chosen and measured on these pictures</h3><table><thead><tr><th>Threshold</th><th>Good parts rejected</th><th>Defects that pass</th><th></th></tr></thead><tbody>");
    for p in points {
        let aim = match p.aim {
            Aim::Active => "the model's own".to_owned(),
            Aim::FalseReject(share) => format!("{:.0} % of good parts", share * 100.0),
            Aim::BestF1 => "best F1".to_owned(),
        };
        let cell = |i: &andon_core::Interval| {
            format!("{:.1} % <small>{:.1} to {:.1} %</small>", i.share * 100.0, i.low * 100.0, i.high * 100.0)
        };
        put(
            html,
            format_args!(
                "<tr><td>{:.4}</td><td>{}</td><td>{}</td><td>{aim}</td></tr>",
                p.threshold,
                cell(&p.false_reject),
                cell(&p.miss)
            ),
        );
    }
    html.push_str("</tbody></table>");
}

fn gallery(html: &mut String, e: &Evaluation, title: &str, which: &[usize]) {
    put(html, format_args!("<h3>{title}: {}</h3>", which.len()));
    if which.is_empty() {
        html.push_str("<p>None.</p>");
        return;
    }
    html.push_str("<div class=\"gallery\">");
    for i in which.iter().take(SHOWN) {
        let (r, map) = (&e.images[*i], &e.maps[*i]);
        let name = r.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let score = r.score.map_or("no score".to_owned(), |s| {
            format!("{:.0} % of the threshold", 100.0 * s / e.summary.rates.threshold)
        });
        html.push_str("<figure><div>");
        for png in pictures(&r.path, map, e.baseline, e.summary.rates.threshold).into_iter().flatten() {
            put(html, format_args!("<img alt=\"\" src=\"data:image/png;base64,{}\">", STANDARD.encode(png)));
        }
        put(
            html,
            format_args!("</div><figcaption>{}/{}: {score}</figcaption></figure>", escape(&r.kind), escape(&name)),
        );
    }
    html.push_str("</div>");
    if which.len() > SHOWN {
        put(html, format_args!("<p>and {} more; <code>--json</code> lists all.</p>", which.len() - SHOWN));
    }
}

/// The picture and the picture with its heatmap, small.
fn pictures(path: &Path, map: &AnomalyMap, baseline: f32, threshold: f32) -> Option<[Vec<u8>; 2]> {
    let picture = read_image(path).ok()?;
    let full = image::RgbImage::from_raw(picture.width, picture.height, picture.rgb)?;
    let factor = (f64::from(SIDE) / f64::from(picture.width.max(picture.height))).min(1.0);
    let side = |n: u32| ((f64::from(n) * factor).round() as u32).max(1);
    let small = image::imageops::thumbnail(&full, side(picture.width), side(picture.height));
    let (w, h) = small.dimensions();
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    heatmap::render_into(map, w as usize, h as usize, &mut values);
    heatmap::to_u8(&values, baseline, threshold, &mut levels);
    let heat = heatmap::overlay(small.as_raw(), &levels);
    Some([png(small.as_raw(), w, h)?, png(&heat, w, h)?])
}

fn png(rgb: &[u8], width: u32, height: u32) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    encoder.write_image(rgb, width, height, image::ExtendedColorType::Rgb8).ok()?;
    Some(bytes)
}

fn flips(html: &mut String, c: &Comparison, first: &Evaluation, second: &Evaluation) {
    put(
        html,
        format_args!(
            "<section><h2>{} against {}</h2><p>{} pictures change their outcome: {} for the better, {} for the worse (p = {:.3}, exact McNemar test).</p>",
            escape(&second.name),
            escape(&first.name),
            c.flipped.len(),
            c.better,
            c.worse,
            c.p_value
        ),
    );
    if !c.flipped.is_empty() {
        html.push_str("<table><thead><tr><th>Picture</th><th>Truth</th><th>First</th><th>Second</th><th></th></tr></thead><tbody>");
        for f in &c.flipped {
            let outcome = |passed: bool, margin: Option<f32>| {
                format!(
                    "{} {}",
                    if passed { "PASS" } else { "REJECT" },
                    margin.map_or(String::new(), |m| format!("({:.0} %)", m * 100.0))
                )
            };
            put(
                html,
                format_args!(
                    "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                    escape(&f.path.display().to_string()),
                    escape(&f.kind),
                    outcome(f.first_passed, f.margins[0]),
                    outcome(f.second_passed, f.margins[1]),
                    if f.second_right { "better" } else { "worse" }
                ),
            );
        }
        html.push_str("</tbody></table>");
    }
    html.push_str("</section>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Writing to a `String` cannot fail.
fn put(html: &mut String, what: std::fmt::Arguments<'_>) {
    html.write_fmt(what).unwrap_or_default();
}

const HEAD: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>andon eval</title><style>
:root{color-scheme:light dark;--ink:#1c2126;--soft:#5d6770;--line:#d5dade;--paper:#fff;--good:#3b82a0;--bad:#d9532c;--limit:#b8860b}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#98a2ab;--line:#3a424a;--paper:#15191d;--good:#5cb3d3;--bad:#f0764f;--limit:#e5b93c}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px}h1{font-size:22px}h2{font-size:19px;margin-top:36px}h3{font-size:16px;margin-top:28px}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:10px}.tiles div{border:1px solid var(--line);border-radius:6px;padding:10px 12px}
dt{color:var(--soft);font-size:13px}dd{margin:2px 0 0;font-size:20px;font-variant-numeric:tabular-nums}small{display:block;font-size:12px;color:var(--soft)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:16px}figure{margin:0}figcaption{color:var(--soft);font-size:13px}
svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--soft)}.end{text-anchor:end}.middle{text-anchor:middle}
.axis{fill:none;stroke:var(--line)}.curve{fill:none;stroke:var(--good);stroke-width:2}.limit{stroke:var(--limit);stroke-width:2;stroke-dasharray:5 3}
rect.good,i.good{fill:var(--good);background:var(--good);opacity:.75}rect.bad,i.bad{fill:var(--bad);background:var(--bad);opacity:.75}
i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-left:8px}
table{border-collapse:collapse;width:100%;margin-top:12px;font-variant-numeric:tabular-nums}th,td{text-align:left;padding:5px 8px;border-bottom:1px solid var(--line)}td small{display:inline}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));gap:14px}.gallery div{display:flex;gap:3px;align-items:flex-start}.gallery img{width:50%;height:auto}
</style></head><body><main>
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_the_page() {
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
