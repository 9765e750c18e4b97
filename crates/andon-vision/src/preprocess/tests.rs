use super::*;
use andon_core::{Chroma, Yuv, YuvMatrix};

fn spec(width: u32, height: u32) -> InputSpec {
    InputSpec { width, height, mean: [127.0; 3], scale: [1.0 / 128.0; 3], range: None }
}

#[test]
fn planes_are_red_green_blue_and_normalised() {
    let data = [255, 127, 0, 127, 0, 255];
    let mut out = [0.0; 6];
    let view = FrameView::new(PixelFormat::Rgb8, 2, 1, 6, &data).unwrap();
    Preprocessor::new(spec(2, 1)).prepare_into(&view, &mut out);
    assert_eq!(out, [1.0, 0.0, 0.0, -127.0 / 128.0, -127.0 / 128.0, 1.0]);
}

#[test]
fn the_same_picture_gives_the_same_input_in_every_layout_and_with_any_stride() {
    let (w, h) = (23, 17);
    let rgb: Vec<u8> = (0..w * h * 3).map(|i| (i * 37 % 251) as u8).collect();
    let mut want = vec![0; 16 * 16 * 3];
    let mut p = Preprocessor::new(spec(16, 16));
    p.resize_rgb_into(&FrameView::new(PixelFormat::Rgb8, w, h, w * 3, &rgb).unwrap(), &mut want);
    for (format, order) in [
        (PixelFormat::Bgr8, vec![2, 1, 0]),
        (PixelFormat::Rgba8, vec![0, 1, 2, 3]),
        (PixelFormat::Bgra8, vec![2, 1, 0, 3]),
    ] {
        let stride = w * order.len() + 5;
        let mut data = vec![99u8; stride * h];
        for y in 0..h {
            for x in 0..w {
                for (c, from) in order.iter().enumerate() {
                    let value = if *from == 3 { 200 } else { rgb[(y * w + x) * 3 + from] };
                    data[y * stride + x * order.len() + c] = value;
                }
            }
        }
        let mut got = vec![0; 16 * 16 * 3];
        p.resize_rgb_into(&FrameView::new(format, w, h, stride, &data).unwrap(), &mut got);
        assert_eq!(got, want, "{format:?}");
    }
}

#[test]
fn grey_is_resized_like_a_colour_picture_of_equal_channels() {
    let (w, h) = (30, 11);
    let grey: Vec<u8> = (0..w * h).map(|i| (i * 91 % 256) as u8).collect();
    let rgb: Vec<u8> = grey.iter().flat_map(|g| [*g; 3]).collect();
    let (mut a, mut b) = (vec![0; 20 * 20 * 3], vec![0; 20 * 20 * 3]);
    let mut p = Preprocessor::new(spec(20, 20));
    p.resize_rgb_into(&FrameView::new(PixelFormat::Gray8, w, h, w, &grey).unwrap(), &mut a);
    p.resize_rgb_into(&FrameView::new(PixelFormat::Rgb8, w, h, w * 3, &rgb).unwrap(), &mut b);
    assert_eq!(a, b);
}

#[test]
fn a_flat_picture_stays_flat_at_any_size() {
    let mut p = Preprocessor::new(spec(16, 16));
    for (w, h) in [(1, 1), (5, 300), (640, 3), (16, 31)] {
        let data = vec![77u8; w * h * 3];
        let mut out = vec![0; 16 * 16 * 3];
        p.resize_rgb_into(&FrameView::new(PixelFormat::Rgb8, w, h, w * 3, &data).unwrap(), &mut out);
        assert!(out.iter().all(|v| *v == 77), "{w}x{h}");
    }
}

#[test]
fn nv12_is_prepared_as_its_colours_are_at_any_size_and_cut() {
    let yuv = Yuv { matrix: YuvMatrix::Bt709, full_range: false };
    let (w, h, stride, pairs) = (23usize, 17usize, 25usize, 30usize);
    let luma: Vec<u8> = (0..stride * h).map(|i| (i * 37 % 251) as u8).collect();
    let colour: Vec<u8> = (0..pairs * h.div_ceil(2)).map(|i| (i * 91 % 253) as u8).collect();
    let chroma = Chroma { data: &colour, stride: pairs, odd: [0, 0] };
    let frame = FrameView::nv12(yuv, (w, h), (stride, &luma), chroma).unwrap();
    let weights = YuvWeights::new(yuv);
    let mut rgb = Vec::new();
    for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
        let pair = &colour[y / 2 * pairs + x / 2 * 2..][..2];
        rgb.extend(weights.rgb(luma[y * stride + x], pair[0], pair[1]));
    }
    let same = FrameView::new(PixelFormat::Rgb8, w, h, w * 3, &rgb).unwrap();
    for (x, y, cw, ch) in [(0, 0, w, h), (1, 3, 16, 12), (2, 0, 21, 5), (5, 7, 1, 1)] {
        let (a, b) = (frame.crop(x, y, cw, ch).unwrap(), same.crop(x, y, cw, ch).unwrap());
        for (to_w, to_h) in [(16, 12), (40, 3)] {
            let (mut got, mut want) = (vec![0; to_w * to_h * 3], vec![0; to_w * to_h * 3]);
            let mut p = Preprocessor::new(spec(to_w as u32, to_h as u32));
            p.resize_rgb_into(&a, &mut got);
            p.resize_rgb_into(&b, &mut want);
            assert_eq!(got, want, "{cw}x{ch} from {x},{y} to {to_w}x{to_h}");
        }
    }
}
