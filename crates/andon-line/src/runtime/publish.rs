//! The `pub` stage: offers records to the sinks. The only thread of the line that may be slow.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::repeats::Repeats;
use super::status::Status;
use andon_core::ParkedReceiver;
use andon_core::{Accepted, MapRecord, Record, Sink};
use andon_core::{Delivery, Mono, SinkCounts};

/// How often the sinks are asked whether they want maps while nothing comes.
const TICK: Duration = Duration::from_millis(50);

pub(super) struct Publish {
    pub records: ParkedReceiver<Record>,
    pub maps: Receiver<MapRecord>,
    /// Each with its counters.
    pub sinks: Vec<(Box<dyn Sink>, Arc<SinkCounts>)>,
    pub status: Arc<Status>,
    repeats: Repeats,
}

impl Publish {
    /// The stage for these sinks; what each takes and sheds is counted in `delivery` under its name.
    pub fn new(
        records: ParkedReceiver<Record>,
        maps: Receiver<MapRecord>,
        sinks: Vec<Box<dyn Sink>>,
        status: Arc<Status>,
        delivery: &Delivery,
    ) -> Publish {
        let counted = |sink: Box<dyn Sink>| {
            let counts = delivery.sink(sink.name());
            (sink, counts)
        };
        Publish { records, maps, sinks: sinks.into_iter().map(counted).collect(), status, repeats: Repeats::default() }
    }

    /// Runs until decide is gone and everything that it sent was offered.
    pub fn run(mut self) {
        loop {
            let wanted = self.sinks.iter().any(|(s, _)| s.wants_maps());
            self.status.maps_wanted.store(wanted, Relaxed);
            match self.records.recv_timeout(TICK) {
                Ok(Record::Event(lane, notice)) => {
                    if let Some(notice) = self.repeats.hear(lane, notice, Mono::now()) {
                        self.offer(&Record::Event(lane, notice));
                    }
                }
                Ok(record) => self.offer(&record),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Some((lane, notice)) = self.repeats.due(Mono::now()) {
                self.offer(&Record::Event(lane, notice));
            }
            // Verdicts first: a map is rendered only when none waits.
            if self.records.is_empty()
                && let Ok(map) = self.maps.try_recv()
            {
                self.offer(&Record::Map(map));
            }
        }
        while let Some((lane, notice)) = self.repeats.due(Mono(u64::MAX)) {
            self.offer(&Record::Event(lane, notice));
        }
        for (sink, _) in &mut self.sinks {
            sink.close();
        }
    }

    fn offer(&mut self, record: &Record) {
        for (sink, counts) in &mut self.sinks {
            match sink.offer(record) {
                Accepted::Taken => counts.taken.fetch_add(1, Relaxed),
                Accepted::Shed => counts.shed.fetch_add(1, Relaxed),
                Accepted::Ignored => continue,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::wiring;
    use andon_core::{EventKind, LineEvent, Subject};

    /// Takes, sheds and ignores in turn.
    struct Moody(usize);

    impl Sink for Moody {
        fn name(&self) -> &'static str {
            "moody"
        }

        fn offer(&mut self, _: &Record) -> Accepted {
            self.0 += 1;
            [Accepted::Taken, Accepted::Shed, Accepted::Shed, Accepted::Ignored][self.0 % 4]
        }
    }

    #[test]
    fn what_a_sink_takes_and_sheds_is_counted_under_its_name() {
        let (to, records) = wiring::records();
        let (_, maps) = wiring::maps();
        let delivery = Delivery::default();
        let publish = Publish::new(records, maps, vec![Box::new(Moody(0))], Status::new([], []).0, &delivery);
        for n in 0..8 {
            // Each about something else, so that none repeats another.
            let notice = LineEvent::new(EventKind::DuplicateTrigger, Mono::now()).about(Subject::Input(n));
            assert!(to.try_send(Record::Event(0, notice)).is_ok());
        }
        drop(to);
        publish.run();
        let moody = &delivery.sinks()[0];
        assert_eq!((moody.sink.as_str(), moody.taken, moody.shed), ("moody", 2, 4));
    }
}
