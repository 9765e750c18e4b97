//! The languages of the page: one file each. A text that a language lacks does not compile.

mod de;
mod en;

use crate::accounts::AccountError;
use crate::act::ActError;
use andon_core::{EventKind, Outcome, Reason, Role};
use andon_io::history::{HistoryError, OutcomeKind, ReviewState};

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// Every language.
    pub const ALL: [Language; 2] = [Language::En, Language::De];

    /// The code: `en`, `de`.
    pub fn code(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::De => "de",
        }
    }

    /// The language of a code; `None` for any other.
    pub fn of(code: &str) -> Option<Language> {
        Language::ALL.into_iter().find(|language| language.code() == code)
    }

    /// What those who speak it call it.
    pub fn own_name(self) -> &'static str {
        match self {
            Language::En => "English",
            Language::De => "Deutsch",
        }
    }
}

/// The texts of a language.
pub(super) fn texts(language: Language) -> &'static Texts {
    match language {
        Language::En => &en::TEXTS,
        Language::De => &de::TEXTS,
    }
}

/// The texts by their names.
macro_rules! texts {
    ($($name:ident)*) => {
        pub(super) struct Texts {
            $(pub $name: &'static str,)*
            /// What happened, and what to do about it.
            pub event: fn(EventKind) -> [&'static str; 2],
            /// Why a part has its outcome.
            pub reason: fn(Reason) -> &'static str,
            /// Why something was not done.
            pub refusal: fn(&ActError) -> String,
            /// Why users, sessions or the audit cannot be read or changed.
            pub account: fn(&AccountError) -> String,
            /// Why the history gives no answer.
            pub unanswered: fn(&HistoryError) -> String,
        }

        impl Texts {
            /// All of them by name, for the tests.
            #[cfg(test)]
            pub fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }
    };
}

texts! {
    pass reject uninspected error viewer operator leader quality admin running down ended starting skip pages live
    alarms unseen threshold system audit users log_in log_out name password idle_hint no_users look dark light
    veil_since veil_old encoder camera ejector output input simulated acknowledge log_in_to_acknowledge since over
    standing seen_by last line_stop_stands release_hint release release_now release_warning no_line_stop back
    review history whatif whatif_try no_history history_busy really_bad was_good not_sure unreviewed waiting_reviews
    nothing_waits nothing_waits_hint queue_all queue_not_passed queue_near queue_sample defect defect_none defect_new comment take_back conflict
    conflict_hint log_in_to_review results false_rejects misses bad_found by_defect by_shift all_reviewed results_hint last_reviews picture_gone keys_hint
    this_shift last_shift seven_days all_time shift batch hour from to any outcome_word reason_word ratio_word review_word show found_none further
    first_page rows_left batch_start batch_name batch_hint batch_runs no_batch lane whole_lane counters_title ejected_word missed_word rejects_share
    nothing_counted whatif_height known_bad known_good unknown more_rejects per_shift good_rejected would_flip none_flip not_promised tried
    with_score at_threshold other_cameras not_reviewed details_json reviews_of review_this exports by_camera smaller larger old_figures open_counters
    no_scores keep_threshold keep_hint remedy_threshold decisions_word points_word points_hint point_aim point_share point_all_bad point_fewest
    point_rejected trouble_beside trouble_hint aid_marks
    no_alarms log log_empty when what where_ count who why before after refused role_word needs_role
    part score of of_threshold no_score nearest regions no_pictures no_picture heatmap heat_less heat_more no_part_yet
    no_part_hint since_start parts share offered on_the_way trend_title trend_rejects trend_median
    trend_p99 time_left ejected_missed good_scores rejects_10_min records fine troubles strip strip_empty newer
    older in_force models_own new_threshold until_restart set_threshold boxes version box_word line_word
    refused_requests failed_logins viewers state model hash engine degraded yes no latency restarts sink taken shed
    models_word recipes part_was_good good_hint good_try good_running judged_again without_picture score_before score_after would_change none_would_change
    would_pass would_reject defect_passes still_rejected teach teach_hint learned_from_line nothing_learned undo pictures_known file_word in_use
    recipe_number change_over change_hint recipe_fault no_recipes models_hint no_models patches_learned learned_on
    teach_part teach_part_hint how_many collect_pictures collect_good collect_bad good_pictures bad_pictures struck_out being_learned collecting
    enough learn_now learned_word good_rejected_at_most sure no_bad_tried oddest_first oddest_hint strike_out
    waiting set_aside trouble not_there part_gone form_old not_a_number
    user_add user_new user_change user_remove user_remove_hint password_new password_again password_now password_differs password_set role_set
    user_added user_removed role_hint password_rules own_password own_password_hint not_understood
    password_change role_new role_change role_of
    back_up back_up_hint
    trial_runs trial_over trial_superseded trial_instead trial_judged trial_rejected trial_otherwise
    trial_ends trial_end trial_parts trial_start
    challenge challenge_hint challenge_last challenge_none challenge_passed challenge_failed challenge_aborted
    challenge_unseen challenge_runs challenge_due challenge_abort challenge_parts challenge_start
    aid aid_no_picture aid_ended aid_again aid_hint sharpness best of_best sharpness_trend brightness clipped_dark
    clipped_bright pace grid reference reference_half reference_blend reference_none reference_keep forget_best needs_scripts
}

impl Texts {
    /// What a visitor may not, for want of a role.
    pub fn lacks(&self, role: Role) -> String {
        format!("{} {}.", self.needs_role, self.role(role))
    }

    /// The word for an outcome.
    pub fn outcome(&self, outcome: &Outcome) -> &'static str {
        match outcome {
            Outcome::Pass(_) => self.pass,
            Outcome::Reject => self.reject,
            Outcome::Uninspected => self.uninspected,
            Outcome::Error => self.error,
        }
    }

    /// The word for an outcome of the history.
    pub fn outcome_kind(&self, outcome: OutcomeKind) -> &'static str {
        match outcome {
            OutcomeKind::Pass => self.pass,
            OutcomeKind::Reject => self.reject,
            OutcomeKind::Uninspected => self.uninspected,
            OutcomeKind::Error => self.error,
        }
    }

    /// The word for what people said of a part.
    pub fn review_state(&self, state: ReviewState) -> &'static str {
        match state {
            ReviewState::None => self.not_reviewed,
            ReviewState::Bad => self.really_bad,
            ReviewState::Good => self.was_good,
            ReviewState::Unsure => self.not_sure,
        }
    }

    /// Why a part has its outcome, by the reason's code.
    pub fn reason_code<'a>(&self, code: &'a str) -> &'a str {
        Reason::ALL.into_iter().find(|reason| reason.as_str() == code).map_or(code, self.reason)
    }

    /// The word for an outcome, by its word on the wire.
    pub fn outcome_of(&self, word: &str) -> &'static str {
        match word {
            "PASS" => self.pass,
            "REJECT" => self.reject,
            "UNINSPECTED" => self.uninspected,
            _ => self.error,
        }
    }

    /// The word for a role.
    pub fn role(&self, role: Role) -> &'static str {
        match role {
            Role::Viewer => self.viewer,
            Role::Operator => self.operator,
            Role::Leader => self.leader,
            Role::Quality => self.quality,
            Role::Admin => self.admin,
        }
    }

    /// The word for how a camera is, by its word in the statistics.
    pub fn camera_state(&self, state: &str) -> &'static str {
        match state {
            "running" => self.running,
            "down" => self.down,
            "ended" => self.ended,
            _ => self.starting,
        }
    }
}
