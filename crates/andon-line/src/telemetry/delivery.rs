//! Delivery counters in the Prometheus text format.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

use andon_core::{Delivery, PictureCounts, PictureLoss, SinkState};

const NONE: Option<&Exemplar<NoLabelSet, f64>> = None;

/// A counter's name, its help, and where its value is.
type Column = (&'static str, &'static str, fn(&SinkState) -> u64);

/// What became of the records, by sink.
pub(super) fn encode(delivery: &Delivery, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let sinks = delivery.sinks();
    let by_sink: [Column; 3] = [
        ("sink_taken", "Records that a sink took, or whose receipt its peer acknowledged", |s| s.taken),
        ("sink_shed", "Records that a sink could not take", |s| s.shed),
        ("outbox_refused", "Records that a peer refused for good and that were set aside", |s| s.set_aside),
    ];
    for (name, help, value) in by_sink {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for s in &sinks {
            family.encode_family(&[("sink", s.sink.as_str())])?.encode_counter(&value(s), NONE)?;
        }
    }
    let help = "Records that wait for a peer, counted up to 100000";
    let mut family = encoder.encode_descriptor("outbox_records", help, None, MetricType::Gauge)?;
    for (s, waiting) in sinks.iter().filter_map(|s| Some((s, s.waiting?))) {
        let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        family.encode_family(&[("sink", s.sink.as_str())])?.encode_gauge(&waiting)?;
    }
    let help = "1 while a sink has a fault, such as a broker that is away";
    let mut family = encoder.encode_descriptor("sink_fault", help, None, MetricType::Gauge)?;
    for s in &sinks {
        family.encode_family(&[("sink", s.sink.as_str())])?.encode_gauge(&i64::from(s.fault.is_some()))?;
    }
    let totals = [
        ("history_lost", "Records that could not be written into the history", delivery.history_lost()),
        ("control_refused", "Control messages that were refused", delivery.control_refused()),
    ];
    for (name, help, value) in totals {
        encoder.encode_descriptor(name, help, None, MetricType::Counter)?.encode_counter(&value, NONE)?;
    }
    pictures(delivery.pictures(), encoder)?;
    let help = "Networks on which another box has the same site, line and station";
    let twins = i64::try_from(delivery.twins().len()).unwrap_or(i64::MAX);
    encoder.encode_descriptor("same_names", help, None, MetricType::Gauge)?.encode_gauge(&twins)
}

/// What became of the pictures that are kept on disk.
fn pictures(counts: &PictureCounts, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let kept = counts.kept.load(Relaxed);
    let help = "Pictures that were written into the ring";
    encoder.encode_descriptor("pictures_kept", help, None, MetricType::Counter)?.encode_counter(&kept, NONE)?;
    let help = "Pictures that were wanted and are not in the ring, by cause";
    let mut family = encoder.encode_descriptor("pictures_lost", help, None, MetricType::Counter)?;
    for why in PictureLoss::ALL {
        family.encode_family(&[("cause", why.as_str())])?.encode_counter(&counts.lost(why), NONE)?;
    }
    let gauges = [
        ("pictures_stored", "Pictures in the ring", &counts.files),
        ("pictures_bytes", "Bytes of the pictures in the ring", &counts.bytes),
    ];
    for (name, help, value) in gauges {
        let value = i64::try_from(value.load(Relaxed)).unwrap_or(i64::MAX);
        encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use crate::telemetry::Metrics;
    use andon_core::PictureLoss;

    #[test]
    fn what_became_of_the_records_is_exported_by_sink() {
        let metrics = Metrics::new(&["top".to_owned()]);
        let (store, mqtt) = (metrics.delivery.sink("store"), metrics.delivery.sink("mqtt"));
        store.shed.fetch_add(3, Relaxed);
        mqtt.taken.fetch_add(7, Relaxed);
        mqtt.set_aside.fetch_add(1, Relaxed);
        mqtt.set_waiting(12);
        mqtt.set_fault(Some("the broker is away".into()));
        metrics.delivery.lose_history(2);
        metrics.delivery.refuse_control();
        metrics.delivery.set_twin("Zenoh", Some("boot 01".into()));
        metrics.delivery.pictures().lose(PictureLoss::Disk);
        metrics.delivery.pictures().bytes.store(77, Relaxed);
        let text = metrics.encode().unwrap();
        for line in [
            "andon_pictures_lost_total{cause=\"disk\"} 1",
            "andon_pictures_bytes 77",
            "andon_sink_shed_total{sink=\"store\"} 3",
            "andon_sink_taken_total{sink=\"mqtt\"} 7",
            "andon_outbox_refused_total{sink=\"mqtt\"} 1",
            "andon_outbox_records{sink=\"mqtt\"} 12",
            "andon_sink_fault{sink=\"mqtt\"} 1",
            "andon_history_lost_total 2",
            "andon_control_refused_total 1",
            "andon_same_names 1",
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line} is not in {text}");
        }
        assert!(!text.contains("andon_outbox_records{sink=\"store\"}"), "no outbox, no depth");
    }
}
