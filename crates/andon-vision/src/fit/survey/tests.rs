use image::{DynamicImage, GrayImage, ImageBuffer, Luma, RgbImage};

use super::*;

fn sixteen(w: u32, h: u32, top: u16) -> DynamicImage {
    let pixel = |x: u32, y: u32| Luma([(u32::from(top) * (x + y) / (w + h - 2)) as u16]);
    DynamicImage::ImageLuma16(ImageBuffer::from_fn(w, h, pixel))
}

fn colour(w: u32, h: u32) -> DynamicImage {
    DynamicImage::ImageRgb8(RgbImage::from_fn(w, h, |x, y| image::Rgb([x as u8, y as u8, 9])))
}

fn grey(w: u32, h: u32) -> DynamicImage {
    DynamicImage::ImageLuma8(GrayImage::from_fn(w, h, |x, y| Luma([(x * y) as u8])))
}

fn folder(pictures: &[(&str, DynamicImage)]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let files = pictures.iter().map(|(name, picture)| {
        let path = folder.path().join(name);
        picture.save(&path).unwrap();
        path
    });
    let files = files.collect();
    (folder, files)
}

fn look(files: &[PathBuf], take: &[&str], any_size: bool) -> Result<Survey, String> {
    let take: Vec<Take> = take.iter().map(|t| t.parse().unwrap()).collect();
    survey(files, &take, any_size, None, &mut |_| ()).map_err(|e| e.to_string())
}

#[test]
fn one_odd_size_is_named_with_the_flags_that_choose() {
    let (_folder, files) = folder(&[("a.png", colour(8, 6)), ("b.png", colour(8, 6)), ("odd.png", colour(6, 8))]);
    let refused = look(&files, &[], false).unwrap_err();
    for words in ["2 of 8x6, 8 bits, colour (a.png)", "1 of 6x8, 8 bits, colour (odd.png)", "--take 8x6", "--any-size"]
    {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    let taken = look(&files, &["8x6"], false).unwrap();
    assert_eq!(
        (taken.pictures.as_slice(), taken.left_out.as_slice()),
        (&files[..2], &["odd.png is of 6x8, 8 bits, colour".to_owned()][..])
    );
    let any = look(&files, &[], true).unwrap();
    assert_eq!((any.pictures.len(), any.learned), (3, Learned { any_size: true, colour: Colour::Colour }));
}

#[test]
fn depths_and_colours_that_differ_are_refused_whatever_the_size() {
    let (_folder, files) = folder(&[("a.png", grey(8, 6)), ("b.png", sixteen(8, 6, 900)), ("c.png", colour(8, 6))]);
    let refused = look(&files, &[], true).unwrap_err();
    assert!(refused.contains("--take 8-bit") && refused.contains("16 bits, grey (b.png)"), "{refused}");
    assert!(look(&files, &["8-bit"], false).unwrap_err().contains("--take "));
    let taken = look(&files, &["8-bit", "grey"], false).unwrap();
    assert_eq!((taken.pictures.as_slice(), taken.learned.colour, taken.range), (&files[..1], Colour::Grey, None));
    assert_eq!(taken.left_out.len(), 2);
    assert!("8bits".parse::<Take>().is_err() && "0x5".parse::<Take>().is_err() && "x".parse::<Take>().is_err());
}

#[test]
fn the_range_is_the_fewest_bits_that_hold_all_pictures() {
    for (top, white) in [(300, 1023), (1023, 1023), (1024, 4095), (4095, 4095), (16_383, 16_383), (60_000, 65_535)] {
        let (_folder, files) = folder(&[("a.png", sixteen(8, 6, 200)), ("b.png", sixteen(8, 6, top))]);
        let seen = look(&files, &[], false).unwrap();
        assert_eq!((seen.range, seen.brightest), (Some([0, white]), top));
    }
}

#[test]
fn a_picture_outside_of_the_range_is_refused_by_name() {
    let (_folder, files) = folder(&[("bright.png", sixteen(8, 6, 1024))]);
    let refused = read_in_range(&files[0], Some([0, 1023])).unwrap_err().to_string();
    assert!(refused.contains("bright.png") && refused.contains("1024") && refused.contains("1023"), "{refused}");
    let levels = read_in_range(&files[0], Some([0, 4095])).unwrap().rgb;
    assert_eq!((levels.iter().min(), levels.iter().max()), (Some(&0), Some(&64)));
}

#[test]
fn pictures_that_cannot_be_read_stay_in_the_list() {
    let (folder, mut files) = folder(&[("a.png", grey(8, 6))]);
    files.push(folder.path().join("broken.png"));
    std::fs::write(&files[1], b"\x89PNG\r\n\x1a\n").unwrap();
    assert_eq!(look(&files, &["8x6"], false).unwrap().pictures, files);
}
