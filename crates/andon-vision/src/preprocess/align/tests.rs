use super::*;

/// A part without symmetry on an even ground, turned by some degrees around the middle and then shifted by some pixels.
fn part(width: usize, height: usize, degrees: f32, dx: f32, dy: f32, noise: u8) -> Vec<u8> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let unit = width.min(height) as f32 / 2.0;
    let mut random = andon_core::SplitMix64::new(7);
    (0..width * height)
        .flat_map(|i| {
            let (x, y) = ((i % width) as f32 - width as f32 / 2.0 - dx, (i / width) as f32 - height as f32 / 2.0 - dy);
            let (u, v) = ((cos * x + sin * y) / unit, (cos * y - sin * x) / unit);
            let body = u.abs() < 0.55 && v.abs() < 0.3;
            let hole = (u - 0.3).hypot(v + 0.05) < 0.12;
            let nose = (u + 0.55).hypot(v - 0.1) < 0.2;
            let value: u8 = if hole {
                40
            } else if body {
                180
            } else if nose {
                140
            } else {
                90
            };
            let wobble = if noise > 0 { random.below(u64::from(noise)) as u8 } else { 0 };
            [value.saturating_add(wobble); 3]
        })
        .collect()
}

fn small(width: usize, height: usize, degrees: f32, dx: f32, dy: f32) -> Small {
    Small::new(&part(width, height, degrees, dx, dy, 6), width, height, (width, height))
}

fn reference(width: usize, height: usize) -> Reference {
    let pictures: Vec<Small> =
        (0..6).map(|i| small(width, height, i as f32 * 3.0 - 9.0, i as f32 - 3.0, 2.0 - i as f32)).collect();
    Reference::learn(&pictures).unwrap()
}

#[test]
fn turned_and_shifted_parts_come_into_one_pose() {
    for (width, height) in [(256, 256), (320, 240)] {
        let reference = Arc::new(reference(width, height));
        assert!(reference.usual_residual < 0.05, "{}", reference.usual_residual);
        let mut aligner = Aligner::new(reference.clone(), [width as u32, height as u32], None);
        let rgb = part(width, height, 0.0, 0.0, 0.0, 0);
        let frame = FrameView::new(PixelFormat::Rgb8, width, height, width * 3, &rgb).unwrap();
        let upright = aligner.align(&frame).unwrap().data.to_vec();
        let first = aligner.pose();
        for (degrees, dx, dy) in
            [(5.0f32, 4.0, -3.0), (90.0, 0.0, 0.0), (137.0, 6.0, 5.0), (180.0, -5.0, 0.0), (-60.0, 3.0, 8.0)]
        {
            let rgb = part(width, height, degrees, dx, dy, 0);
            let frame = FrameView::new(PixelFormat::Rgb8, width, height, width * 3, &rgb).unwrap();
            let aligned = aligner.align(&frame).unwrap().data.to_vec();
            let off = (aligner.pose().angle - first.angle).to_degrees() - degrees;
            let off = (off + 180.0).rem_euclid(360.0) - 180.0;
            assert!(off.abs() < 1.0, "{width}x{height} turned by {degrees}: {off} degrees off");
            let difference = aligned.iter().zip(&upright).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
            let mean = difference / aligned.len() as f64;
            assert!(mean < 2.5, "{width}x{height} turned by {degrees}: {mean} grey levels");
        }
    }
}

#[test]
fn what_is_no_such_part_is_a_fault() {
    let reference = Arc::new(reference(256, 256));
    let mut aligner = Aligner::new(reference, [256, 256], None);
    let stripes: Vec<u8> =
        (0..256 * 256).flat_map(|i| [if (i / 9usize).is_multiple_of(2) { 30 } else { 220 }; 3]).collect();
    let even = vec![128u8; 256 * 256 * 3];
    for rgb in [stripes, even] {
        let frame = FrameView::new(PixelFormat::Rgb8, 256, 256, 256 * 3, &rgb).unwrap();
        assert!(matches!(aligner.align(&frame), Err(Fault::NotAligned { .. })));
    }
    assert!(Reference::learn(&[]).is_none());
}

#[test]
fn a_map_is_turned_back_to_where_the_frame_has_it() {
    let mut aligner = Aligner::new(Arc::new(reference(256, 256)), [256, 256], None);
    let rgb = part(256, 256, 90.0, 0.0, 0.0, 0);
    let frame = FrameView::new(PixelFormat::Rgb8, 256, 256, 256 * 3, &rgb).unwrap();
    aligner.align(&frame).unwrap();
    // A peak on the hole of the aligned part, which lies to the right; in the frame it lies below the middle.
    let pose = aligner.pose();
    let mut values = vec![0.0; 16 * 16];
    let turned = (pose.angle.to_degrees() - 90.0).abs();
    assert!(turned < 15.0, "the reference lies within a few degrees: {turned}");
    values[7 * 16 + 10] = 1.0;
    let back = aligner.turn_back(&values, 16, 16);
    let peaks: Vec<usize> = (0..256).filter(|i| back[*i].is_some_and(|cell| values[cell] > 0.0)).collect();
    assert!(
        !peaks.is_empty() && peaks.iter().all(|i| (8..13).contains(&(i / 16)) && (6..10).contains(&(i % 16))),
        "{peaks:?}"
    );
}
