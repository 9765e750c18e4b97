//! How the stored scores lie to thresholds that are not in force: the counts that somebody wants to see before the threshold is changed.

use std::collections::BTreeSet;

use rusqlite::params;
use serde::Serialize;

use super::columns::WordKind;
use super::filter::{Filter, ParameterError, ReviewState};
use super::page::{self, PartRow};
use super::reader::{History, HistoryError};
use super::select::{self, each};
use super::shifts::Shift;

/// Parts by what people said of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReviewCounts {
    /// Reviewed as bad.
    pub bad: u64,
    /// Reviewed as good.
    pub good: u64,
    /// Not reviewed, or without a conclusion.
    pub unknown: u64,
}

impl ReviewCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.bad + self.good + self.unknown
    }

    fn add(&mut self, other: ReviewCounts) {
        self.bad += other.bad;
        self.good += other.good;
        self.unknown += other.unknown;
    }

    fn place(&mut self, review: ReviewState) -> &mut u64 {
        match review {
            ReviewState::Bad => &mut self.bad,
            ReviewState::Good => &mut self.good,
            ReviewState::None | ReviewState::Unsure => &mut self.unknown,
        }
    }
}

/// The scores of a filter's parts against several thresholds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScoreSpread {
    /// Parts with a score.
    pub all: ReviewCounts,
    /// For each threshold that was asked for, the parts that it rejects: those whose score is not under it.
    pub rejected: Vec<ReviewCounts>,
    /// Shifts of the calendar in which there was such a part.
    pub shifts: u64,
}

impl History {
    /// How many of the filter's parts each threshold would reject: exact, from every stored score, compared as [`andon_core::judge`] compares.
    /// `thresholds` ascend and are numbers. Reads every row of the filter, about a microsecond each.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn spread(&self, filter: &Filter, thresholds: &[f32]) -> Result<ScoreSpread, HistoryError> {
        filter.check()?;
        if !thresholds.is_sorted_by(|a, b| a <= b) {
            return Err(ParameterError::new("thresholds", "", "numbers that ascend").into());
        }
        self.read(|connection| {
            let mut select = select::verdicts(connection, filter)?;
            select.conditions.term("score IS NOT NULL");
            let sql =
                format!("SELECT t, score, review FROM verdict INDEXED BY {} {}", select.index, select.conditions.sql());
            // By how many of the thresholds a part reaches.
            let mut reached = vec![ReviewCounts::default(); thresholds.len() + 1];
            let mut shifts = BTreeSet::new();
            let mut shift: Option<Shift> = None;
            each(connection, &sql, &select.conditions, |r| {
                // Scores are stored as they were judged: single precision, widened.
                let (t, score): (i64, f64) = (r.get(0)?, r.get(1)?);
                let score = score as f32;
                // Only what is under a threshold passes, and nothing that is no number.
                let reaches = thresholds.partition_point(|t| score.partial_cmp(t) != Some(std::cmp::Ordering::Less));
                if let Some(counts) = reached.get_mut(reaches) {
                    *counts.place(ReviewState::from_code(r.get(2)?)) += 1;
                }
                if shift.as_ref().is_none_or(|s| t < s.start || t >= s.end) {
                    let of = self.calendar().at(t);
                    shifts.insert(of.start);
                    shift = Some(of);
                }
                Ok(())
            })?;
            let mut sum = ReviewCounts::default();
            let mut rejected = vec![ReviewCounts::default(); thresholds.len()];
            for (place, counts) in rejected.iter_mut().zip(&reached[1..]).rev() {
                sum.add(*counts);
                *place = sum;
            }
            sum.add(reached[0]);
            Ok(ScoreSpread { all: sum, rejected, shifts: shifts.len() as u64 })
        })
    }

    /// Those of these models, by the first digits of their blake3, that judged a part of the history.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn known_models(&self, digits: &[String]) -> Result<Vec<String>, HistoryError> {
        self.read(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM word WHERE kind = ?1 AND substr(more, 1, length(?2)) = ?2)";
            let mut statement = connection.prepare_cached(sql)?;
            let mut known = Vec::new();
            for digits in digits {
                if statement.query_row(params![WordKind::Model as i64, digits], |r| r.get(0))? {
                    known.push(digits.clone());
                }
            }
            Ok(known)
        })
    }

    /// The filter's parts whose score is `low` or more and under `high`, highest first; at most the filter's limit.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn between(&self, filter: &Filter, low: f32, high: f32) -> Result<Vec<PartRow>, HistoryError> {
        filter.check()?;
        self.read(|connection| {
            let mut select = select::verdicts(connection, filter)?;
            select.conditions.value("score >= ?", f64::from(low));
            select.conditions.value("score < ?", f64::from(high));
            let rest = format!(
                "INDEXED BY {} {} ORDER BY score DESC, t DESC, record DESC LIMIT {}",
                select.index,
                select.conditions.sql(),
                filter.limit()
            );
            Ok(page::rows(connection, self.calendar(), &rest, &select.conditions)?.0)
        })
    }
}
