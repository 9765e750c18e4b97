//! The options that say where is looked.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::Args;

use crate::cli::output;
use andon_vision::fit::Mask;

/// Where is looked.
#[derive(Clone, Debug, Default, Args)]
pub(in crate::cli) struct PlaceArgs {
    /// A picture as large as the parts' pictures, black or transparent where nothing shall be looked at.
    #[arg(long, value_name = "PNG")]
    mask: Option<PathBuf>,
    /// Look only inside this polygon: corners in pixels of the pictures.
    #[arg(long, value_name = "X,Y X,Y X,Y …")]
    roi: Option<String>,
}

impl PlaceArgs {
    /// Where to look; the polygon means pixels of the first picture that can be read.
    pub fn mask(&self, pictures: &[PathBuf], any_size: bool) -> anyhow::Result<Option<Mask>> {
        let mut mask: Option<Mask> = None;
        if let Some(path) = &self.mask {
            let painted = Mask::read(path)?;
            let first = pictures.iter().find_map(|p| andon_vision::fit::read_raw(p).ok()).map(|p| [p.width, p.height]);
            if let Some([w, h]) = first.filter(|size| !any_size && *size != painted.size()) {
                let [got_w, got_h] = painted.size();
                bail!(
                    "--mask {}: it has {got_w}x{got_h} pixels, the pictures have {w}x{h}; paint it on one of them",
                    path.display()
                );
            }
            match painted.share() {
                0.0 => {
                    bail!("--mask {}: all of it is dark or transparent, so nothing would be looked at", path.display())
                }
                1.0 => output::note(&format!(
                    "--mask {}: it hides nothing, all of it is bright and opaque",
                    path.display()
                )),
                share => output::note(&format!(
                    "--mask {}: {:.0} % of the picture is looked at",
                    path.display(),
                    share * 100.0
                )),
            }
            mask = Some(painted);
        }
        if let Some(corners) = &self.roi {
            let corners = points(corners)?;
            let picture = pictures.iter().find_map(|p| andon_vision::fit::read_image(p).ok());
            let picture = picture.ok_or_else(|| anyhow!("--roi: no picture can be read whose pixels it could mean"))?;
            let polygon = Mask::polygon(&corners, picture.width, picture.height).ok_or_else(|| {
                anyhow!("--roi: at least three corners inside the picture of {}x{}", picture.width, picture.height)
            })?;
            mask = Some(match mask {
                Some(painted) => painted.and(&polygon),
                None => polygon,
            });
        }
        Ok(mask)
    }
}

pub(super) fn points(text: &str) -> anyhow::Result<Vec<(f64, f64)>> {
    let wrong = |t: &str| anyhow!("--roi: `{t}` is no corner; write them as 10,20 300,20 300,200");
    let point = |t: &str| {
        let (x, y) = t.split_once(',')?;
        Some((x.parse().ok().filter(|v: &f64| v.is_finite())?, y.parse().ok().filter(|v: &f64| v.is_finite())?))
    };
    text.split_whitespace().map(|t| point(t).ok_or_else(|| wrong(t))).collect()
}
