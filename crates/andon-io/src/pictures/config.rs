//! The table `[pictures]`.

use std::path::PathBuf;

use rustix::fs::{Access, access, statvfs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coding::PictureFormat;
use super::ring::{self, RingLimits};
use crate::check::Check;
use andon_core::PictureRules;

/// Pictures of parts, kept on disk.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RawPictures")]
pub struct PicturesConfig {
    /// Whether pictures are kept at all.
    pub enabled: bool,
    /// The folder; the one that it is in has to exist.
    pub path: PathBuf,
    /// The pictures of all parts that did not pass.
    pub not_passed: bool,
    /// Those of parts that passed with a score from this share of the threshold on; 1 for none.
    pub near_miss: f32,
    /// One in so many of the parts that passed, by camera; 0 for none.
    pub every_nth_pass: u64,
    /// `lossless` can be judged again with exactly the same score; `jpeg` takes about a tenth of the room.
    pub format: PictureFormat,
    /// Quality of `jpeg`, 1 to 100.
    pub jpeg_quality: u8,
    /// With the anomaly map, a few kilobytes a picture.
    pub anomaly_map: bool,
    /// Gigabytes (of 1,000,000,000 bytes) at most; the oldest pictures go first.
    pub max_gb: f64,
    /// Days that a picture is kept at most; 0 for no limit.
    pub max_days: u32,
}

impl Default for PicturesConfig {
    fn default() -> Self {
        PicturesConfig {
            enabled: false,
            path: "pictures".into(),
            not_passed: true,
            near_miss: 0.85,
            every_nth_pass: 0,
            format: PictureFormat::Lossless,
            jpeg_quality: 90,
            anomaly_map: true,
            max_gb: 20.0,
            max_days: 30,
        }
    }
}

impl PicturesConfig {
    /// Names what is wrong with the values, each line with its key and the remedy.
    pub fn check(&self, wrong: &mut Vec<String>) {
        let mut check = Check { wrong };
        check.range("pictures.near_miss", f64::from(self.near_miss), 0.01, 1.0);
        check.range("pictures.jpeg_quality", f64::from(self.jpeg_quality), 1.0, 100.0);
        check.range("pictures.max_gb", self.max_gb, 0.01, 1_000_000.0);
        if self.path.as_os_str().is_empty() {
            wrong.push("pictures.path: empty; name a folder".to_owned());
        }
        if self.enabled && self.rules() == PictureRules::default() {
            wrong.push(
                "pictures.enabled: nothing would be kept; set not_passed = true, near_miss under 1 or every_nth_pass"
                    .to_owned(),
            );
        }
    }

    /// Why no pictures can be kept in this folder on this machine.
    pub fn check_machine(&self, wrong: &mut Vec<String>) {
        wrong.extend(self.not_writable().map(|why| format!("pictures.path: {why}")));
    }

    /// A line about a disk that has not so much room as the ring may take.
    pub fn note(&self) -> Option<String> {
        let folder = if self.path.is_dir() { self.path.as_path() } else { self.folder_of_it() };
        let about = statvfs(folder).ok()?;
        let free = about.f_bavail.saturating_mul(about.f_frsize);
        let has = ring::bytes_in(&self.path);
        let most = self.limits().max_bytes;
        (free.saturating_add(has) < most).then(|| {
            format!(
                "pictures.max_gb: {} is more than {} has: {:.2} GB are free, and {:.2} GB are pictures already; on a full disk the oldest \
                 pictures go as if the limit were reached",
                self.max_gb,
                folder.display(),
                free as f64 / 1e9,
                has as f64 / 1e9
            )
        })
    }

    /// Which pictures are kept.
    pub fn rules(&self) -> PictureRules {
        PictureRules {
            not_passed: self.not_passed,
            near_miss: (self.near_miss < 1.0).then_some(self.near_miss),
            every_nth_pass: self.every_nth_pass,
        }
    }

    /// How much is kept.
    pub fn limits(&self) -> RingLimits {
        let days = u64::from(self.max_days);
        RingLimits { max_bytes: (self.max_gb * 1e9) as u64, max_days: (days > 0).then_some(days) }
    }

    fn folder_of_it(&self) -> &std::path::Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => std::path::Path::new("."),
        }
    }

    fn not_writable(&self) -> Option<String> {
        let (path, above) = (&self.path, self.folder_of_it());
        let folder = match (path.is_dir(), path.exists()) {
            (true, _) => path.as_path(),
            (false, true) => return Some(format!("{} is a file; name a folder", path.display())),
            (false, false) if !above.is_dir() => {
                return Some(format!("the folder {} does not exist; create it", above.display()));
            }
            (false, false) => above,
        };
        let refused = access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).err()?;
        Some(format!("the folder {} cannot be written: {}", folder.display(), std::io::Error::from(refused)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_named_with_their_keys() {
        let mut wrong = Vec::new();
        PicturesConfig::default().check(&mut wrong);
        assert!(wrong.is_empty(), "{wrong:?}");
        let bad = PicturesConfig {
            enabled: true,
            path: PathBuf::new(),
            not_passed: false,
            near_miss: 1.0,
            jpeg_quality: 0,
            max_gb: f64::NAN,
            ..PicturesConfig::default()
        };
        bad.check(&mut wrong);
        let named: Vec<&str> = wrong.iter().filter_map(|w| w.split(':').next()).collect();
        assert_eq!(
            named,
            ["pictures.jpeg_quality", "pictures.max_gb", "pictures.path", "pictures.enabled"],
            "{wrong:?}"
        );
    }

    #[test]
    fn a_folder_that_cannot_hold_them_is_named_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: PathBuf| {
            let mut wrong = Vec::new();
            PicturesConfig { path, ..PicturesConfig::default() }.check_machine(&mut wrong);
            wrong.pop()
        };
        assert_eq!(at(dir.path().join("new")), None);
        assert_eq!(at(dir.path().to_owned()), None);
        assert!(at(dir.path().join("none/new")).unwrap().contains("does not exist; create it"));
        std::fs::write(dir.path().join("file"), b"x").unwrap();
        assert!(at(dir.path().join("file")).unwrap().contains("is a file; name a folder"));
        let huge = PicturesConfig { path: dir.path().to_owned(), max_gb: 1e6, ..PicturesConfig::default() };
        assert!(huge.note().unwrap().starts_with("pictures.max_gb: 1000000 is more than"));
        assert_eq!(PicturesConfig { max_gb: 0.01, ..huge }.note(), None);
    }
}
