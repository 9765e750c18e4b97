//! Frames that entered a decoder and never came out. Decoders drop what they cannot read without a word, so the frames are counted before and
//! after: a frame that is gone is a part like any other. Runs on GStreamer's streaming threads and takes a lock for some nanoseconds.

use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gstreamer as gst;

/// Frames inside of one decoder at most; more are those of a decoder that gives no frames at all, and are counted as lost.
const INSIDE: usize = 128;

/// What happened in the decoders of one pipeline.
#[derive(Clone, Debug, Default)]
pub(super) struct Decoders(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    decoders: Vec<Inside>,
    lost: u64,
}

/// One decoder.
#[derive(Debug, Default)]
struct Inside {
    /// Time stamps of the frames that have not come out, in the order in which they went in.
    stamps: Vec<gst::ClockTime>,
    /// Frames without a time stamp that have not come out: numbered pictures, which a decoder reads one by one.
    unstamped: u64,
    /// The first frame that can stand alone has come: a stream that is joined in its middle begins with frames that cannot.
    begun: bool,
}

impl Inside {
    fn enter(&mut self, stamp: gst::ClockTime, alone: bool) -> u64 {
        self.begun |= alone;
        // A second piece of the same frame.
        if !self.begun || self.stamps.last() == Some(&stamp) {
            return 0;
        }
        self.stamps.push(stamp);
        if self.stamps.len() <= INSIDE {
            return 0;
        }
        self.stamps.remove(0);
        1
    }

    /// A picture without a time is out before the next one goes in, or never comes.
    fn enter_unstamped(&mut self) -> u64 {
        std::mem::replace(&mut self.unstamped, 1)
    }

    /// Frames may come out in another order than they went in, but always by their times: what is older than this one will not come any
    /// more.
    fn leave(&mut self, stamp: gst::ClockTime) -> u64 {
        if self.unstamped > 0 {
            // The decoder has given it a time of its own.
            self.unstamped -= 1;
            return 0;
        }
        let before = self.stamps.len();
        let known = self.stamps.contains(&stamp);
        self.stamps.retain(|s| *s > stamp);
        (before - self.stamps.len()) as u64 - u64::from(known)
    }
}

impl Decoders {
    /// Watches the decoders of this pipeline, also those that it makes for itself later.
    pub fn watch(pipeline: &gst::Pipeline) -> Decoders {
        let decoders = Decoders::default();
        for element in pipeline.iterate_recurse().into_iter().flatten() {
            decoders.add(&element);
        }
        let later = decoders.clone();
        pipeline.connect_deep_element_added(move |_, _, element| later.add(element));
        decoders
    }

    /// Frames that were lost since the last call.
    pub fn take_lost(&self) -> u64 {
        std::mem::take(&mut self.state().lost)
    }

    /// Frames that are still inside are lost too: the stream is over, or torn down.
    pub fn give_up(&self) {
        let mut state = self.state();
        let inside: u64 = state
            .decoders
            .iter_mut()
            .map(|d| std::mem::take(&mut d.stamps).len() as u64 + std::mem::take(&mut d.unstamped))
            .sum();
        state.lost += inside;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, element: &gst::Element) {
        let decodes = |f: &gst::ElementFactory| {
            f.metadata("klass").is_some_and(|k| k.contains("Decoder") && (k.contains("Video") || k.contains("Image")))
        };
        // A bin that decodes has the decoder inside, which is added by itself.
        if element.is::<gst::Bin>() || !element.factory().is_some_and(|f| decodes(&f)) {
            return;
        }
        let (Some(sink), Some(src)) = (element.static_pad("sink"), element.static_pad("src")) else { return };
        let n = {
            let mut state = self.state();
            state.decoders.push(Inside::default());
            state.decoders.len() - 1
        };
        self.probe(&sink, n, |inside, buffer, pad| match buffer.pts() {
            Some(stamp) => inside.enter(stamp, !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT)),
            None if is_paced(pad) => inside.enter_unstamped(),
            None => 0,
        });
        self.probe(&src, n, |inside, buffer, _| inside.leave(buffer.pts().unwrap_or(gst::ClockTime::ZERO)));
    }

    fn probe(&self, pad: &gst::Pad, n: usize, count: fn(&mut Inside, &gst::BufferRef, &gst::Pad) -> u64) {
        let decoders = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let Some(buffer) = info.buffer() {
                let mut state = decoders.state();
                let lost = state.decoders.get_mut(n).map_or(0, |inside| count(inside, buffer, pad));
                state.lost += lost;
            }
            gst::PadProbeReturn::Ok
        });
    }
}

/// Whether buffers without time stamps are frames: their caps have a frame rate. Others are pieces of a stream that nobody has cut yet.
fn is_paced(pad: &gst::Pad) -> bool {
    let caps = pad.current_caps();
    let rate = caps.as_ref().and_then(|c| c.structure(0)?.get::<gst::Fraction>("framerate").ok());
    rate.is_some_and(|rate| rate.numer() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(n)
    }

    /// Frames go in (`+`, `~` for one that needs others) and come out (`-`); returns what was lost after each.
    fn play(steps: &[(char, u64)]) -> (Vec<u64>, usize) {
        let mut inside = Inside::default();
        let lost = steps.iter().map(|(step, at)| match step {
            '+' => inside.enter(ms(*at), true),
            '~' => inside.enter(ms(*at), false),
            'o' => inside.enter_unstamped(),
            _ => inside.leave(ms(*at)),
        });
        (lost.collect(), inside.stamps.len() + inside.unstamped as usize)
    }

    #[test]
    fn a_frame_that_is_overtaken_by_a_later_one_is_lost() {
        assert_eq!(
            play(&[('+', 0), ('-', 0), ('+', 10), ('+', 20), ('-', 20), ('+', 30)]),
            (vec![0, 0, 0, 0, 1, 0], 1)
        );
        assert_eq!(play(&[('+', 0), ('+', 10), ('+', 20), ('+', 30), ('-', 30)]).0, [0, 0, 0, 0, 3]);
    }

    #[test]
    fn a_picture_without_a_time_that_is_not_out_before_the_next_is_lost() {
        assert_eq!(play(&[('o', 0), ('-', 0), ('o', 0), ('o', 0), ('-', 9), ('o', 0)]), (vec![0, 0, 0, 1, 0, 0], 1));
    }

    #[test]
    fn frames_that_wait_for_their_order_are_not_lost() {
        // As they are coded: each pair is shown the other way round.
        let steps = [
            ('+', 0),
            ('~', 20),
            ('~', 10),
            ('-', 0),
            ('~', 40),
            ('-', 10),
            ('~', 30),
            ('-', 20),
            ('-', 30),
            ('-', 40),
        ];
        assert_eq!(play(&steps), (vec![0; 10], 0));
    }

    #[test]
    fn a_stream_that_is_joined_in_its_middle_begins_with_its_first_whole_frame() {
        assert_eq!(play(&[('~', 0), ('~', 10), ('+', 20), ('~', 30), ('-', 20)]), (vec![0; 5], 1));
    }

    #[test]
    fn pieces_of_one_frame_are_one_and_a_frame_of_an_unknown_time_loses_none() {
        assert_eq!(play(&[('+', 0), ('+', 0), ('-', 0), ('-', 5), ('+', 10), ('-', 10)]), (vec![0; 6], 0));
    }

    #[test]
    fn a_decoder_that_gives_nothing_loses_all_but_what_it_may_hold() {
        let steps: Vec<_> = (0..INSIDE as u64 + 3).map(|n| ('+', n)).collect();
        assert_eq!(play(&steps).0.iter().sum::<u64>(), 3);
    }
}
