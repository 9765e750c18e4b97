//! Another threshold, tried on the parts that came: nothing is changed here. What is counted is exact: every stored score of the time, judged
//! by the model that judges now, against every threshold that the slider has.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::ask::{Unanswered, ask_patiently};
use super::operating::{OperatingPoint, operating_points};
use super::{Stretch, now_ms};
use crate::act::HistoryAccess;
use crate::page::routes::show;
use crate::page::site::Site;
use crate::page::view::{self, Place, Scene};
use crate::page::visitor::Visitor;
use andon_core::Threshold;
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
    /// The steps that somebody may want.
    pub points: Vec<OperatingPoint>,
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

/// A judge, and its model under the names that the history may have for it.
#[derive(Clone)]
struct Judge {
    state: JudgeState,
    /// Digits of the hashes of the files that the model was before thresholds were kept in it: its scores are those of now.
    alike: Vec<String>,
}

fn digits(blake3: &str) -> String {
    blake3.chars().take(DIGITS).collect()
}

impl Judge {
    fn new(site: &Site, state: JudgeState) -> Judge {
        let models = site.service.models().map(|models| models.in_use()).unwrap_or_default();
        let model = models.iter().find(|model| model.blake3 == state.blake3);
        let alike = model.map(|model| model.scored_alike.iter().map(|hash| digits(hash)).collect()).unwrap_or_default();
        Judge { state, alike }
    }

    fn filter(&self, access: &HistoryAccess, stretch: Stretch) -> Result<Filter, HistoryError> {
        let (from, to) = stretch.bounds(access.history.calendar(), now_ms());
        let now = digits(&self.state.blake3);
        // Scores of another model are on another scale.
        let models = match now.is_empty() {
            true => vec![self.state.model.clone()],
            false => {
                let names: Vec<String> = self.alike.iter().cloned().chain([now.clone()]).collect();
                let known = access.patient.known_models(&names)?;
                if known.is_empty() { vec![now] } else { known }
            }
        };
        Ok(Filter { from, to, cameras: vec![self.state.camera.clone()], models, ..Filter::default() })
    }
}

fn flips(access: &HistoryAccess, filter: &Filter, in_force: f32, tried: f32) -> Result<Flips, HistoryError> {
    let (low, high) = if tried < in_force { (tried, in_force) } else { (in_force, tried) };
    let few = Filter { limit: Some(SHOWN), ..filter.clone() };
    Ok(Flips(access.patient.between(&few, low, high)?))
}

/// The judge that is asked about, its number, and the step.
fn choice(site: &Site, asked: Asked) -> Option<(usize, Judge, usize)> {
    let judges = (site.judges)();
    let camera = if asked.camera < judges.len() { asked.camera } else { 0 };
    let judge = judges.into_iter().nth(camera)?;
    Some((camera, Judge::new(site, judge), asked.at.unwrap_or(Trial::IN_FORCE).clamp(1, STEPS)))
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
        let filter = judge.filter(access, stretch)?;
        let in_force = judge.state.threshold;
        let thresholds = thresholds(in_force);
        let spread = none_of_unknown(access.patient.spread(&filter, &thresholds).map(Some))?;
        let Some(spread) = spread else { return Ok(None) };
        let flips = flips(access, &filter, in_force, thresholds[at])?;
        // What a line refuses without a word in its configuration is not offered.
        let own = Threshold::new(judge.state.own_threshold);
        let may = |value: f32| Threshold::new(value).zip(own).is_none_or(|(value, own)| value.near(own).is_ok());
        let most = thresholds.iter().rposition(|value| may(*value)).unwrap_or(0);
        let points = operating_points(&spread, most);
        Ok(Some(Trial { camera, stretch, in_force, thresholds, spread, points, at, flips }))
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
        let in_force = judge.state.threshold;
        let found = flips(access, &judge.filter(access, stretch)?, in_force, thresholds(in_force)[at]);
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
