//! A list of the history as a file: CSV or JSON, written while it is read, a page of rows at a time. A file that could not be finished ends
//! without the end of its transfer, which a browser says.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc::channel;
use tokio_stream::wrappers::ReceiverStream;

use super::ask::{Unanswered, ask};
use super::list::ListFilter;
use crate::accounts::csv_line;
use crate::page::server::Connection;
use crate::page::site::Site;
use crate::page::view::Place;
use andon_io::history::{Cursor, Filter, HistoryError, MAX_LIMIT, PartRow};

/// The columns of the CSV file.
pub(super) const COLUMNS: [&str; 15] = [
    "id",
    "time",
    "camera",
    "lane",
    "seq",
    "boot",
    "recipe",
    "model",
    "blake3",
    "outcome",
    "reason",
    "score",
    "threshold",
    "ratio",
    "review",
];

/// What a file is made of.
struct Form {
    media_type: &'static str,
    disposition: &'static str,
    begin: String,
    row: fn(&PartRow) -> String,
    between: &'static str,
    end: &'static str,
}

pub(super) async fn csv(
    State(site): State<Arc<Site>>,
    Extension(connection): Extension<Connection>,
    head: HeaderMap,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let form = Form {
        media_type: "text/csv; charset=utf-8",
        disposition: "attachment; filename=\"andon-history.csv\"",
        begin: format!("{}\r\n", COLUMNS.join(",")),
        row: csv_row,
        between: "\r\n",
        end: "\r\n",
    };
    export(site, connection, head, pairs, form).await
}

pub(super) async fn json(
    State(site): State<Arc<Site>>,
    Extension(connection): Extension<Connection>,
    head: HeaderMap,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let form = Form {
        media_type: "application/json",
        disposition: "attachment; filename=\"andon-history.json\"",
        begin: "[".to_owned(),
        row: |row| serde_json::to_string(row).unwrap_or_else(|_| "null".to_owned()),
        between: ",\n",
        end: "]\n",
    };
    export(site, connection, head, pairs, form).await
}

pub(super) fn csv_row(row: &PartRow) -> String {
    let number = |n: Option<f32>| n.map(|n| n.to_string()).unwrap_or_default();
    let (seq, score, threshold, ratio) =
        (row.seq.to_string(), number(row.score), number(row.threshold), number(row.ratio));
    csv_line([
        row.id.as_str(),
        &row.time,
        &row.camera,
        &row.lane,
        &seq,
        &row.boot,
        row.recipe.as_deref().unwrap_or_default(),
        &row.model,
        &row.blake3,
        row.outcome.as_str(),
        &row.reason,
        &score,
        &threshold,
        &ratio,
        row.review.as_str(),
    ])
}

/// A page of rows, and where the next begins.
pub(super) type Slice = (Vec<PartRow>, Option<Cursor>);

pub(super) async fn slice(site: &Arc<Site>, fields: &ListFilter, after: Option<Cursor>) -> Result<Slice, Unanswered> {
    let fields = fields.clone();
    ask(site, move |access| {
        let filter = fields.filter(access.history.calendar()).map_err(HistoryError::from)?;
        let page = access.history.query(&Filter { limit: Some(MAX_LIMIT), after, ..filter })?;
        Ok((page.rows, page.next))
    })
    .await
}

async fn export(
    site: Arc<Site>,
    connection: Connection,
    head: HeaderMap,
    pairs: Vec<(String, String)>,
    form: Form,
) -> Response {
    // The whole list, wherever the page stood.
    let fields = ListFilter::of(pairs.into_iter().filter(|(name, _)| name != "after").collect());
    let (mut rows, mut next) = match slice(&site, &fields, None).await {
        Ok(first) => first,
        Err(why) => return why.page(&site, &head, Place::History),
    };
    // A list of millions takes minutes; other connections are not closed for it.
    connection.streams();
    let (to, from) = channel::<io::Result<String>>(1);
    let kind = [(header::CONTENT_TYPE, form.media_type), (header::CONTENT_DISPOSITION, form.disposition)];
    tokio::spawn(async move {
        let mut text = form.begin;
        let mut is_first = true;
        loop {
            for row in &rows {
                if !std::mem::replace(&mut is_first, false) {
                    text.push_str(form.between);
                }
                text.push_str(&(form.row)(row));
            }
            if next.is_none() {
                text.push_str(if is_first && form.end.starts_with('\r') { "" } else { form.end });
            }
            if to.send(Ok(std::mem::take(&mut text))).await.is_err() || next.is_none() {
                return;
            }
            match slice(&site, &fields, next).await {
                Ok(more) => (rows, next) = more,
                Err(why) => {
                    tracing::warn!("an export of the history ended early: {why:?}");
                    if to.send(Err(io::Error::other("the history gives no more"))).await.is_err() {
                        tracing::debug!("and nobody waits for it");
                    }
                    return;
                }
            }
        }
    });
    (kind, Body::from_stream(ReceiverStream::new(from))).into_response()
}
