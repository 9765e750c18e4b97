//! Another threshold, tried on the parts that came: nothing is changed here. What is counted is exact: every stored score of the time, judged
//! by the model that judges now, against every threshold that the slider has.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::ask::{Unanswered, ask_patiently};
use super::{Stretch, now_ms};
use crate::act::HistoryAccess;
use crate::page::routes::show;
use crate::page::site::Site;
use crate::page::view::{self, Place, Scene};
use crate::page::visitor::Visitor;
use andon_io::history::{Filter, HistoryError, PartRow, ReviewCounts, ScoreSpread};
use andon_line::telemetry::JudgeState;

/// The slider's steps are hundredths of the threshold in force, up to twice it; the histogram has them too.
const STEPS: usize = 200;
/// Parts that are shown of those that would change.
const SHOWN: u32 = 24;
/// Digits of a model's hash that the history keeps.
const DIGITS: usize = 16;

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    camera: usize,
    span: Span,
    /// The slider's step.
    at: Option<usize>,
}

/// The times that are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Span {
    This,
    #[default]
    Last,
    Week,
}

impl Span {
    fn stretch(self) -> Stretch {
        match self {
            Span::This => Stretch::This,
            Span::Last => Stretch::Last,
            Span::Week => Stretch::Week,
        }
    }
}

/// What the page of another threshold shows.
pub(in crate::page) struct Trial {
    pub camera: usize,
    pub stretch: Stretch,
    /// The threshold in force.
    pub in_force: f32,
    /// The threshold of each step.
    pub thresholds: Vec<f32>,
    pub spread: ScoreSpread,
    /// The step that is tried.
    pub at: usize,
    pub flips: Flips,
}

/// Parts that would end otherwise.
pub(in crate::page) struct Flips(pub Vec<PartRow>);

impl Trial {
    /// The step of the threshold in force.
    pub const IN_FORCE: usize = STEPS / 2;

    /// What a step rejects.
    pub fn rejected(&self, step: usize) -> ReviewCounts {
        self.spread.rejected.get(step).copied().unwrap_or_default()
    }

    /// How many parts more than now a step rejects; less than 0 for fewer.
    pub fn more(&self, step: usize) -> i64 {
        let of = |step| i64::try_from(self.rejected(step).total()).unwrap_or(i64::MAX);
        of(step) - of(Trial::IN_FORCE)
    }
}

/// Thresholds in hundredths of the one in force, from 0 on. The middle one is the one in force, to the bit.
fn thresholds(in_force: f32) -> Vec<f32> {
    let step = |n: usize| (f64::from(in_force) * n as f64 / Trial::IN_FORCE as f64) as f32;
    (0..=STEPS).map(step).collect()
}

fn filter(access: &HistoryAccess, judge: &JudgeState, stretch: Stretch) -> Filter {
    let (from, to) = stretch.bounds(access.history.calendar(), now_ms());
    let digits: String = judge.blake3.chars().take(DIGITS).collect();
    // Scores of another model are on another scale.
    let model = if digits.is_empty() { judge.model.clone() } else { digits };
    Filter { from, to, cameras: vec![judge.camera.clone()], models: vec![model], ..Filter::default() }
}

fn flips(access: &HistoryAccess, filter: &Filter, in_force: f32, tried: f32) -> Result<Flips, HistoryError> {
    let (low, high) = if tried < in_force { (tried, in_force) } else { (in_force, tried) };
    let few = Filter { limit: Some(SHOWN), ..filter.clone() };
    Ok(Flips(access.patient.between(&few, low, high)?))
}

/// The judge that is asked about, its number, and the step.
fn choice(site: &Site, asked: Asked) -> Option<(usize, JudgeState, usize)> {
    let judges = (site.judges)();
    let camera = if asked.camera < judges.len() { asked.camera } else { 0 };
    let judge = judges.into_iter().nth(camera)?;
    Some((camera, judge, asked.at.unwrap_or(Trial::IN_FORCE).clamp(1, STEPS)))
}

/// A model or a camera that the history does not have yet has no scores either.
fn none_of_unknown<T: Default>(answer: Result<T, HistoryError>) -> Result<T, HistoryError> {
    match answer {
        Err(HistoryError::Parameter(_)) => Ok(T::default()),
        answer => answer,
    }
}

pub(super) async fn whatif(State(site): State<Arc<Site>>, head: HeaderMap, Query(asked): Query<Asked>) -> Response {
    let Some((camera, judge, at)) = choice(&site, asked) else {
        return Unanswered::NoHistory.page(&site, &head, Place::WhatIf);
    };
    let stretch = asked.span.stretch();
    let answer = ask_patiently(&site, move |access| {
        let filter = filter(access, &judge, stretch);
        let thresholds = thresholds(judge.threshold);
        let spread = none_of_unknown(access.patient.spread(&filter, &thresholds).map(Some))?;
        let Some(spread) = spread else { return Ok(None) };
        let flips = flips(access, &filter, judge.threshold, thresholds[at])?;
        Ok(Some(Trial { camera, stretch, in_force: judge.threshold, thresholds, spread, at, flips }))
    });
    match answer.await {
        Ok(trial) => show(&site, &head, camera, Place::WhatIf, |scene| {
            (scene.visitor.t.whatif.to_owned(), view::whatif(scene, camera, stretch, trial.as_ref()))
        }),
        Err(why) => why.page(&site, &head, Place::WhatIf),
    }
}

/// The parts that would change at another step, for the page that is there already.
pub(super) async fn parts(State(site): State<Arc<Site>>, head: HeaderMap, Query(asked): Query<Asked>) -> Response {
    let Some((_, judge, at)) = choice(&site, asked) else {
        return Unanswered::NoHistory.page(&site, &head, Place::WhatIf);
    };
    let stretch = asked.span.stretch();
    let answer = ask_patiently(&site, move |access| {
        let found = flips(access, &filter(access, &judge, stretch), judge.threshold, thresholds(judge.threshold)[at]);
        none_of_unknown(found.map(Some))
    });
    let found = match answer.await {
        Ok(found) => found.unwrap_or(Flips(Vec::new())),
        Err(why) => return why.page(&site, &head, Place::WhatIf),
    };
    let visitor = Visitor::of(&site, &head, true);
    let now = site.board.snapshot();
    let scene = Scene { site: &site, now: &now, visitor: &visitor, camera: 0 };
    Html(view::flips(scene, &found).into_string()).into_response()
}
