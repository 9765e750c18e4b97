//! Shapes beside words: an outcome is told by its word, its shape and its colour. Drawn with attributes, for the page's policy allows no styles.

use andon_core::Outcome;
use andon_io::history::OutcomeKind;
use maud::{Markup, html};

use crate::live::Severity;

/// The class that gives an outcome its colour.
pub(super) fn class(outcome: &Outcome) -> &'static str {
    class_of(kind(outcome))
}

fn kind(outcome: &Outcome) -> OutcomeKind {
    match outcome {
        Outcome::Pass(_) => OutcomeKind::Pass,
        Outcome::Reject => OutcomeKind::Reject,
        Outcome::Uninspected => OutcomeKind::Uninspected,
        Outcome::Error => OutcomeKind::Error,
    }
}

/// The same as [`class`] for a part of the history.
pub(super) fn class_of(outcome: OutcomeKind) -> &'static str {
    match outcome {
        OutcomeKind::Pass => "pass",
        OutcomeKind::Reject => "reject",
        OutcomeKind::Uninspected => "uninspected",
        OutcomeKind::Error => "error",
    }
}

pub(super) fn outcome(outcome: &Outcome) -> Markup {
    of_kind(kind(outcome))
}

/// PASS: a round tick. REJECT: an octagon with a cross. UNINSPECTED: a diamond with a question. ERROR: a triangle with an exclamation mark.
pub(super) fn of_kind(outcome: OutcomeKind) -> Markup {
    let (shape, sign) = match outcome {
        OutcomeKind::Pass => ("M12 1a11 11 0 1 0 0 22a11 11 0 1 0 0-22z", "M6.5 12.5l4 4l7-8.5"),
        OutcomeKind::Reject => ("M7.5 1h9l6.500 6.500v9l-6.500 6.500h-9l-6.500-6.500v-9z", "M8 8l8 8M16 8l-8 8"),
        OutcomeKind::Uninspected => (
            "M12 .5l11.500 11.500l-11.500 11.500l-11.500-11.500z",
            "M9 9.500a3 3 0 1 1 4 2.800c-.8.300-1 .8-1 1.700M12 17v.6",
        ),
        OutcomeKind::Error => ("M12 1.500l11.500 20.500h-23z", "M12 9v6M12 18.200v.6"),
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
