//! The pages as HTML. Everything that comes from outside (names, reasons, texts) goes through maud, which escapes it.

mod aid;
mod alarms;
mod audit;
mod banner;
mod challenge;
mod counted;
mod counters;
mod facts;
mod good;
mod history;
mod icons;
mod kept_part;
mod layout;
mod live;
mod login;
mod message;
mod models;
mod operating;
mod part;
mod picture;
mod recipes;
mod review;
mod strip;
mod system;
mod teach;
mod threshold;
mod threshold_trial;
mod users;
mod whatif;

pub(super) use aid::aid;
pub(super) use alarms::{alarms, alarms_list};
pub(super) use audit::audit;
pub(super) use banner::{banner, navigation, say, unseen};
pub(super) use challenge::{challenge, challenges_now};
pub(super) use counted::counted;
pub(super) use counters::{counters, state};
pub(super) use good::{good, good_state};
pub(super) use history::{history, no_history};
pub(super) use kept_part::kept_part;
pub(super) use layout::{Place, page};
pub(super) use live::{live, verdict};
pub(super) use login::login;
pub(super) use message::message;
pub(super) use models::models;
pub(super) use part::{find, part};
pub(super) use recipes::{change_over, recipes};
pub(super) use review::{review, review_results};
pub(super) use strip::strip;
pub(super) use system::{system, system_body};
pub(super) use teach::{lesson, lesson_state, lessons};
pub(super) use threshold::{in_force, release, threshold};
pub(super) use threshold_trial::threshold_trials;
pub(super) use users::{user, users};
pub(super) use whatif::{flips, whatif};

use super::site::Site;
use super::visitor::Visitor;
use crate::live::Snapshot;

/// What a view is made of.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub site: &'a Site,
    pub now: &'a Snapshot,
    pub visitor: &'a Visitor,
    /// The camera that is looked at, by id.
    pub camera: usize,
}
