//! The page of `andon eval --report`: figures, curves, thresholds, and the pictures that are judged wrongly.

use std::path::{Path, PathBuf};

use super::compare::Comparison;
use super::operating::{Aim, OperatingPoint};
use super::page::{self, escape, put};
use super::run::Evaluation;
use super::summary::ImageResult;
use super::svg;

/// Pictures of each kind of mistake that are shown.
const SHOWN: usize = 12;

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
    let mut html = page::begin("andon eval");
    put(&mut html, format_args!("<h1>andon eval: {}</h1>", escape(data)));
    if let (Some(c), [first, second]) = (comparison, evaluations) {
        flips(&mut html, c, first, second);
    }
    for e in evaluations {
        section(&mut html, e);
    }
    page::write(folder, html)
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
        let caption = format!("{}/{}: {score}", escape(&r.kind), escape(&name));
        page::figure(html, &r.path, map, e.baseline, e.summary.rates.threshold, &caption);
    }
    html.push_str("</div>");
    if which.len() > SHOWN {
        put(html, format_args!("<p>and {} more; <code>--json</code> lists all.</p>", which.len() - SHOWN));
    }
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
