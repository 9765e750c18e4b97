//! A tiny distillation: it learns, and a run that was stopped goes on to the same bytes.

use andon_core::{Fault, FrameView};
use andon_vision::model::engine::{EngineChoice, EngineOptions};

use super::*;
use crate::checkpoint::CheckpointError;

/// Stands for a large network: for each place, what lies there in the picture, in a few functions of it.
struct Looks;

const DIM: usize = 160;

impl Embed for Looks {
    fn grid(&self) -> (usize, usize) {
        (64, 64)
    }

    fn dim(&self) -> usize {
        DIM
    }

    fn embed(&mut self, frame: &FrameView<'_>, out: &mut Vec<f32>) -> Result<(), Fault> {
        out.clear();
        for (y, x) in (0..64).flat_map(|y| (0..64).map(move |x| (y, x))) {
            let at = frame.row(y * frame.height / 64)[3 * (x * frame.width / 64)];
            let value = f32::from(at) / 255.0;
            out.extend((0..DIM).map(|i| (value * (1.0 + i as f32 / 16.0)).sin()));
        }
        Ok(())
    }
}

fn pictures(folder: &Path) -> Vec<PathBuf> {
    let mut random = SplitMix64::new(9);
    (0..20)
        .map(|number| {
            let path = folder.join(format!("{number:02}.png"));
            let (a, b) = (random.below(200) as usize + 3, random.below(40) as usize + 3);
            let pixels = (0..64 * 64).flat_map(|i| [((i % 64 / b * 37 + i / 64 * a) % 256) as u8; 3]).collect();
            let picture = image_of(pixels);
            std::fs::write(&path, picture).unwrap();
            path
        })
        .collect()
}

/// An uncompressed bitmap of 64x64 pixels.
fn image_of(rgb: Vec<u8>) -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    bytes.extend((54 + rgb.len() as u32).to_le_bytes());
    bytes.extend([0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 64, 0, 0, 0, 64, 0, 0, 0, 1, 0, 24, 0, 0, 0, 0, 0]);
    bytes.extend((rgb.len() as u32).to_le_bytes());
    bytes.extend([0; 16]);
    bytes.extend(rgb);
    bytes
}

fn run(files: &[PathBuf], work: &Path, steps: u64, until: u64) -> Result<(Teacher, Standing), DistillError> {
    run_from(None, files, work, steps, until)
}

fn run_from(
    start: Option<&Teacher>,
    files: &[PathBuf],
    work: &Path,
    steps: u64,
    until: u64,
) -> Result<(Teacher, Standing), DistillError> {
    std::fs::create_dir_all(work).unwrap();
    let plan = Plan { steps, batch: 2, ..Plan::of(Size::Xs) };
    let engine = EngineOptions { choice: EngineChoice::Rten, threads: 2, ..EngineOptions::default() };
    distill(Job {
        plan: &plan,
        files,
        trunk: &mut Looks,
        layers: &[DIM],
        trunk_digest: "looks".to_owned(),
        start,
        work,
        keep_every: Duration::from_secs(600),
        engine: &engine,
        preparing: &mut |_, _, _| true,
        training: &mut |at| at.step < until,
    })
}

#[test]
fn a_network_learns_and_a_run_that_was_stopped_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let files = pictures(folder.path());
    let whole = folder.path().join("whole");
    let (teacher, standing) = run(&files, &whole, 12, u64::MAX).unwrap();
    let curve = std::fs::read_to_string(whole.join("curve.csv")).unwrap();
    let first: f32 = curve.lines().nth(1).unwrap().rsplit(',').next().unwrap().parse().unwrap();
    assert!(standing.held_out < 0.95 * first, "{curve}");

    let parts = folder.path().join("parts");
    for until in [5, 7] {
        assert!(matches!(run(&files, &parts, 12, until), Err(DistillError::Stopped)));
    }
    let (resumed, _) = run(&files, &parts, 12, u64::MAX).unwrap();
    assert_eq!(resumed.weights, teacher.weights, "as if nothing had happened");
    assert!(matches!(
        run(&files, &parts, 13, u64::MAX),
        Err(DistillError::Checkpoint(CheckpointError::OtherRun { .. }))
    ));
    assert!(matches!(run(&files[..19], &parts, 12, u64::MAX), Err(DistillError::TooFew(19))));

    // Half an entry, as a kill leaves it, is made anew.
    let targets = parts.join("targets.f16");
    let length = std::fs::metadata(&targets).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&targets).unwrap().set_len(length - 100).unwrap();
    std::fs::remove_file(parts.join("checkpoint.safetensors")).unwrap();
    let (again, _) = run(&files, &parts, 12, u64::MAX).unwrap();
    assert_eq!(again.weights, teacher.weights);
    let curve = std::fs::read_to_string(parts.join("curve.csv")).unwrap();
    let steps: Vec<&str> = curve.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(steps, ["step", "0", "12"], "nothing of the runs before");

    // Taught further, it begins where it was; another start is another run.
    let further = folder.path().join("further");
    let (_, standing_further) = run_from(Some(&teacher), &files, &further, 1, u64::MAX).unwrap();
    let curve = std::fs::read_to_string(further.join("curve.csv")).unwrap();
    let begins: f32 = curve.lines().nth(1).unwrap().rsplit(',').next().unwrap().parse().unwrap();
    assert!((begins - standing.held_out).abs() < 1e-4, "{curve}");
    assert!(standing_further.held_out.is_finite());
    let other = run(&files, &further, 1, u64::MAX);
    assert!(matches!(other, Err(DistillError::Checkpoint(_))), "random weights are another run");
    let mut of_s = teacher.clone();
    of_s.pdn = Pdn::new(Size::S);
    let why = run_from(Some(&of_s), &files, &further, 1, u64::MAX).unwrap_err().to_string();
    assert!(why.contains("`s`") && why.contains("`xs`"), "{why}");

    let path = folder.path().join("teacher.safetensors");
    teacher.write(&path).unwrap();
    let read = Teacher::read(&path, Size::Xs).unwrap();
    assert_eq!(read.about["pictures"], "20");
    for (kept, was) in read.weights.iter().zip(&teacher.weights) {
        assert_eq!((&kept.name, &kept.shape), (&was.name, &was.shape));
        let close = |(a, b): (&f32, &f32)| (a - b).abs() <= b.abs() / 1024.0 + 1e-7;
        assert!(kept.values.iter().zip(&was.values).all(close), "half precision");
    }
    std::fs::write(&path, b"12345678 no teacher").unwrap();
    assert!(Teacher::read(&path, Size::Xs).unwrap_err().to_string().contains("is no teacher"));
}
