//! Which frames a model may judge. Only what was learned is judged: a frame of another size, bit depth or range, or a colour frame where
//! grey pictures were learned, is a fault and never gets a score.

use serde::{Deserialize, Serialize};

use super::bundle::Manifest;
use andon_core::{Detection, Detector, Fault, FrameView, PixelFormat, Regions};

/// Grey or colour, over all pictures that a model was learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Colour {
    /// Files of one channel: a colour frame is a fault, for no colour was ever learned.
    Grey,
    /// At least one file of three channels. Grey frames are taken too: colour cameras and decoders deliver them.
    Colour,
}

/// What a model was learned from, beside the size of the pictures ([`Manifest::frame_size`]) and the range of 16-bit values
/// ([`crate::preprocess::InputSpec::range`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    /// Pictures of several sizes were learned on purpose; frames of every size are judged.
    pub any_size: bool,
    /// Grey or colour.
    pub colour: Colour,
}

/// The frames that a detector takes. The default takes all, as for the model's own parity pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accept {
    size: Option<[u32; 2]>,
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    /// Black and white of 16-bit values; `None` for 8 bits.
    range: Option<[u16; 2]>,
    /// Unknown of models that were made before it was recorded.
    colour: Option<Colour>,
}

impl Accept {
    /// What this model was learned from; with `any_size`, frames of every size, but still of its bit depth and colour.
    pub fn learned(m: &Manifest, any_size: bool) -> Accept {
        let kind = Kind { range: m.input.range, colour: m.learned.map(|l| l.colour) };
        Accept { size: m.frame_size.filter(|_| !any_size), kind: Some(kind) }
    }

    /// Width and height that frames must have, if they must have any.
    pub fn size(&self) -> Option<[u32; 2]> {
        self.size
    }

    /// Whether the frame may be judged. Reads every pixel of 16-bit frames, and of colour frames where grey ones were learned; of
    /// others, none.
    ///
    /// # Errors
    /// [`Fault::WrongSize`], [`Fault::WrongKind`], [`Fault::OutOfRange`].
    pub fn check(&self, frame: &FrameView<'_>) -> Result<(), Fault> {
        if let Some([want_w, want_h]) = self.size {
            let (got_w, got_h) = (frame.width as u32, frame.height as u32);
            if (got_w, got_h) != (want_w, want_h) {
                return Err(Fault::WrongSize { got_w, got_h, want_w, want_h });
            }
        }
        let Some(Kind { range, colour }) = self.kind else { return Ok(()) };
        match (range, frame.format.bits()) {
            (None, 8) => {}
            (Some([_, white]), 16) => {
                let brightest = frame.brightest();
                if brightest > white {
                    return Err(Fault::OutOfRange { got: brightest, white });
                }
            }
            (None, _) => return Err(Fault::WrongKind { got: "16 bits a value", want: "8 bits" }),
            (Some(_), _) => return Err(Fault::WrongKind { got: "8 bits a value", want: "16 bits" }),
        }
        if colour == Some(Colour::Grey) && frame.has_colour() {
            return Err(Fault::WrongKind { got: "colours", want: "grey pictures" });
        }
        Ok(())
    }
}

impl From<Option<[u32; 2]>> for Accept {
    /// Only the size is checked.
    fn from(size: Option<[u32; 2]>) -> Accept {
        Accept { size, kind: None }
    }
}

/// A detector that judges only the frames that its model was learned for.
pub struct Restricted {
    detector: Box<dyn Detector>,
    accept: Accept,
}

impl Restricted {
    /// From now on, frames that are not accepted are a fault.
    pub fn new(detector: Box<dyn Detector>, accept: impl Into<Accept>) -> Restricted {
        Restricted { detector, accept: accept.into() }
    }
}

impl Detector for Restricted {
    /// With a grey frame of the size that is judged, so that the tables of the real frames are there.
    fn warm_up(&mut self) -> Result<(), Fault> {
        let Some([width, height]) = self.accept.size() else { return self.detector.warm_up() };
        let (width, height) = (width as usize, height as usize);
        let grey = vec![127u8; width * height];
        let frame = FrameView::new(PixelFormat::Gray8, width, height, width, &grey).ok_or(Fault::BadFrame)?;
        match self.detector.detect(&frame, &mut Detection::default()) {
            // An even picture fits no pose; the detector knows one that does.
            Err(Fault::NotAligned { .. }) => self.detector.warm_up(),
            done => done,
        }
    }

    fn detect(&mut self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        self.accept.check(frame)?;
        self.detector.detect(frame, out)
    }

    fn explain(&mut self, out: &Detection, threshold: f32) -> Regions {
        self.detector.explain(out, threshold)
    }

    fn engine_name(&self) -> &'static str {
        self.detector.engine_name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::PixelFormat::{Gray8, Gray16Be, Gray16Le, Rgb8};

    fn accept(range: Option<[u16; 2]>, colour: Option<Colour>) -> Accept {
        Accept { size: Some([2, 1]), kind: Some(Kind { range, colour }) }
    }

    #[test]
    fn a_frame_of_another_size_or_depth_is_a_fault() {
        let eight = FrameView::new(Gray8, 2, 1, 2, &[1, 2]).unwrap();
        let sixteen = FrameView::new(Gray16Le, 2, 1, 4, &[0xff, 0x0f, 0, 0]).unwrap();
        let narrow = FrameView::new(Gray8, 1, 1, 1, &[1]).unwrap();
        assert_eq!(accept(None, None).check(&eight), Ok(()));
        assert_eq!(accept(Some([0, 4095]), None).check(&sixteen), Ok(()));
        assert!(matches!(accept(None, None).check(&narrow), Err(Fault::WrongSize { got_w: 1, want_w: 2, .. })));
        assert!(matches!(accept(None, None).check(&sixteen), Err(Fault::WrongKind { .. })));
        assert!(matches!(accept(Some([0, 4095]), None).check(&eight), Err(Fault::WrongKind { .. })));
        assert_eq!(Accept::default().check(&narrow), Ok(()));
    }

    #[test]
    fn a_value_over_the_learned_range_is_named_in_either_byte_order() {
        for (format, data) in [(Gray16Le, [0x00u8, 0x10, 0, 0]), (Gray16Be, [0x10, 0x00, 0, 0])] {
            let frame = FrameView::new(format, 2, 1, 4, &data).unwrap();
            let fault = accept(Some([0, 4095]), None).check(&frame).unwrap_err();
            assert_eq!(fault, Fault::OutOfRange { got: 4096, white: 4095 });
            assert_eq!(accept(Some([0, 4096]), None).check(&frame), Ok(()));
        }
    }

    #[test]
    fn colours_are_a_fault_only_where_grey_was_learned() {
        let grey = FrameView::new(Rgb8, 2, 1, 6, &[7, 7, 7, 9, 9, 9]).unwrap();
        let red = FrameView::new(Rgb8, 2, 1, 6, &[7, 7, 7, 90, 9, 9]).unwrap();
        let mono = FrameView::new(Gray8, 2, 1, 2, &[1, 2]).unwrap();
        for (learned, frame, fine) in [
            (Some(Colour::Grey), &grey, true),
            (Some(Colour::Grey), &mono, true),
            (Some(Colour::Grey), &red, false),
            (Some(Colour::Colour), &red, true),
            (Some(Colour::Colour), &mono, true),
            (None, &red, true),
        ] {
            assert_eq!(accept(None, learned).check(frame).is_ok(), fine, "{learned:?}");
        }
    }
}
