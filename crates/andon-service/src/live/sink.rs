//! The page's end of the line: one more sink, which may be as slow as it likes.

use tokio::sync::mpsc::{Receiver, Sender, channel};

use andon_core::{Accepted, CameraVerdict, Ejection, LineEvent, Record, Sink, Stats};

/// Records on their way to the board: some seconds of a fast line.
const DEPTH: usize = 512;

/// What the board takes of a record.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "moved through one channel; boxing would allocate per part")]
pub enum PageRecord {
    /// One part's outcome.
    Verdict(CameraVerdict),
    /// A camera's figures, once a second.
    Stats(Stats),
    /// What an ejector did.
    Ejection(Ejection),
    /// Something odd; the lane's number.
    Event(u8, LineEvent),
}

/// The sink: takes a record if there is room in the channel, sheds it otherwise.
#[derive(Debug)]
pub struct PageSink(Sender<PageRecord>);

/// The sink and the end of its channel from which the board is fed.
pub fn page_sink() -> (PageSink, Receiver<PageRecord>) {
    let (to, from) = channel(DEPTH);
    (PageSink(to), from)
}

impl Sink for PageSink {
    fn name(&self) -> &'static str {
        "page"
    }

    fn offer(&mut self, record: &Record) -> Accepted {
        let record = match record {
            Record::Verdict(verdict) => PageRecord::Verdict(verdict.clone()),
            Record::Stats(stats) => PageRecord::Stats(*stats),
            Record::Ejection(_, ejection) => PageRecord::Ejection(*ejection),
            Record::Event(lane, event) => PageRecord::Event(*lane, *event),
            // A part's outcome over all of its cameras is that of the worst of them, which is shown already.
            Record::Part(..) | Record::Map(_) => return Accepted::Ignored,
        };
        match self.0.try_send(record) {
            Ok(()) => Accepted::Taken,
            Err(_) => Accepted::Shed,
        }
    }
}
