//! Counters by shift, batch and hour; the start of a batch.

use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::ask::{Unanswered, ask};
use super::figures;
use crate::accounts::csv_line;
use crate::act::StartBatch;
use crate::page::forms::{self, foreign};
use crate::page::routes::{WithStatus, show};
use crate::page::site::Site;
use crate::page::view::{self, Place};
use crate::page::visitor::Visitor;
use andon_io::history::{Batch, CounterRow, Filter, MAX_LIMIT, Period};

/// Rows on a page: a fortnight of three shifts with four cameras and a lane.
const ROWS: u32 = 200;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    by: Period,
}

impl Default for Asked {
    fn default() -> Self {
        Asked { by: Period::Shift }
    }
}

async fn rows(site: &Arc<Site>, by: Period, most: u32) -> Result<(Vec<CounterRow>, Option<Batch>), Unanswered> {
    ask(site, move |access| {
        let filter = Filter { limit: Some(most), ..Filter::default() };
        Ok((access.history.counters(by, &filter)?, access.history.batches(1)?.pop()))
    })
    .await
}

pub(super) async fn counters(State(site): State<Arc<Site>>, head: HeaderMap, Query(asked): Query<Asked>) -> Response {
    shown(&site, &head, asked.by, None).await
}

async fn shown(site: &Arc<Site>, head: &HeaderMap, by: Period, wrong: Option<(StatusCode, String)>) -> Response {
    match rows(site, by, ROWS).await {
        Ok((rows, batch)) => {
            let (status, words) = wrong.map_or((StatusCode::OK, None), |(status, words)| (status, Some(words)));
            show(site, head, 0, Place::Counters, |scene| {
                let contents = view::counted(scene, by, &rows, batch.as_ref(), words.as_deref());
                (scene.visitor.t.counters_title.to_owned(), contents)
            })
            .with_status(status)
        }
        Err(why) => why.page(site, head, Place::Counters),
    }
}

pub(super) async fn csv(State(site): State<Arc<Site>>, head: HeaderMap, Query(asked): Query<Asked>) -> Response {
    match rows(&site, asked.by, MAX_LIMIT).await {
        Ok((rows, _)) => {
            let columns = "time,label,lane,camera,offered,pass,reject,uninspected,error,ejected,missed";
            let mut text = format!("{columns}\r\n");
            for r in &rows {
                let counts = [r.offered, r.pass, r.reject, r.uninspected, r.error, r.ejected, r.missed];
                let counts = counts.map(|n| n.to_string());
                let names = [r.time.as_str(), &r.label, &r.lane, r.camera.as_deref().unwrap_or_default()];
                text.push_str(&csv_line(names.into_iter().chain(counts.iter().map(String::as_str))));
                text.push_str("\r\n");
            }
            let kind = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"andon-counters.csv\""),
            ];
            (kind, text).into_response()
        }
        Err(why) => why.page(&site, &head, Place::Counters),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewBatch {
    csrf: String,
    name: String,
}

pub(super) async fn start_batch(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Form(form): Form<NewBatch>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    match forms::act(&site, &head, &StartBatch { name: form.name }, "") {
        Ok(()) => {
            figures::outdated(&site);
            Redirect::to("/counters?by=batch").into_response()
        }
        Err(why) => {
            let words = (Visitor::of(&site, &head, false).t.refusal)(&why);
            shown(&site, &head, Period::Batch, Some((forms::status(&why), words))).await
        }
    }
}
