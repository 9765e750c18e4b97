//! The page of a part that only the history has.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::ask::ask;
use crate::page::routes::{say, show};
use crate::page::site::Site;
use crate::page::view::{self, Place};
use crate::page::visitor::Visitor;
use andon_io::history::Review;

/// Everything that the history has of this part.
pub(in crate::page) async fn part(site: &Arc<Site>, head: &HeaderMap, id: String) -> Response {
    match ask(site, move |access| access.history.part(&id)).await {
        Ok(Some(found)) => show(site, head, 0, Place::Part, |scene| {
            (format!("{} {}", scene.visitor.t.part, found.row.seq), view::kept_part(scene, &found))
        }),
        Ok(None) => {
            let t = Visitor::of(site, head, false).t;
            say(site, head, StatusCode::NOT_FOUND, t.not_there, t.part_gone)
        }
        Err(why) => why.page(site, head, Place::Part),
    }
}

/// What was said of this part; nothing where the history does not answer, which other pages say.
pub(in crate::page) async fn said_of(site: &Arc<Site>, id: String) -> Vec<Review> {
    let found = ask(site, move |access| access.history.part(&id)).await;
    found.ok().flatten().map(|found| found.reviews).unwrap_or_default()
}
