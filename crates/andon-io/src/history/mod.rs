//! The history: every verdict, part, ejection and event of the box in one SQLite file, with columns to ask by, counters that outlive the
//! rows, and what people said of the parts.
//!
//! The `store` thread of [`crate::sinks::store`] is the only writer of rows. [`History`] reads on connections of its own; [`Reviews`] adds
//! reviews and batches. Neither is ever called by the line.

mod shifts;

#[cfg(feature = "store")]
mod backfill;
#[cfg(feature = "store")]
mod challenges;
#[cfg(feature = "store")]
mod columns;
#[cfg(feature = "store")]
mod counters;
#[cfg(feature = "store")]
mod error;
#[cfg(feature = "store")]
mod facts;
#[cfg(feature = "store")]
mod filter;
#[cfg(feature = "store")]
mod page;
#[cfg(feature = "store")]
mod queue;
#[cfg(feature = "store")]
mod reader;
#[cfg(feature = "store")]
mod reviews;
#[cfg(feature = "store")]
mod schema;
#[cfg(feature = "store")]
mod select;
#[cfg(feature = "store")]
mod spread;
#[cfg(feature = "store")]
mod tally;

pub use shifts::{Shift, ShiftCalendar, ShiftDay, ShiftsConfig};

#[cfg(feature = "store")]
pub use self::{
    backfill::migrate,
    challenges::{Challenge, ChallengePart, ChallengeResult},
    counters::{BinCounts, CounterRow, Histogram, Period, TrendPoint},
    error::StoreError,
    facts::{LaneRecordKind, OutcomeKind},
    filter::{Band, Cursor, Filter, MAX_LIMIT, Order, ParameterError, ReviewState},
    page::{LaneRow, Page, PartDetail, PartRow},
    queue::{QueueCounts, QueueKind, QueuedPart, ReviewResult, ReviewResults},
    reader::{History, HistoryError, USUAL_TIME_LIMIT},
    reviews::{
        Batch, Expected, MAX_COMMENT, MAX_DEFECT, MAX_NAME, NewReview, Review, ReviewError, ReviewVerdict, Reviews,
        TextFault,
    },
    schema::{NEAR_MISS, SAMPLE_STEP},
    spread::{ReviewCounts, ScoreSpread},
};
#[cfg(feature = "store")]
pub(crate) use self::{
    backfill::{SLICE_ROWS, slice},
    columns::Columns,
    schema::open,
};

#[cfg(test)]
#[cfg(feature = "store")]
mod tests;
