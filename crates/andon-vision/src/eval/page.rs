//! What every report page is made of: one HTML file with everything in it, which opens from a disk, a share or a mail, without a network.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::ImageEncoder;

use crate::fit::read_image;
use crate::model::heatmap;
use andon_core::AnomalyMap;

/// Longest side of a shown picture.
const SIDE: u32 = 280;

/// The page's beginning, to which sections are added.
pub(super) fn begin(title: &str) -> String {
    HEAD.replacen("TITLE", &escape(title), 1)
}

/// Writes `report.html` into `folder`, whole or not at all, and returns its path.
///
/// # Errors
/// When the folder or the file cannot be written.
pub(super) fn write(folder: &Path, mut html: String) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    html.push_str("</main></body></html>\n");
    let path = folder.join("report.html");
    let mut file = AtomicWriteFile::open(&path)?;
    std::io::Write::write_all(&mut file, html.as_bytes())?;
    file.commit()?;
    Ok(path)
}

/// A picture beside itself with its heatmap, and a line of HTML below.
pub(super) fn figure(html: &mut String, path: &Path, map: &AnomalyMap, baseline: f32, threshold: f32, caption: &str) {
    html.push_str("<figure><div>");
    for png in pictures(path, map, baseline, threshold).into_iter().flatten() {
        put(html, format_args!("<img alt=\"\" src=\"data:image/png;base64,{}\">", STANDARD.encode(png)));
    }
    put(html, format_args!("</div><figcaption>{caption}</figcaption></figure>"));
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

/// Text as HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Adds to the page. Writing to a `String` cannot fail.
pub(super) fn put(html: &mut String, what: std::fmt::Arguments<'_>) {
    html.write_fmt(what).unwrap_or_default();
}

const HEAD: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>TITLE</title><style>
:root{color-scheme:light dark;--ink:#1c2126;--soft:#5d6770;--line:#d5dade;--paper:#fff;--good:#3b82a0;--bad:#d9532c;--limit:#b8860b}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#98a2ab;--line:#3a424a;--paper:#15191d;--good:#5cb3d3;--bad:#f0764f;--limit:#e5b93c}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px}h1{font-size:22px}h2{font-size:19px;margin-top:36px}h3{font-size:16px;margin-top:28px}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:10px}.tiles div{border:1px solid var(--line);border-radius:6px;padding:10px 12px}
dt{color:var(--soft);font-size:13px}dd{margin:2px 0 0;font-size:20px;font-variant-numeric:tabular-nums}small{display:block;font-size:12px;color:var(--soft)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:16px}figure{margin:0}.one{max-width:560px}figcaption{color:var(--soft);font-size:13px}
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
