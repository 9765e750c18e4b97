//! What a message has to say before it changes anything. Only a put or a query on the exact key does, with its intent in words: a
//! dashboard that reads `andon/**`, or somebody who deletes old keys, must never release a line or announce a part.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::zenoh::query::Query;
use ::zenoh::sample::{Sample, SampleKind};
use serde_json::Value;
use thiserror::Error;

use andon_core::{ControlError, Delivery, Mono};

/// Bytes of an intent at most.
const MOST: usize = 1024;
/// Characters of a reason at most.
const MOST_REASON: usize = 300;
/// Refusals on a key are logged this often at most; all are counted.
const EVERY: Duration = Duration::from_secs(10);

/// Why a message changed nothing. The words go back to who sent it.
#[derive(Clone, Debug, PartialEq, Error)]
pub(super) enum Refused {
    /// The configuration takes no control from the network.
    #[error("control is off on this box; zenoh.allow_control = true allows it")]
    Off,
    /// A key was deleted.
    #[error("a delete announces no part; put {{\"trigger\": true}} or {{\"id\": NUMBER}}")]
    Delete,
    /// A wildcard.
    #[error("`{asked}` is not the exact key; wildcards change nothing: use {own}")]
    NotExact {
        /// What was asked.
        asked: String,
        /// The key that would do.
        own: String,
    },
    /// The intent is not in words.
    #[error("{0}")]
    NoIntent(&'static str),
    /// Not a number.
    #[error("set={0} is not a number")]
    NotANumber(String),
    /// The line refuses.
    #[error(transparent)]
    Line(#[from] ControlError),
}

/// Counts what is refused, and logs it now and then.
pub(super) struct Refusals {
    delivery: Delivery,
    /// By key, of which there are as many as this box declared: when one was logged last, and how many were not since.
    told: Mutex<Vec<(String, Mono, u64)>>,
}

impl Refusals {
    pub fn new(delivery: Delivery) -> Refusals {
        Refusals { delivery, told: Mutex::default() }
    }

    /// Something for the key `own`, sent to the expression `asked` by `who`, was refused.
    pub fn note(&self, own: &str, asked: &str, who: &str, why: &Refused) {
        self.delivery.refuse_control();
        let now = Mono::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = match told.iter_mut().find(|(key, ..)| key == own) {
            Some((_, at, untold)) if now.since(*at) < EVERY => {
                *untold += 1;
                return;
            }
            Some((_, at, untold)) => {
                *at = now;
                std::mem::take(untold)
            }
            None => {
                told.push((own.to_owned(), now, 0));
                0
            }
        };
        tracing::warn!(key = own, asked, from = who, untold, "control refused: {why}");
    }
}

/// Who sent a sample, as far as it says.
pub(super) fn sender(sample: &Sample) -> String {
    match (sample.source_info(), sample.timestamp()) {
        (Some(source), _) => source.source_id().zid().to_string(),
        (None, Some(stamp)) => format!("{} (who stamped it)", stamp.get_id()),
        (None, None) => "unknown".to_owned(),
    }
}

/// Why a change is asked for, `reason=…`; empty where the query does not say.
pub(super) fn reason(query: &Query) -> String {
    query.parameters().get("reason").unwrap_or_default().chars().take(MOST_REASON).collect()
}

/// Who sent a query, as far as it says.
pub(super) fn asker(query: &Query) -> String {
    query.source_info().map_or_else(|| "unknown".to_owned(), |source| source.source_id().zid().to_string())
}

/// The part that a sample announces on the key `own`: its number, if it has one.
pub(super) fn triggered(own: &str, sample: &Sample) -> Result<Option<u64>, Refused> {
    if sample.kind() != SampleKind::Put {
        return Err(Refused::Delete);
    }
    exact(own, sample.key_expr().as_str())?;
    trigger_intent(&sample.payload().to_bytes())
}

/// Whether a query on `own` asks to release the line: false for a mere look.
pub(super) fn released(own: &str, query: &Query) -> Result<bool, Refused> {
    let asked = query.key_expr().as_str();
    let parameter = query.parameters().get("release").map(str::to_owned);
    let payload = query.payload().map(|p| p.to_bytes().into_owned()).unwrap_or_default();
    // The words of another key's intent are none here.
    let wanted = release_intent(parameter.as_deref(), &payload);
    if asked != own {
        return match wanted {
            Ok(true) => exact(own, asked).map(|()| false),
            _ => Ok(false),
        };
    }
    wanted.and_then(|wanted| if wanted { Ok(true) } else { Err(Refused::NoIntent(RELEASE)) })
}

/// The threshold that a query on `own` asks for; `None` if it only reads.
pub(super) fn wanted_threshold(own: &str, query: &Query) -> Result<Option<f32>, Refused> {
    let asked = query.key_expr().as_str();
    let parameter = query.parameters().get("set").map(str::to_owned);
    let payload = query.payload().map(|p| p.to_bytes().into_owned()).unwrap_or_default();
    let wanted = threshold_intent(parameter.as_deref(), &payload);
    if asked == own {
        return wanted;
    }
    match wanted {
        Ok(Some(_)) => exact(own, asked).map(|()| None),
        _ => Ok(None),
    }
}

/// The recipe that a query on `own` asks for, by name or number; `None` if it only reads.
pub(super) fn wanted_recipe(own: &str, query: &Query) -> Result<Option<String>, Refused> {
    let asked = query.key_expr().as_str();
    let parameter = query.parameters().get("set").map(str::to_owned);
    let payload = query.payload().map(|p| p.to_bytes().into_owned()).unwrap_or_default();
    let wanted = recipe_intent(parameter.as_deref(), &payload);
    if asked == own {
        return wanted;
    }
    match wanted {
        Ok(Some(_)) => exact(own, asked).map(|()| None),
        _ => Ok(None),
    }
}

/// Says on how the line is released.
pub(super) const RELEASE: &str = "releasing the line needs the payload {\"release\": true}";

fn exact(own: &str, asked: &str) -> Result<(), Refused> {
    if asked == own { Ok(()) } else { Err(Refused::NotExact { asked: asked.to_owned(), own: own.to_owned() }) }
}

/// `{"trigger": true}`, `{"id": 12}` or both.
fn trigger_intent(payload: &[u8]) -> Result<Option<u64>, Refused> {
    let refused = || Refused::NoIntent("announcing a part needs the payload {\"trigger\": true} or {\"id\": NUMBER}");
    let value = object(payload).ok_or_else(refused)?;
    match (value.get("trigger"), value.get("id")) {
        (None | Some(Value::Bool(true)), Some(id)) => id.as_u64().map(Some).ok_or_else(refused),
        (Some(Value::Bool(true)), None) => Ok(None),
        _ => Err(refused()),
    }
}

/// `?release=true` or `{"release": true}`; false if there is neither.
fn release_intent(parameter: Option<&str>, payload: &[u8]) -> Result<bool, Refused> {
    match (parameter, payload.is_empty()) {
        (Some("true"), true) => Ok(true),
        (None, true) => Ok(false),
        (None | Some("true"), false)
            if object(payload).is_some_and(|v| v.get("release") == Some(&Value::Bool(true))) =>
        {
            Ok(true)
        }
        _ => Err(Refused::NoIntent(RELEASE)),
    }
}

/// `?set=12.5` or `{"set": 12.5}`.
fn threshold_intent(parameter: Option<&str>, payload: &[u8]) -> Result<Option<f32>, Refused> {
    if let Some(text) = parameter {
        return text.parse().map(Some).map_err(|_| Refused::NotANumber(text.to_owned()));
    }
    if payload.is_empty() {
        return Ok(None);
    }
    let refused = || Refused::NoIntent("changing the threshold needs ?set=NUMBER or the payload {\"set\": NUMBER}");
    let value = object(payload).ok_or_else(refused)?;
    value.get("set").and_then(Value::as_f64).map(|v| Some(v as f32)).ok_or_else(refused)
}

/// `?set=lid-500`, `{"set": "lid-500"}` or `{"set": 7}`.
fn recipe_intent(parameter: Option<&str>, payload: &[u8]) -> Result<Option<String>, Refused> {
    if let Some(text) = parameter {
        return Ok(Some(text.to_owned()));
    }
    if payload.is_empty() {
        return Ok(None);
    }
    let refused = || Refused::NoIntent("changing the recipe needs ?set=NAME or the payload {\"set\": \"NAME\"}");
    match object(payload).ok_or_else(refused)?.get("set") {
        Some(Value::String(name)) => Ok(Some(name.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        _ => Err(refused()),
    }
}

fn object(payload: &[u8]) -> Option<Value> {
    (payload.len() <= MOST).then(|| serde_json::from_slice::<Value>(payload).ok()).flatten().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_announced_in_words_only() {
        assert_eq!(trigger_intent(b"{\"id\": 12}"), Ok(Some(12)));
        assert_eq!(trigger_intent(b"{\"trigger\": true}"), Ok(None));
        assert_eq!(trigger_intent(b"{\"trigger\": true, \"id\": 3}"), Ok(Some(3)));
        let none: [&[u8]; 9] = [
            b"",
            b"{}",
            b"12",
            b"true",
            b"{\"trigger\": false}",
            b"{\"trigger\": false, \"id\": 3}",
            b"{\"trigger\": 1}",
            b"{\"id\": -1}",
            b"{\"release\": true}",
        ];
        for payload in none {
            let why = trigger_intent(payload).unwrap_err().to_string();
            assert!(why.contains("\"trigger\": true"), "{why}");
        }
        let long = format!("{{\"id\": 1, \"x\": \"{}\"}}", "x".repeat(2000));
        assert!(trigger_intent(long.as_bytes()).is_err());
    }

    #[test]
    fn a_line_is_released_in_words_only() {
        assert_eq!(release_intent(None, b"{\"release\": true}"), Ok(true));
        assert_eq!(release_intent(Some("true"), b""), Ok(true));
        assert_eq!(release_intent(None, b""), Ok(false));
        for (parameter, payload) in
            [(None, "{\"release\": false}"), (None, "true"), (Some("false"), ""), (Some("true"), "{}"), (Some(""), "")]
        {
            assert_eq!(release_intent(parameter, payload.as_bytes()), Err(Refused::NoIntent(RELEASE)), "{payload}");
        }
    }

    #[test]
    fn a_recipe_is_named_or_numbered() {
        assert_eq!(recipe_intent(Some("lid"), b""), Ok(Some("lid".to_owned())));
        assert_eq!(recipe_intent(None, b"{\"set\": \"lid\"}"), Ok(Some("lid".to_owned())));
        assert_eq!(recipe_intent(None, b"{\"set\": 7}"), Ok(Some("7".to_owned())));
        assert_eq!(recipe_intent(None, b""), Ok(None));
        for payload in ["lid", "7", "{}", "{\"set\": true}", "{\"recipe\": \"lid\"}"] {
            let why = recipe_intent(None, payload.as_bytes()).unwrap_err().to_string();
            assert!(why.contains("?set=NAME"), "{why}");
        }
    }

    #[test]
    fn a_threshold_is_a_number_that_is_named_so() {
        assert_eq!(threshold_intent(Some("12.5"), b""), Ok(Some(12.5)));
        assert_eq!(threshold_intent(None, b"{\"set\": 7.5}"), Ok(Some(7.5)));
        assert_eq!(threshold_intent(None, b""), Ok(None));
        for payload in ["7.5", "{\"value\": \"7\"}", "{\"set\": \"7\"}", "{}", "nonsense"] {
            assert!(
                threshold_intent(None, payload.as_bytes()).unwrap_err().to_string().contains("\"set\": NUMBER"),
                "{payload}"
            );
        }
    }
}
