use super::*;

fn picture(bytes: usize) -> Picture {
    Picture { bytes: vec![0; bytes].into(), media_type: JPEG }
}

#[test]
fn coded_pictures_take_so_many_bytes_and_those_used_last_stay() {
    let mut coded = Coded::default();
    let quarter = CODED_BYTES / 4;
    for id in ["a", "b", "c", "d"] {
        coded.put(id, PictureKind::Thumbnail, &picture(quarter));
    }
    assert!(coded.get("a", PictureKind::Thumbnail).is_some() && coded.get("a", PictureKind::Whole).is_none());
    coded.put("e", PictureKind::Whole, &picture(quarter));
    let kept = ["a", "b", "c", "d"].map(|id| coded.get(id, PictureKind::Thumbnail).is_some());
    assert_eq!(kept, [true, false, true, true]);
    // One that is larger than all room is shown, and not kept.
    coded.put("f", PictureKind::Whole, &picture(CODED_BYTES + 1));
    assert_eq!((coded.pictures.len(), coded.bytes), (0, 0));
    (0..2 * SIZES).for_each(|n| coded.put_size(&n.to_string(), [1, 1]));
    assert!(coded.sizes.len() == SIZES && coded.size("0").is_none() && coded.size("2047").is_some());
}
