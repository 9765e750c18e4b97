//! Whether a JPEG file is whole. Decoders fill what is missing with grey and say nothing. Source: ITU-T T.81, annex B.

const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;

/// Walks from marker to marker until the end of the picture; what follows it (previews, depth maps, padding) does not matter.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let (mut at, mut scans) = (2, 0);
    while let Some((marker, behind)) = next_marker(bytes, at) {
        match marker {
            END_OF_IMAGE => return scans > 0,
            // Restart markers and TEM have no length.
            0xd0..=0xd7 | 0x01 => at = behind,
            _ => {
                let Some(length) = bytes.get(behind..behind + 2) else { return false };
                at = behind + usize::from(u16::from_be_bytes([length[0], length[1]]));
                scans += usize::from(marker == START_OF_SCAN);
            }
        }
    }
    false
}

/// The next marker from `at` on and the place behind it. Inside of a scan 0xff is data when 0 follows; any number of 0xff may stand
/// before a marker.
fn next_marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += bytes.get(at..)?.iter().position(|b| *b == 0xff)?;
        let marker = *bytes.get(at + 1)?;
        if marker != 0 && marker != 0xff {
            return Some((marker, at + 2));
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg() -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixels: Vec<u8> = (0..64 * 48 * 3u32).map(|i| (i * 7 % 251) as u8).collect();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90);
        encoder.encode(&pixels, 64, 48, image::ExtendedColorType::Rgb8).unwrap();
        bytes
    }

    #[test]
    fn a_picture_cut_anywhere_is_not_whole_and_one_with_something_behind_it_is() {
        let whole = jpeg();
        assert!(is_whole(&whole));
        for cut in 0..whole.len() {
            assert!(!is_whole(&whole[..cut]), "cut at {cut} of {}", whole.len());
        }
        // A preview that is cut off behind the picture, a line feed, an end marker inside of a segment.
        for behind in [&whole[..whole.len() / 2], b"\n", &[0xff, 0xda, 0, 0], &[0; 4096]] {
            assert!(is_whole(&[&whole, behind].concat()));
        }
        let comment = [&whole[..2], &[0xff, 0xfe, 0, 4, 0xff, 0xd9], &whole[2..]].concat();
        assert!(is_whole(&comment));
        assert!(!is_whole(&comment[..comment.len() - 2]));
        assert!(!is_whole(&[0xff, 0xd8, 0xff, 0xd9]) && !is_whole(&[]) && !is_whole(&[0xff; 9]));
    }
}
