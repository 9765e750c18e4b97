//! Changed copies of good pictures, for when there are few: they fill the memory bank, and are never evidence for the threshold.

use super::images::Picture;

/// Which changes a part may undergo and still be good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// Turned by 90, 180 and 270 degrees: parts that lie any way round.
    pub rotate: bool,
    /// 15 % darker and brighter: light that drifts.
    pub brightness: bool,
}

const DARKER: f32 = 0.85;
const BRIGHTER: f32 = 1.15;

impl Augment {
    /// Pictures that come of one, itself included.
    pub fn count(self) -> usize {
        (if self.rotate { 4 } else { 1 }) * (if self.brightness { 3 } else { 1 })
    }

    /// The picture itself first, then its changed copies.
    pub fn variants(self, picture: &Picture) -> impl Iterator<Item = Picture> {
        let turns = if self.rotate { 4 } else { 1 };
        let lights: &[f32] = if self.brightness { &[1.0, DARKER, BRIGHTER] } else { &[1.0] };
        (0..turns).flat_map(move |turn| lights.iter().map(move |light| lit(&turned(picture, turn), *light)))
    }
}

fn turned(picture: &Picture, quarters: usize) -> Picture {
    (0..quarters).fold(picture.clone(), |p, _| {
        let (w, h) = (p.width as usize, p.height as usize);
        let mut rgb = vec![0; p.rgb.len()];
        for (i, pixel) in p.rgb.as_chunks::<3>().0.iter().enumerate() {
            let (x, y) = (i % w, i / w);
            // Clockwise: the upper row becomes the right column.
            let to = (x * h + (h - 1 - y)) * 3;
            rgb[to..to + 3].copy_from_slice(pixel);
        }
        Picture { width: p.height, height: p.width, rgb }
    })
}

fn lit(picture: &Picture, factor: f32) -> Picture {
    if factor == 1.0 {
        return picture.clone();
    }
    let rgb = picture.rgb.iter().map(|v| (f32::from(*v) * factor).round().min(255.0) as u8).collect();
    Picture { rgb, ..*picture }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_four_times_is_nothing_and_once_is_clockwise() {
        let rgb: Vec<u8> = (0..18).collect();
        let picture = Picture { width: 3, height: 2, rgb };
        assert_eq!(turned(&picture, 4), picture);
        let once = turned(&picture, 1);
        assert_eq!((once.width, once.height), (2, 3));
        assert_eq!(once.rgb[..6], [9, 10, 11, 0, 1, 2], "the left column becomes the upper row");
    }

    #[test]
    fn the_picture_itself_comes_first() {
        let picture = Picture { width: 1, height: 1, rgb: vec![100, 200, 250] };
        let both = Augment { rotate: true, brightness: true };
        let all: Vec<Picture> = both.variants(&picture).collect();
        assert_eq!((all.len(), both.count()), (12, 12));
        assert_eq!(all[0], picture);
        assert_eq!(all[1].rgb, [85, 170, 213]);
        assert_eq!(all[2].rgb, [115, 230, 255]);
        assert_eq!(Augment::default().variants(&picture).count(), 1);
    }
}
