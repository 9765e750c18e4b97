//! `andon fit --groups`: which good pictures belong together.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use regex::Regex;

use super::output;
use andon_vision::fit::groups::Found;
use andon_vision::fit::{Grouping, list_images};

/// The pictures of the folders in a folder.
pub(super) fn in_folders(good: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = || format!("cannot read {}", good.display());
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(good).with_context(read)? {
        let path = entry.with_context(read)?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            folders.push(path);
        }
    }
    folders.sort();
    if folders.is_empty() {
        bail!("--groups folders: there is no folder in {}; put each group's pictures into one", good.display());
    }
    let mut files = Vec::new();
    for folder in folders {
        let listing = list_images(&folder)?;
        if let Some(note) = listing.note(&folder) {
            output::note(&note);
        }
        files.extend(listing.pictures);
    }
    Ok(files)
}

/// The name of a picture in the model: its file's, with the folder's where it is in one.
pub(super) fn name(good: &Path, path: &Path) -> String {
    match path.strip_prefix(good) {
        Ok(inside) => inside.to_string_lossy().into_owned(),
        Err(_) => path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
    }
}

/// What the flag says.
pub(super) fn grouping(how: &str, good: &Path, files: &[PathBuf]) -> anyhow::Result<Grouping> {
    let names = || files.iter().map(|f| name(good, f));
    let named = match how {
        "auto" => return Ok(Grouping::Found),
        "none" => return Ok(Grouping::Alone),
        "folders" => names().filter_map(|n| Some((n.clone(), Path::new(&n).parent()?.display().to_string()))).collect(),
        pattern => {
            let regex = Regex::new(pattern).with_context(|| {
                format!("--groups: `{pattern}` is none of auto, none, folders, and no regular expression")
            })?;
            let matched = |n: String| {
                let found = regex.captures(&n)?;
                let group = found.get(1).or_else(|| found.get(0))?.as_str().to_owned();
                Some((n, group))
            };
            let named: std::collections::HashMap<_, _> = names().filter_map(matched).collect();
            match files.len() - named.len() {
                0 => {}
                all if all == files.len() => bail!("--groups: `{pattern}` matches no picture's name"),
                some => output::note(&format!(
                    "--groups: `{pattern}` does not match {some} names; each of these stands for itself"
                )),
            }
            named
        }
    };
    Ok(Grouping::Named(named))
}

/// What was found, in a line; `None` where every picture stands for itself.
pub(super) fn note(found: &Found) -> Option<String> {
    let (groups, pictures) = (found.count(), found.groups.len());
    let why = match (found.video, found.copies) {
        _ if groups == pictures => return None,
        (Some(median), _) => format!(
            "they look like frames of a video: one differs from the next by {:.0} % of what two pictures usually differ by",
            median * 100.0
        ),
        (None, 0) => "as --groups says".to_owned(),
        (None, copies) => format!("{copies} are near-copies of others"),
    };
    Some(format!(
        "{pictures} pictures in {groups} groups: {why}; a group is held out together and counts once in the claim (--groups)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_grouped_by_what_the_pattern_matches() {
        let files: Vec<PathBuf> =
            ["p1_a.png", "p1_b.png", "p2_a.png", "x.png"].iter().map(|n| Path::new("/g").join(n)).collect();
        let Grouping::Named(groups) = grouping(r"^p(\d+)_", Path::new("/g"), &files).unwrap() else { panic!("named") };
        assert_eq!(
            (groups["p1_a.png"].as_str(), groups["p1_b.png"].as_str(), groups["p2_a.png"].as_str()),
            ("1", "1", "2")
        );
        assert!(!groups.contains_key("x.png"));
        assert!(grouping("(", Path::new("/g"), &files).unwrap_err().to_string().contains("regular expression"));
        assert!(grouping("zzz", Path::new("/g"), &files).unwrap_err().to_string().contains("no picture"));
        assert_eq!(grouping("none", Path::new("/g"), &files).unwrap(), Grouping::Alone);
    }

    #[test]
    fn a_folder_in_the_folder_is_part_of_the_name() {
        assert_eq!(name(Path::new("/g"), Path::new("/g/a/1.png")), "a/1.png");
        assert_eq!(name(Path::new("/g/"), Path::new("/g/1.png")), "1.png");
    }
}
