//! `ctl/recipe`: a query reads the recipe in force, or changes the line over to another one. That takes as long as models take to load, so each
//! change has a thread of its own, which answers when every camera judges by the new ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use ::zenoh::bytes::Encoding;
use ::zenoh::query::{Query, Queryable};
use ::zenoh::{Session, Wait};

use super::super::ZenohError;
use super::control::{self, Refusals, Refused};
use super::wait;
use andon_core::{Actor, Control, ControlError};

/// Declares the key.
///
/// # Errors
/// Zenoh's.
pub(super) fn declare(
    session: &Session,
    base: &str,
    control: &Arc<dyn Control>,
    refusals: &Arc<Refusals>,
    allowed: bool,
) -> Result<Queryable<()>, ZenohError> {
    let own = format!("{base}/ctl/recipe");
    let desk = Arc::new(Desk {
        own: own.clone(),
        control: control.clone(),
        refusals: refusals.clone(),
        busy: AtomicBool::new(false),
    });
    wait(session.declare_queryable(own).callback(move |query| match control::wanted_recipe(&desk.own, &query) {
        Ok(None) => desk.answer(&query, Ok(())),
        Ok(Some(_)) if !allowed => desk.answer(&query, Err(Refused::Off)),
        Ok(Some(recipe)) => Desk::change(&desk, query, recipe),
        Err(why) => desk.answer(&query, Err(why)),
    }))
}

struct Desk {
    own: String,
    control: Arc<dyn Control>,
    refusals: Arc<Refusals>,
    /// A change is under way.
    busy: AtomicBool,
}

impl Desk {
    /// One at a time: who asks meanwhile is told so.
    fn change(desk: &Arc<Desk>, query: Query, recipe: String) {
        if desk.busy.swap(true, Relaxed) {
            desk.answer(&query, Err(ControlError::Busy("change its recipe once more").into()));
            return;
        }
        let worker = desk.clone();
        let change = move || {
            let done = worker.control.change_recipe(&recipe, &Actor::zenoh(control::asker(&query)));
            worker.busy.store(false, Relaxed);
            worker.answer(&query, done.map_err(Refused::from));
        };
        // Without a thread the query is dropped, which ends it without an answer.
        if let Err(e) = std::thread::Builder::new().name("recipe".to_owned()).spawn(change) {
            desk.busy.store(false, Relaxed);
            tracing::error!("a recipe cannot be changed: {e}");
        }
    }

    fn answer(&self, query: &Query, done: Result<(), Refused>) {
        let sent = match done {
            Ok(()) => {
                let state = self.control.recipe();
                let json =
                    serde_json::json!({"recipe": state.name, "number": state.number, "changing": state.changing});
                query.reply(self.own.as_str(), json.to_string()).encoding(Encoding::APPLICATION_JSON).wait()
            }
            Err(why) => {
                self.refusals.note(&self.own, query.key_expr().as_str(), &control::asker(query), &why);
                query.reply_err(why.to_string()).encoding(Encoding::TEXT_PLAIN).wait()
            }
        };
        if let Err(why) = sent {
            tracing::debug!("a reply on {} was not taken: {why}", self.own);
        }
    }
}
