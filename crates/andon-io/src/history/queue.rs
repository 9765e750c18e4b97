//! Which parts somebody should look at, and what the reviews say about the inspection.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::facts::OutcomeKind;
use super::filter::{Filter, Order, ParameterError, ReviewState};
use super::page::{self, PartRow};
use super::reader::{History, HistoryError};
use super::reviews::{Batch, Review};
use super::schema::SAMPLE_STEP;
use super::select::{self, Conditions, Span, each};
use andon_core::{Interval, wilson};

/// Why a part waits for a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueKind {
    /// It did not pass.
    NotPassed,
    /// It passed with 85 % of the threshold or more.
    NearMiss,
    /// It passed with less, and was drawn by its number.
    Sample,
}

impl QueueKind {
    /// Every kind.
    pub const ALL: [QueueKind; 3] = [QueueKind::NotPassed, QueueKind::NearMiss, QueueKind::Sample];
}

/// Parts that wait for a review.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueuedPart {
    /// Why.
    pub kind: QueueKind,
    /// The part.
    pub row: PartRow,
}

/// How many parts wait for a review.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueCounts {
    /// Did not pass.
    pub not_passed: u64,
    /// Near misses.
    pub near_misses: u64,
    /// Drawn passes.
    pub samples: u64,
}

/// What the reviews say about a group of parts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReviewResult {
    /// The group: `all`, a kind of defect, or the start of a shift (RFC 3339, calendar's zone) and its name.
    pub group: String,
    /// Rejects reviewed as good, of the rejects reviewed as good or bad; with a 95 % interval. None for a kind of defect.
    pub false_rejects: Option<Interval>,
    /// Passes reviewed as bad, of the passes reviewed as good or bad; with a 95 % interval. The passes that were looked at are near misses and
    /// drawn ones, so this is no share of all passes. None for a kind of defect.
    pub misses: Option<Interval>,
    /// Bad parts that did not pass, of all parts reviewed as bad; with a 95 % interval.
    pub found: Interval,
    /// Reviewed without a conclusion.
    pub unsure: u64,
}

#[derive(Clone, Copy, Default)]
struct Reviewed {
    good_rejects: u64,
    bad_rejects: u64,
    good_passes: u64,
    bad_passes: u64,
    /// Bad parts that were not inspected or could not be judged: they did not pass either.
    bad_others: u64,
    unsure: u64,
}

impl Reviewed {
    fn add(&mut self, outcome: OutcomeKind, review: ReviewState) {
        let place = match (review, outcome) {
            (ReviewState::Good, OutcomeKind::Reject) => &mut self.good_rejects,
            (ReviewState::Bad, OutcomeKind::Reject) => &mut self.bad_rejects,
            (ReviewState::Good, OutcomeKind::Pass) => &mut self.good_passes,
            (ReviewState::Bad, OutcomeKind::Pass) => &mut self.bad_passes,
            (ReviewState::Bad, OutcomeKind::Uninspected | OutcomeKind::Error) => &mut self.bad_others,
            (ReviewState::Unsure, _) => &mut self.unsure,
            (ReviewState::Good, OutcomeKind::Uninspected | OutcomeKind::Error) | (ReviewState::None, _) => return,
        };
        *place += 1;
    }

    fn result(&self, group: String, is_defect: bool) -> ReviewResult {
        let found = self.bad_rejects + self.bad_others;
        let rejects = wilson(self.good_rejects, self.good_rejects + self.bad_rejects);
        let passes = wilson(self.bad_passes, self.good_passes + self.bad_passes);
        ReviewResult {
            group,
            false_rejects: (!is_defect).then_some(rejects),
            misses: (!is_defect).then_some(passes),
            found: wilson(found, found + self.bad_passes),
            unsure: self.unsure,
        }
    }
}

/// What the reviews say: of all reviewed parts, by kind of defect, by shift.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReviewResults {
    /// All reviewed parts.
    pub all: ReviewResult,
    /// Bad parts by kind of defect, by name.
    pub by_defect: Vec<ReviewResult>,
    /// By shift, oldest first.
    pub by_shift: Vec<ReviewResult>,
}

impl History {
    /// Parts of this kind that nobody has reviewed, in the filter's order; of the filter, its cameras, lanes and times count too. `every`: of the drawn
    /// passes those whose number is a multiple of it; itself a multiple of ten.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn queue(&self, kind: QueueKind, filter: &Filter, every: u64) -> Result<Vec<QueuedPart>, HistoryError> {
        filter.check()?;
        self.read(|connection| {
            let (index, conditions) = waiting(connection, kind, filter, every)?;
            let order = match filter.order {
                Order::Newest => "ORDER BY t DESC, record DESC",
                Order::Oldest => "ORDER BY t, record",
            };
            let rest = format!("INDEXED BY {index} {} {order} LIMIT {}", conditions.sql(), filter.limit());
            let (rows, _) = page::rows(connection, self.calendar(), &rest, &conditions)?;
            Ok(rows.into_iter().map(|row| QueuedPart { kind, row }).collect())
        })
    }

    /// How many parts wait for a review, as [`History::queue`] finds them.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn queue_counts(&self, filter: &Filter, every: u64) -> Result<QueueCounts, HistoryError> {
        self.read(|connection| {
            let count = |kind| -> Result<u64, HistoryError> {
                let (index, conditions) = waiting(connection, kind, filter, every)?;
                let sql = format!("SELECT count(*) FROM verdict INDEXED BY {index} {}", conditions.sql());
                let mut count = 0;
                each(connection, &sql, &conditions, |r| {
                    count = r.get(0)?;
                    Ok(())
                })?;
                Ok(u64::try_from(count).unwrap_or(0))
            };
            Ok(QueueCounts {
                not_passed: count(QueueKind::NotPassed)?,
                near_misses: count(QueueKind::NearMiss)?,
                samples: count(QueueKind::Sample)?,
            })
        })
    }

    /// What the reviews of the filter's parts say about the inspection.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn review_results(&self, filter: &Filter) -> Result<ReviewResults, HistoryError> {
        filter.check()?;
        let calendar = self.calendar();
        self.read(|connection| {
            let mut conditions = select::verdicts(connection, filter)?.conditions;
            conditions.term("review <> 0");
            let sql = format!(
                "SELECT t, outcome, review, (SELECT defect FROM review r WHERE r.id = verdict.review_id) FROM verdict
                 INDEXED BY verdict_reviewed {} ORDER BY t",
                conditions.sql()
            );
            let mut all = Reviewed::default();
            let mut defects: BTreeMap<String, Reviewed> = BTreeMap::new();
            let mut shifts: Vec<(super::Shift, Reviewed)> = Vec::new();
            each(connection, &sql, &conditions, |r| {
                let (t, review) = (r.get(0)?, ReviewState::from_code(r.get(2)?));
                let outcome = OutcomeKind::from_code(r.get(1)?).unwrap_or(OutcomeKind::Error);
                all.add(outcome, review);
                if let (ReviewState::Bad, Some(defect)) = (review, r.get::<_, Option<String>>(3)?) {
                    defects.entry(defect).or_default().add(outcome, review);
                }
                if shifts.last().is_none_or(|(shift, _)| t >= shift.end) {
                    shifts.push((calendar.at(t), Reviewed::default()));
                }
                if let Some((_, counts)) = shifts.last_mut() {
                    counts.add(outcome, review);
                }
                Ok(())
            })?;
            let shift = |s: &super::Shift| format!("{} {}", calendar.local(s.start), s.name);
            Ok(ReviewResults {
                all: all.result("all".to_owned(), false),
                by_defect: defects.into_iter().map(|(defect, counts)| counts.result(defect, true)).collect(),
                by_shift: shifts.iter().map(|(s, counts)| counts.result(shift(s), false)).collect(),
            })
        })
    }

    /// Reviews and withdrawals in the order in which they were made, newest first, at most `limit`; those before the review `before`, if
    /// given.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn reviews(&self, before: Option<i64>, limit: u32) -> Result<Vec<Review>, HistoryError> {
        self.read(|connection| Ok(super::reviews::newest(connection, before.unwrap_or(i64::MAX), limit)?))
    }

    /// Kinds of defect that people have given, the usual ones first.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn defects(&self) -> Result<Vec<String>, HistoryError> {
        self.read(|connection| Ok(super::reviews::defects(connection)?))
    }

    /// Batches, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn batches(&self, limit: u32) -> Result<Vec<Batch>, HistoryError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT id, name, actor, at FROM batch ORDER BY id DESC LIMIT ?1")?;
            let batch =
                |r: &rusqlite::Row<'_>| Ok(Batch { id: r.get(0)?, name: r.get(1)?, actor: r.get(2)?, at: r.get(3)? });
            let found = statement.query_map(params![limit], batch)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }
}

/// Index and conditions of the parts of this kind that nobody has reviewed.
fn waiting(
    connection: &Connection,
    kind: QueueKind,
    filter: &Filter,
    every: u64,
) -> Result<(&'static str, Conditions), HistoryError> {
    let mut c = Conditions::default();
    Span::of(filter).add_to(&mut c);
    select::places(connection, filter, &mut c)?;
    c.term("review = 0");
    let index = match kind {
        QueueKind::NotPassed => {
            c.term("outcome <> 0");
            "verdict_not_passed"
        }
        QueueKind::NearMiss => {
            c.term("outcome = 0 AND ratio >= 0.85");
            "verdict_near"
        }
        QueueKind::Sample => {
            let every = i64::try_from(every).ok().filter(|n| *n > 0 && every.is_multiple_of(SAMPLE_STEP));
            let why = || ParameterError::new("every", "", format!("a multiple of {SAMPLE_STEP}"));
            c.value("seq % ? = 0", every.ok_or_else(why)?);
            c.term("outcome = 0 AND ratio < 0.85 AND seq % 10 = 0");
            "verdict_sample"
        }
    };
    Ok((index, c))
}
