//! Reviews: what waits, what is said of it, and what that says of the inspection.

use std::sync::Arc;

use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::ask::ask;
use super::{Stretch, figures, now_ms};
use crate::act::{ActError, HistoryAccess, ReviewPart};
use crate::page::forms::{self, foreign};
use crate::page::routes::{WithStatus, show};
use crate::page::site::Site;
use crate::page::view::{self, Place};
use crate::page::visitor::Visitor;
use andon_io::history::{
    Expected, Filter, HistoryError, Order, PartDetail, QueueCounts, QueueKind, QueuedPart, ReviewError, ReviewVerdict,
};

/// Parts of one millisecond at most: the cameras of one box.
const AROUND: u32 = 40;
/// Reviews on the page of results.
const LAST: u32 = 50;
/// Kinds of defect that are offered as keys.
const OFFERED: usize = 12;

/// Which parts of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::page) enum QueueChoice {
    /// All, by time.
    #[default]
    All,
    /// Those that did not pass.
    NotPassed,
    /// Near misses.
    NearMiss,
    /// Drawn passes.
    Sample,
}

impl QueueChoice {
    /// All of them.
    pub const ALL: [QueueChoice; 4] =
        [QueueChoice::All, QueueChoice::NotPassed, QueueChoice::NearMiss, QueueChoice::Sample];

    /// The word in addresses.
    pub fn word(self) -> &'static str {
        match self {
            QueueChoice::All => "all",
            QueueChoice::NotPassed => "not_passed",
            QueueChoice::NearMiss => "near_miss",
            QueueChoice::Sample => "sample",
        }
    }

    fn kinds(self) -> &'static [QueueKind] {
        match self {
            QueueChoice::All => &QueueKind::ALL,
            QueueChoice::NotPassed => &[QueueKind::NotPassed],
            QueueChoice::NearMiss => &[QueueKind::NearMiss],
            QueueChoice::Sample => &[QueueKind::Sample],
        }
    }
}

/// What the page of reviews shows.
pub(in crate::page) struct ReviewScreen {
    pub choice: QueueChoice,
    pub counts: QueueCounts,
    /// The part that is looked at; none where nothing waits.
    pub part: Option<PartDetail>,
    /// Ids of its neighbours in the queue.
    pub newer: Option<String>,
    pub older: Option<String>,
    /// The part that was reviewed just now.
    pub done: Option<PartDetail>,
    /// Kinds of defect, the usual ones first.
    pub defects: Vec<String>,
    /// Why nothing was written.
    pub refused: Option<Refusal>,
}

/// Why a review was not written.
pub(in crate::page) enum Refusal {
    /// Somebody else was first; what was said stands on the part.
    Conflict,
    /// In words.
    Words(String),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    kind: QueueChoice,
    part: Option<String>,
    done: Option<String>,
}

/// What waits, of these kinds, in one order by time and id.
fn waiting(access: &HistoryAccess, choice: QueueChoice, filter: &Filter) -> Result<Vec<QueuedPart>, HistoryError> {
    let mut all = Vec::new();
    for kind in choice.kinds() {
        all.extend(access.history.queue(*kind, filter, access.every)?);
    }
    all.sort_by(|a, b| (a.row.t, &a.row.id).cmp(&(b.row.t, &b.row.id)));
    if filter.order == Order::Newest {
        all.reverse();
    }
    Ok(all)
}

/// Ids of the next newer and the next older part that wait.
fn neighbours(
    access: &HistoryAccess,
    choice: QueueChoice,
    (t, id): (i64, &str),
) -> Result<(Option<String>, Option<String>), HistoryError> {
    let base = Filter { limit: Some(AROUND), ..Filter::default() };
    let newer = waiting(access, choice, &Filter { from: Some(t), order: Order::Oldest, ..base.clone() })?;
    let older = waiting(access, choice, &Filter { to: Some(t + 1), ..base })?;
    let first = |list: Vec<QueuedPart>, comes: fn((i64, &str), (i64, &str)) -> bool| {
        list.into_iter().find(|p| comes((p.row.t, &p.row.id), (t, id))).map(|p| p.row.id)
    };
    Ok((first(newer, |a, b| a > b), first(older, |a, b| a < b)))
}

fn screen(access: &HistoryAccess, asked: &Asked) -> Result<ReviewScreen, HistoryError> {
    let (from, _) = Stretch::Week.bounds(access.history.calendar(), now_ms());
    let counts = access.history.queue_counts(&Filter { from, ..Filter::default() }, access.every)?;
    let id = match &asked.part {
        Some(id) => Some(id.clone()),
        None => {
            let first = Filter { limit: Some(1), ..Filter::default() };
            waiting(access, asked.kind, &first)?.into_iter().next().map(|p| p.row.id)
        }
    };
    let detail = |id: Option<&String>| id.map(|id| access.history.part(id)).transpose().map(Option::flatten);
    let part = detail(id.as_ref())?;
    let (newer, older) = match &part {
        Some(part) => neighbours(access, asked.kind, (part.row.t, &part.row.id))?,
        None => (None, None),
    };
    let mut defects = access.history.defects()?;
    defects.truncate(OFFERED);
    let done = detail(asked.done.as_ref())?;
    Ok(ReviewScreen { choice: asked.kind, counts, part, newer, older, done, defects, refused: None })
}

pub(super) async fn review(State(site): State<Arc<Site>>, head: HeaderMap, Query(asked): Query<Asked>) -> Response {
    shown(&site, &head, asked, None, StatusCode::OK).await
}

async fn shown(
    site: &Arc<Site>,
    head: &HeaderMap,
    asked: Asked,
    refused: Option<Refusal>,
    status: StatusCode,
) -> Response {
    let named = asked.part.is_some();
    match ask(site, move |access| screen(access, &asked)).await {
        Ok(mut found) => {
            let gone = named && found.part.is_none();
            found.refused = refused;
            let status = if gone && status.is_success() { StatusCode::NOT_FOUND } else { status };
            show(site, head, 0, Place::Review, |scene| {
                let t = scene.visitor.t;
                let contents =
                    if gone { view::message(scene, t.not_there, t.part_gone) } else { view::review(scene, &found) };
                (t.review.to_owned(), contents)
            })
            .with_status(status)
        }
        Err(why) => why.page(site, head, Place::Review),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    csrf: String,
    verdict: String,
    /// Number of the review that was on the page; empty without one.
    expected: String,
    kind: QueueChoice,
    defect: String,
    new_defect: String,
    comment: String,
}

impl Said {
    fn act(&self, part: &str) -> Option<ReviewPart> {
        let verdict = match self.verdict.as_str() {
            "bad" => ReviewVerdict::Bad,
            "good" => ReviewVerdict::Good,
            "unsure" => ReviewVerdict::Unsure,
            "withdrawn" => ReviewVerdict::Withdrawn,
            _ => return None,
        };
        let text = |given: &str| (!given.trim().is_empty()).then(|| given.trim().replace('\r', ""));
        let has_defect = matches!(verdict, ReviewVerdict::Bad | ReviewVerdict::Unsure);
        let expected = match self.expected.as_str() {
            "" => Expected::Nothing,
            number => Expected::Review(number.parse().ok()?),
        };
        Some(ReviewPart {
            part: part.to_owned(),
            verdict,
            defect: text(&self.new_defect).or_else(|| text(&self.defect)).filter(|_| has_defect),
            comment: text(&self.comment),
            expected,
        })
    }
}

/// Says something of a part, or takes it back, and goes on to the next.
pub(super) async fn say_of(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path(id): Path<String>,
    Form(said): Form<Said>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &said.csrf) {
        return refused;
    }
    let back = Asked { kind: said.kind, part: Some(id.clone()), done: None };
    let Some(act) = said.act(&id) else {
        let why = Refusal::Words(Visitor::of(&site, &head, false).t.not_understood.to_owned());
        return shown(&site, &head, back, Some(why), StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    let choice = said.kind;
    // What comes next is asked before, for afterwards the part waits no more.
    let of = id.clone();
    let older = ask(&site, move |access| match access.history.part(&of)? {
        Some(part) => Ok(neighbours(access, choice, (part.row.t, &part.row.id))?.1),
        None => Ok(None),
    });
    let older = match older.await {
        Ok(older) => older,
        Err(why) => return why.page(&site, &head, Place::Review),
    };
    match forms::act(&site, &head, &act, "") {
        Ok(()) => {
            figures::outdated(&site);
            let kind = choice.word();
            let to = match (act.verdict, older) {
                (ReviewVerdict::Withdrawn, _) => format!("/review?kind={kind}&part={id}"),
                (_, Some(next)) => format!("/review?kind={kind}&part={next}&done={id}"),
                (_, None) => format!("/review?kind={kind}&done={id}"),
            };
            Redirect::to(&to).into_response()
        }
        Err(why) => {
            let status = forms::status(&why);
            let refusal = match &why {
                ActError::Review(ReviewError::Conflict { .. }) => Refusal::Conflict,
                other => Refusal::Words((Visitor::of(&site, &head, false).t.refusal)(other)),
            };
            shown(&site, &head, back, Some(refusal), status).await
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Results {
    span: Stretch,
    before: Option<i64>,
}

pub(super) async fn results(State(site): State<Arc<Site>>, head: HeaderMap, Query(asked): Query<Results>) -> Response {
    let answer = ask(&site, move |access| {
        let history = &access.history;
        let (from, to) = asked.span.bounds(history.calendar(), now_ms());
        let filter = Filter { from, to, ..Filter::default() };
        Ok((history.review_results(&filter)?, history.reviews(asked.before, LAST)?))
    });
    match answer.await {
        Ok((results, last)) => show(&site, &head, 0, Place::Review, |scene| {
            let older = (last.len() == LAST as usize).then(|| last.last().map(|r| r.id)).flatten();
            (scene.visitor.t.results.to_owned(), view::review_results(scene, asked.span, &results, &last, older))
        }),
        Err(why) => why.page(&site, &head, Place::Review),
    }
}
