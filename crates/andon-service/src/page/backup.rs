//! A backup as a download: made into a file without a name, then sent.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;

use super::forms::{self, Token, foreign};
use super::numbers::of_file;
use super::routes::{only, say};
use super::server::Connection;
use super::site::Site;
use super::visitor::Visitor;
use crate::act::{ActError, BackUp};
use crate::backup::BackupError;
use andon_core::Role;

/// Bytes that are sent at once.
const PIECE: usize = 256 * 1024;

/// The address of the backup.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new().route("/backup", post(back_up))
}

async fn back_up(
    State(site): State<Arc<Site>>,
    Extension(connection): Extension<Connection>,
    head: HeaderMap,
    Form(form): Form<Token>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, form.csrf()).or_else(|| only(&site, &head, Role::Admin)) {
        return refused;
    }
    // A history of gigabytes takes minutes; other connections are not closed for it.
    connection.streams();
    let (of, with) = (site.clone(), head.clone());
    let made = tokio::task::spawn_blocking(move || archive(&of, &with)).await;
    let t = Visitor::of(&site, &head, false).t;
    match made {
        Ok(Ok((file, bytes))) => {
            let (to, from) = channel(1);
            tokio::task::spawn_blocking(move || send(file, &to));
            let name = format!("andon-{}-{}.tar", site.board.station.box_name, of_file());
            let kind = [
                (header::CONTENT_TYPE, "application/x-tar".to_owned()),
                (header::CONTENT_LENGTH, bytes.to_string()),
                (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", plain(&name))),
            ];
            (kind, Body::from_stream(ReceiverStream::new(from))).into_response()
        }
        Ok(Err(why)) => say(&site, &head, forms::status(&why), t.refused, &(t.refusal)(&why)),
        Err(_) => say(&site, &head, StatusCode::INTERNAL_SERVER_ERROR, t.refused, t.not_understood),
    }
}

/// A name that every system takes for a file.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || ['-', '.'].contains(&c);
    name.chars().map(|c| if fits(c) { c } else { '-' }).collect()
}

fn archive(site: &Site, head: &HeaderMap) -> Result<(File, u64), ActError> {
    let scratch = site.service.scratch()?;
    let named = |source| BackupError::File { path: scratch.to_owned(), source };
    let mut file = tempfile::tempfile_in(scratch).map_err(named)?;
    forms::act(site, head, &BackUp { to: &file }, "")?;
    let bytes = file.stream_position().map_err(named)?;
    file.rewind().map_err(named)?;
    Ok((file, bytes))
}

/// Sends a file piece by piece, as fast as it is taken; ends early when nobody takes it any more.
fn send(mut file: File, to: &Sender<io::Result<Bytes>>) {
    loop {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece).map(|n| {
            piece.truncate(n);
            Bytes::from(piece)
        });
        let (is_whole, is_last) = (matches!(&read, Ok(bytes) if bytes.is_empty()), read.is_err());
        if is_whole || to.blocking_send(read).is_err() || is_last {
            return;
        }
    }
}
