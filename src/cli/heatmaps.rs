//! The files of `inspect --heatmaps`: which picture's heatmap has which name, and that none of them replaces a file that is no heatmap.
//! All of it is settled before the first picture is judged.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use image::ImageEncoder;

/// Length of a PNG's signature and its first chunk, IHDR, with the chunk's length, type and checksum.
const PNG_HEAD: usize = 8 + 12 + 13;
/// A text chunk (PNG specification, 11.3.3.3) that says what made the file: keyword, zero, text.
const MARK: &[u8] = b"tEXtSoftware\0andon heatmap";
/// Bytes of a name before its ending; file systems take 255, and a number may be added.
const LONGEST: usize = 200;

/// One file for each picture, in the pictures' order.
pub(super) struct Heatmaps {
    files: Vec<PathBuf>,
}

impl Heatmaps {
    /// Makes the folder and settles the names.
    ///
    /// # Errors
    /// The folder cannot be made or written to, or a file is in the way that is no heatmap; each with its name.
    pub fn open(folder: &Path, pictures: &[PathBuf]) -> Result<Heatmaps> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let files: Vec<PathBuf> = names(pictures).into_iter().map(|name| folder.join(name)).collect();
        let inputs: HashSet<PathBuf> = pictures.iter().filter_map(|p| p.canonicalize().ok()).collect();
        for file in &files {
            if file.canonicalize().is_ok_and(|f| inputs.contains(&f)) {
                bail!("{} is one of the pictures, its heatmap would replace it; name another folder", file.display());
            }
            if file.symlink_metadata().is_ok() && !is_heatmap(file) {
                bail!(
                    "{} is there and is no heatmap of `andon inspect`; name another folder, or move it",
                    file.display()
                );
            }
        }
        // A name that nobody else has, because what is there stays.
        super::output::writable(&folder.join(format!("andon-{}", std::process::id())))?;
        Ok(Heatmaps { files })
    }

    /// Writes the heatmap of picture `n`; returns its file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, n: usize, rgb: &[u8], width: u32, height: u32) -> Result<PathBuf> {
        let file = self.files.get(n).context("there are more pictures than heatmaps")?;
        let mut bytes = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        encoder.write_image(rgb, width, height, image::ExtendedColorType::Rgb8)?;
        bytes.splice(PNG_HEAD..PNG_HEAD, chunk(MARK));
        std::fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file.clone())
    }
}

/// `FOLDER_STEM.png`; where several pictures would have that name, `FOLDER_NAME.ENDING.png` for all of these; what is still not
/// distinct gets a number, in the pictures' order. Names that differ only in case count as equal, because some file systems say so.
fn names(pictures: &[PathBuf]) -> Vec<String> {
    let folder = |p: &Path| p.parent().and_then(Path::file_name).map(|n| format!("{}_", n.to_string_lossy()));
    let named = |p: &Path, name: Option<&std::ffi::OsStr>| {
        let name = name.map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        shortened(format!("{}{name}", folder(p).unwrap_or_default()))
    };
    let mut same = HashMap::<String, usize>::new();
    for p in pictures {
        *same.entry(named(p, p.file_stem()).to_lowercase()).or_default() += 1;
    }
    let mut taken = HashSet::new();
    let mut chosen = Vec::with_capacity(pictures.len());
    for p in pictures {
        let short = named(p, p.file_stem());
        let alone = same.get(&short.to_lowercase()) == Some(&1);
        let base = if alone { short } else { named(p, p.file_name()) };
        let numbered = (2usize..).map(|n| format!("{base}-{n}"));
        let free = std::iter::once(base.clone()).chain(numbered).find(|name| taken.insert(name.to_lowercase()));
        chosen.push(format!("{}.png", free.unwrap_or(base)));
    }
    chosen
}

fn shortened(mut name: String) -> String {
    while name.len() > LONGEST {
        name.pop();
    }
    name
}

/// Whether a file is a PNG that carries the mark.
fn is_heatmap(file: &Path) -> bool {
    let mark = chunk(MARK);
    let mut head = vec![0; PNG_HEAD + mark.len()];
    let read = std::fs::File::open(file).and_then(|mut f| f.read_exact(&mut head));
    read.is_ok() && head[PNG_HEAD..] == mark[..]
}

/// A PNG chunk of this type and content: its length, itself, its checksum.
fn chunk(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).saturating_sub(4).to_be_bytes();
    [&length, content, &crc32(content).to_be_bytes()].concat()
}

/// CRC-32 as PNG defines it (annex D), bit by bit: a few bytes a file need no table.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |c: u32, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_of(pictures: &[&str]) -> Vec<String> {
        names(&pictures.iter().map(PathBuf::from).collect::<Vec<_>>())
    }

    #[test]
    fn every_picture_has_a_name_of_its_own() {
        assert_eq!(names_of(&["x/good/a.png", "x/bad/a.png", "b.jpg"]), ["good_a.png", "bad_a.png", "b.png"]);
        assert_eq!(names_of(&["good/a.png", "good/a.jpg"]), ["good_a.png.png", "good_a.jpg.png"]);
        assert_eq!(names_of(&["x/good/a.png", "y/good/a.png"]), ["good_a.png.png", "good_a.png-2.png"]);
        assert_eq!(names_of(&["good/a.png", "good/A.png"]), ["good_a.png.png", "good_A.png-2.png"]);
        // The name that a pair gives way to may be another picture's own.
        let odd = names_of(&["g/a.jpg.bmp", "g/a.png", "g/a.jpg"]);
        assert_eq!(odd, ["g_a.jpg.png", "g_a.png.png", "g_a.jpg-2.png"]);
        let long = "ä".repeat(120);
        let long = names_of(&[&format!("good/{long}1.png"), &format!("good/{long}2.png")]);
        assert!(long[0] != long[1] && long.iter().all(|n| n.len() < 255), "{long:?}");
    }

    #[test]
    fn a_heatmap_may_be_replaced_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let pictures = [dir.path().join("a.png")];
        let open = |folder: &Path| Heatmaps::open(folder, &pictures);
        let heat = dir.path().join("heat");
        let written = open(&heat).unwrap().write(0, &[7; 12], 2, 2).unwrap();
        assert_eq!(image::open(&written).unwrap().to_rgb8().into_raw(), [7; 12]);
        open(&heat).unwrap().write(0, &[9; 12], 2, 2).unwrap();
        assert_eq!(image::open(&written).unwrap().to_rgb8().into_raw(), [9; 12]);
        image::RgbImage::new(2, 2).save(&written).unwrap();
        assert!(open(&heat).err().unwrap().to_string().contains("is no heatmap"));
        assert_eq!(std::fs::read_dir(&heat).unwrap().count(), 1, "nothing is left behind");
        std::fs::write(&pictures[0], b"x").unwrap();
        assert!(open(&pictures[0]).is_err(), "a file where the folder should be");
    }

    #[test]
    fn a_heatmap_never_replaces_the_picture_it_is_of() {
        let dir = tempfile::tempdir().unwrap();
        let heat = dir.path().join("h");
        let first = Heatmaps::open(&heat, &[PathBuf::from("a.png")]).unwrap().write(0, &[7; 12], 2, 2).unwrap();
        // A heatmap that is looked at itself, into the folder that it lies in.
        let again = dir.path().join("h_a.png");
        std::fs::rename(first, &again).unwrap();
        std::os::unix::fs::symlink(&again, heat.join("h_a.png")).unwrap();
        let error = Heatmaps::open(dir.path(), &[heat.join("a.png"), heat.join("h_a.png")]).err().unwrap();
        assert!(error.to_string().contains("one of the pictures"), "{error}");
    }
}
