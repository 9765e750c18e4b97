//! A look at all pictures before the work: which sizes, bit depths and colours there are. What differs is named, and nothing is learned until
//! somebody says which to take: one odd picture must not widen what a model judges.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use super::images::{ImageError, RawPicture, bits_range, read_raw};
use crate::model::{Colour, Learned};

/// What to take of pictures that differ; several join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Pictures of this many columns and rows.
    Size([u32; 2]),
    /// Pictures of 8 or of 16 bits a value.
    Bits(u32),
    /// Pictures of one channel, or of three.
    Colour(Colour),
}

impl FromStr for Take {
    type Err = String;

    fn from_str(text: &str) -> Result<Take, String> {
        let size = || {
            let (w, h) = text.split_once(['x', 'X'])?;
            Some([w.parse().ok().filter(|n| *n > 0)?, h.parse().ok().filter(|n| *n > 0)?])
        };
        match text {
            "8-bit" => Ok(Take::Bits(8)),
            "16-bit" => Ok(Take::Bits(16)),
            "grey" => Ok(Take::Colour(Colour::Grey)),
            "colour" => Ok(Take::Colour(Colour::Colour)),
            _ => size()
                .map(Take::Size)
                .ok_or_else(|| format!("`{text}` is none of WIDTHxHEIGHT, 8-bit, 16-bit, grey, colour")),
        }
    }
}

/// What a folder's pictures are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The pictures to learn from.
    pub pictures: Vec<PathBuf>,
    /// What else was left out, each with its kind.
    pub left_out: Vec<String>,
    /// Width and height of all pictures; `None` if there are several sizes.
    pub size: Option<[u32; 2]>,
    /// The kind of pictures, for the model.
    pub learned: Learned,
    /// Black and white of 16-bit values; `None` for 8 bits.
    pub range: Option<[u16; 2]>,
    /// The largest 16-bit value.
    pub brightest: u16,
}

/// Pictures of several kinds.
#[derive(Debug, Error)]
#[error("the pictures are of several kinds, and a model judges one:\n{}\n{}", lines(.kinds), .remedy)]
pub struct Mixed {
    /// Each kind, how many pictures it has, and the first one's name; the most frequent first.
    pub kinds: Vec<(String, usize, String)>,
    /// The flags that choose.
    pub remedy: String,
}

/// Kinds that are listed.
const SHOWN: usize = 6;

fn lines(kinds: &[(String, usize, String)]) -> String {
    let line = |(kind, count, first): &(String, usize, String)| format!("  {count:>5} of {kind} ({first})");
    let mut text = kinds.iter().take(SHOWN).map(line).collect::<Vec<_>>();
    if kinds.len() > SHOWN {
        text.push(format!("        and {} more kinds", kinds.len() - SHOWN));
    }
    text.join("\n")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    size: [u32; 2],
    bits: u32,
    grey: bool,
}

impl Kind {
    fn of(picture: &RawPicture) -> Kind {
        Kind { size: [picture.width, picture.height], bits: picture.format.bits(), grey: picture.grey }
    }

    fn words(&self) -> String {
        let [w, h] = self.size;
        format!("{w}x{h}, {} bits, {}", self.bits, if self.grey { "grey" } else { "colour" })
    }

    fn taken(&self, take: &[Take]) -> bool {
        let any = |of: &dyn Fn(&Take) -> Option<bool>| {
            let mut said = take.iter().filter_map(of).peekable();
            said.peek().is_none() || said.any(|fits| fits)
        };
        any(&|t| if let Take::Size(size) = t { Some(*size == self.size) } else { None })
            && any(&|t| if let Take::Bits(bits) = t { Some(*bits == self.bits) } else { None })
            && any(&|t| if let Take::Colour(c) = t { Some((*c == Colour::Grey) == self.grey) } else { None })
    }
}

/// Reads every picture once. What cannot be read stays in the list: learning says so, or leaves it out. `range` replaces the range that
/// the values themselves suggest.
///
/// # Errors
/// [`Mixed`] when sizes (unless `any_size`), bit depths, or grey and colour differ among what `take` leaves.
pub fn survey(
    files: &[PathBuf],
    take: &[Take],
    any_size: bool,
    range: Option<[u16; 2]>,
    progress: &mut dyn FnMut(usize),
) -> Result<Survey, Mixed> {
    let mut kinds: BTreeMap<Kind, (usize, String)> = BTreeMap::new();
    let (mut pictures, mut left_out, mut brightest) = (Vec::new(), Vec::new(), 0);
    for (done, path) in files.iter().enumerate() {
        progress(done);
        let Ok(picture) = read_raw(path) else {
            pictures.push(path.clone());
            continue;
        };
        let kind = Kind::of(&picture);
        if !kind.taken(take) {
            left_out.push(format!("{} is of {}", name(path), kind.words()));
            continue;
        }
        brightest = brightest.max(picture.view().map_or(0, |v| v.brightest()));
        kinds.entry(kind).or_insert_with(|| (0, name(path))).0 += 1;
        pictures.push(path.clone());
    }
    progress(files.len());
    let several = |of: &dyn Fn(&Kind) -> u64| kinds.keys().map(of).collect::<std::collections::BTreeSet<_>>().len() > 1;
    let sizes = several(&|k| u64::from(k.size[0]) << 32 | u64::from(k.size[1]));
    let (depths, colours) = (several(&|k| u64::from(k.bits)), several(&|k| u64::from(k.grey)));
    if (sizes && !any_size) || depths || colours {
        return Err(mixed(&kinds, sizes && !any_size, depths, colours));
    }
    let deep = kinds.keys().any(|k| k.bits == 16);
    let colour = if !kinds.is_empty() && kinds.keys().all(|k| k.grey) { Colour::Grey } else { Colour::Colour };
    Ok(Survey {
        pictures,
        left_out,
        size: kinds.keys().next().map(|k| k.size).filter(|_| !sizes),
        learned: Learned { any_size, colour },
        range: deep.then(|| range.unwrap_or_else(|| bits_range(brightest))),
        brightest,
    })
}

fn mixed(kinds: &BTreeMap<Kind, (usize, String)>, sizes: bool, depths: bool, colours: bool) -> Mixed {
    let mut listed: Vec<_> = kinds.iter().collect();
    listed.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let all: usize = listed.iter().map(|(_, (count, _))| count).sum();
    let mut flags = Vec::new();
    if let Some((most, (count, _))) = listed.first() {
        const ANY: &str =
            "--any-size (every size is squashed to the network's, and no frame is refused for its size later)";
        let [w, h] = most.size;
        match sizes {
            // Pictures that were cut out one by one have hardly two of one size.
            true if count * 2 < all => flags.push(ANY.to_owned()),
            true => flags.push(format!("--take {w}x{h} or {ANY}")),
            false => {}
        }
        if depths {
            flags.push(format!("--take {}-bit", most.bits));
        }
        if colours {
            flags.push(format!("--take {}", if most.grey { "grey" } else { "colour" }));
        }
    }
    let remedy = format!("take the others out of the folder, or say what to take: {}", flags.join(", and "));
    Mixed { kinds: listed.into_iter().map(|(k, (count, first))| (k.words(), *count, first.clone())).collect(), remedy }
}

fn name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Reads a picture for a model whose 16-bit values have this range.
///
/// # Errors
/// See [`ImageError`].
pub fn read_in_range(path: &Path, range: Option<[u16; 2]>) -> Result<super::images::Picture, ImageError> {
    let picture = read_raw(path)?;
    let brightest = picture.view().map_or(0, |v| v.brightest());
    match range {
        Some([_, white]) if brightest > white => {
            let why = format!("its largest value is {brightest}, and the range ends at {white}: --range");
            Err(ImageError::OutOfRange { path: path.to_owned(), why })
        }
        _ => Ok(picture.into_8_bit(range)),
    }
}

#[cfg(test)]
mod tests;
