//! What is pushed to who looks: fragments of the page that changed, some five times a second, and a beat every second. A reader that does
//! not keep up gets the newest state when it is ready again; nothing is kept for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_stream::wrappers::ReceiverStream;

use super::numbers::clock;
use super::server::Connection;
use super::site::Site;
use super::view::{self, Place, Scene};
use super::visitor::Visitor;
use andon_core::{CameraId, Mono};

/// Between two updates: five a second.
const UPDATE: Duration = Duration::from_millis(200);
/// A picture is coded in some ten milliseconds: so long its verdict waits for it, so that both come in one update.
const CODED: Duration = Duration::from_millis(15);
/// A picture that took longer comes by itself, so soon after the update before it.
const PICTURE: Duration = Duration::from_millis(50);
/// It is looked for this often.
const LOOK: Duration = Duration::from_millis(20);
/// Between two beats; the page shows its veil after two seconds without one.
const BEAT: Duration = Duration::from_millis(900);
/// Whether somebody is still logged in is asked this often.
const LOGGED_IN: Duration = Duration::from_secs(10);
/// Streams at once: eight screens of a plant and some to spare.
const STREAMS: usize = 32;

/// Which page looks.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    view: String,
    #[serde(default)]
    camera: usize,
}

/// Counts a stream while it lives.
struct Counted(Arc<Site>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Relaxed);
    }
}

/// A beat by itself: a page whose stream broke asks for it until the box answers.
pub(super) async fn beat(State(site): State<Arc<Site>>) -> Response {
    axum::Json(pulse(&site)).into_response()
}

fn pulse(site: &Site) -> serde_json::Value {
    let station = &site.board.station;
    let ms = station.clock.now().unix_ms(Mono::now());
    serde_json::json!({ "boot": station.boot.to_string(), "clock": clock(ms) })
}

pub(super) async fn events(
    State(site): State<Arc<Site>>,
    Extension(connection): Extension<Connection>,
    head: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let streams = site.streams.fetch_add(1, Relaxed);
    let counted = Counted(site.clone());
    if streams >= STREAMS {
        let words = format!("{STREAMS} pages are looked at already; close one");
        return (StatusCode::SERVICE_UNAVAILABLE, words).into_response();
    }
    connection.streams();
    // One event on its way: what comes next is made when that is taken.
    let (to, from) = channel(1);
    tokio::spawn(feed(site, head, asked, to, counted));
    Sse::new(ReceiverStream::new(from)).into_response()
}

async fn feed(
    site: Arc<Site>,
    head: HeaderMap,
    asked: Asked,
    to: Sender<Result<Event, Infallible>>,
    _counted: Counted,
) {
    let mut changes = site.board.changes();
    let mut sent: Vec<(&'static str, String)> = Vec::new();
    let mut visitor = Visitor::of(&site, &head, false);
    // As long as somebody looks at a camera, and no longer, the pictures of its parts are coded.
    let _watched = watch(&site, &asked);
    let mut checked = Instant::now();
    let mut of_picture = false;
    loop {
        let begun = Instant::now();
        if begun.duration_since(checked) > LOGGED_IN {
            let again = Visitor::of(&site, &head, false);
            if again.session != visitor.session {
                // The page connects again, as who it is now.
                return;
            }
            (visitor, checked) = (again, begun);
        }
        changes.mark_unchanged();
        let version = version(&site, &asked);
        let changed = fragments(&site, &visitor, &asked, &mut sent);
        if !changed.is_empty() && to.send(Ok(Event::default().data(changed))).await.is_err() {
            return;
        }
        let beat = Event::default().event("beat").data(pulse(&site).to_string());
        if to.send(Ok(beat)).await.is_err() {
            return;
        }
        // One update of a picture for each of a change: a line of rejects alone is shown as any other.
        let soon = if of_picture { UPDATE } else { PICTURE };
        of_picture = false;
        // A change, a picture, the next beat, or the end of the reader, whichever comes first.
        loop {
            tokio::select! {
                heard = changes.changed() => {
                    if heard.is_err() {
                        return;
                    }
                    sleep_until((begun + UPDATE).max(Instant::now() + CODED)).await;
                    break;
                }
                () = sleep(LOOK), if version.is_some() => {
                    if begun.elapsed() >= soon && self::version(&site, &asked) != version {
                        of_picture = true;
                        break;
                    }
                }
                () = sleep_until(begun + BEAT) => break,
                () = to.closed() => return,
            }
        }
    }
}

/// Grows with every picture that the live page may show; none for other pages.
fn version(site: &Site, asked: &Asked) -> Option<u64> {
    site.pictures.as_ref().filter(|_| asked.view == Place::Live.stream()).map(|pictures| pictures.version())
}

fn watch(site: &Site, asked: &Asked) -> Option<Box<dyn Send>> {
    let camera = CameraId(u8::try_from(camera(site, asked)).ok()?);
    let source = site.pictures.as_ref().filter(|_| asked.view == Place::Live.stream())?;
    Some(source.watch(camera))
}

/// The camera that is looked at; the first one in place of one that is not there.
fn camera(site: &Site, asked: &Asked) -> usize {
    if asked.camera < site.board.station.cameras.len() { asked.camera } else { 0 }
}

/// The fragments that are not as they were sent last.
fn fragments(site: &Site, visitor: &Visitor, asked: &Asked, sent: &mut Vec<(&'static str, String)>) -> String {
    let now = site.board.snapshot();
    let scene = Scene { site, now: &now, visitor, camera: camera(site, asked) };
    let mut all = vec![("banner", view::banner(scene)), ("say", view::say(scene)), ("unseen", view::unseen(scene))];
    if asked.view == Place::Live.stream() {
        all.push(("verdict", view::verdict(scene)));
        all.push(("counters", view::counters(scene)));
        all.push(("state", view::state(scene)));
        all.push(("strip", view::strip(scene)));
    } else if asked.view == Place::Alarms.stream() {
        all.push(("alarms", view::alarms_list(scene)));
    } else if asked.view == Place::Challenge.stream() {
        all.push(("challenges", view::challenges_now(scene)));
    } else if asked.view == Place::Threshold.stream() {
        all.push(("trials", view::threshold_trials(scene)));
        all.push(("in_force", view::in_force(scene)));
    } else if asked.view == Place::System.stream() {
        all.push(("system", view::system_body(scene)));
    }
    let mut changed = String::new();
    for (name, markup) in all {
        let text = markup.into_string();
        match sent.iter_mut().find(|(known, _)| *known == name) {
            Some((_, last)) if *last == text => {}
            Some((_, last)) => {
                changed.push_str(&text);
                *last = text;
            }
            None => {
                changed.push_str(&text);
                sent.push((name, text));
            }
        }
    }
    changed
}
