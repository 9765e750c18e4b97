//! Shapes beside words: an outcome is told by its word, its shape and its colour. Drawn with attributes, for the page's policy allows no styles.

use andon_io::history::OutcomeKind;
use maud::{Markup, html};

use crate::live::Severity;

/// The same as [`class`] for a part of the history.
pub(super) fn class_of(outcome: OutcomeKind) -> &'static str {
    class(outcome.as_str())
}

/// The same as [`outcome`] for a part of the history.
pub(super) fn of_kind(kind: OutcomeKind) -> Markup {
    outcome(kind.as_str())
}

/// The class that gives an outcome its colour, by its word on the wire.
pub(super) fn class(outcome: &str) -> &'static str {
    match outcome {
        "PASS" => "pass",
        "REJECT" => "reject",
        "UNINSPECTED" => "uninspected",
        _ => "error",
    }
}

/// PASS: a round tick. REJECT: an octagon with a cross. UNINSPECTED: a diamond with a question. ERROR: a triangle with an exclamation mark.
pub(super) fn outcome(outcome: &str) -> Markup {
    let (shape, sign) = match outcome {
        "PASS" => ("M12 1a11 11 0 1 0 0 22a11 11 0 1 0 0-22z", "M6.5 12.5l4 4l7-8.5"),
        "REJECT" => ("M7.5 1h9l6.500 6.500v9l-6.500 6.500h-9l-6.500-6.500v-9z", "M8 8l8 8M16 8l-8 8"),
        "UNINSPECTED" => (
            "M12 .5l11.500 11.500l-11.500 11.500l-11.500-11.500z",
            "M9 9.500a3 3 0 1 1 4 2.800c-.8.300-1 .8-1 1.700M12 17v.6",
        ),
        _ => ("M12 1.500l11.500 20.500h-23z", "M12 9v6M12 18.200v.6"),
    };
    drawn(shape, sign)
}

pub(super) fn severity(severity: Severity) -> Markup {
    match severity {
        Severity::Stop => drawn("M7.500 1h9l6.500 6.500v9l-6.500 6.500h-9l-6.500-6.500v-9z", "M6.500 12h11"),
        Severity::Fault => drawn("M12 1.500l11.500 20.500h-23z", "M12 9v6M12 18.200v.6"),
        Severity::Notice => drawn("M12 1a11 11 0 1 0 0 22a11 11 0 1 0 0-22z", "M12 11v6M12 7v.6"),
    }
}

fn drawn(shape: &str, sign: &str) -> Markup {
    html! {
        svg.icon viewBox="0 0 24 24" aria-hidden="true" focusable="false" {
            path.shape d=(shape) {}
            path.sign d=(sign) {}
        }
    }
}
