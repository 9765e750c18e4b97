//! English.

use super::Texts;
use andon_core::{EventKind, Reason};

pub(super) const TEXTS: Texts = Texts {
    pass: "PASS",
    reject: "REJECT",
    uninspected: "UNINSPECTED",
    error: "ERROR",
    viewer: "viewer",
    operator: "operator",
    leader: "leader",
    quality: "quality",
    admin: "admin",
    running: "running",
    down: "gives no pictures",
    ended: "ended",
    starting: "starting",
    skip: "Skip to the contents",
    pages: "Pages",
    live: "Live",
    alarms: "Alarms",
    unseen: "unseen",
    threshold: "Threshold",
    system: "System",
    audit: "Audit",
    users: "Users",
    log_in: "Log in",
    log_out: "Log out",
    name: "Name",
    password: "PIN or password",
    idle_hint: "You are logged out after 15 minutes without a touch.",
    no_users: "There is no user yet, so this page only shows. An administrator makes the first one on the box:",
    look: "Appearance and language",
    dark: "Dark",
    light: "Light",
    veil_since: "No connection since",
    veil_old: "What is shown below is old. This page connects by itself as soon as the box answers.",
    encoder: "the encoder",
    camera: "camera",
    ejector: "ejector",
    output: "output",
    input: "input",
    simulated: "simulated",
    acknowledge: "Acknowledge",
    log_in_to_acknowledge: "Log in to acknowledge",
    since: "since",
    over: "over",
    standing: "still there",
    seen_by: "seen by",
    last: "last",
    line_stop_stands: "The line is asked to stop",
    release_hint: "It stays so until somebody releases it.",
    release: "Release the line …",
    release_now: "Release now",
    release_warning: "Make sure that the cause is removed and that nobody reaches into the machine.",
    no_line_stop: "The line is not asked to stop; there is nothing to release.",
    back: "Back",
    no_alarms: "No alarms.",
    log: "What happened",
    log_empty: "Nothing out of the ordinary since the start.",
    when: "when",
    what: "what",
    where_: "where",
    count: "how often",
    who: "who",
    why: "why",
    before: "before",
    after: "after",
    refused: "refused",
    role_word: "role",
    users_hint: "Users are added on the box:",
    needs_role: "This needs the role",
    part: "part",
    score: "score",
    of: "of threshold",
    of_threshold: "of the threshold",
    no_score: "no score",
    nearest: "Looks most like",
    regions: "places",
    no_pictures: "No pictures are kept:",
    no_picture: "There is no picture of this part.",
    heatmap: "Heatmap",
    heat_less: "weaker heatmap",
    heat_more: "stronger heatmap",
    no_part_yet: "No part yet",
    no_part_hint: "The last rejected part is shown here, and stays until the next one.",
    counters: "Parts since the start",
    since_start: "Since start",
    parts: "parts",
    share: "share",
    offered: "offered",
    on_the_way: "on the way",
    trend_title: "Rejects and scores, 2 hours",
    trend_rejects: "rejects in 10 min",
    trend_median: "good parts, median (right)",
    trend_p99: "99 % (right)",
    time_left: "Time left",
    ejected_missed: "Ejected / missed",
    good_scores: "Good, median / 99 %",
    rejects_10_min: "Rejects, 10 min",
    records: "Records",
    fine: "fine",
    troubles: "troubles",
    strip: "The last parts that did not pass",
    strip_empty: "No part has failed to pass since the start.",
    newer: "Newer",
    older: "Older",
    in_force: "in force",
    models_own: "the model's own",
    new_threshold: "New threshold",
    until_restart: "Holds from the next part until the next start of andon. It stands in the audit.",
    set_threshold: "Set the threshold",
    boxes: "This box",
    version: "Version",
    box_word: "Box",
    line_word: "Line",
    refused_requests: "Requests refused",
    failed_logins: "Logins refused",
    viewers: "Viewers",
    state: "State",
    model: "Model",
    hash: "blake3",
    engine: "Engine",
    degraded: "Works with less than asked for",
    yes: "yes",
    no: "no",
    latency: "Capture to verdict, median / 99 %",
    restarts: "Restarts of camera / detector",
    sink: "way out",
    taken: "taken",
    shed: "shed",
    waiting: "waiting",
    set_aside: "set aside",
    trouble: "trouble",
    not_there: "Not there",
    part_gone: "This part is not kept any more. Only the last parts that did not pass are.",
    form_old: "This form is too old, or came from another page. Open it again and repeat.",
    not_a_number: "The threshold has to be a number above 0.",
    event,
    reason,
};

fn event(kind: EventKind) -> [&'static str; 2] {
    match kind {
        EventKind::DuplicateTrigger => {
            ["Trigger came twice", "Look whether the sensor bounces, and at parts.min_pitch_mm."]
        }
        EventKind::FrameWithoutPart => [
            "Picture without a part",
            "A trigger was missed, or the camera fired by itself: check the sensor and its cable.",
        ],
        EventKind::TriggerWithoutFrame => ["Part without a picture", "Check the camera's trigger cable and its light."],
        EventKind::EncoderSilent => {
            ["Parts come and the encoder stands still", "Check the encoder's coupling, cable and supply."]
        }
        EventKind::EncoderReset => {
            ["The encoder's count jumped", "Positions were bridged. If it comes again, check cable and shield."]
        }
        EventKind::EncoderLost => ["The encoder cannot be read", "Check its cable and supply."],
        EventKind::EncoderBack => ["The encoder works again", "Nothing to do."],
        EventKind::CameraDown => {
            ["The camera gives no pictures", "Its parts end as UNINSPECTED. Check its supply and network cable."]
        }
        EventKind::CameraBack => ["The camera gives pictures again", "Nothing to do."],
        EventKind::ConsecutiveRejects => {
            ["Many rejects in a row", "Look at the last rejects: is it the parts, the light, or the camera's place?"]
        }
        EventKind::RejectShare => {
            ["Too many rejects", "Look at the last rejects: is it the parts, the light, or the camera's place?"]
        }
        EventKind::StuckOn => ["An output was on too long", "It was switched off. Check the valve and max_on_ms."],
        EventKind::OverDuty => {
            ["An output was on too often", "It was switched off to protect the valve. Wait, then release."]
        }
        EventKind::RejectUnconfirmed => [
            "A reject was not seen leaving",
            "Look for the part on the belt. Check air pressure and the sensor behind the ejector.",
        ],
        EventKind::ConfirmUnexpected => ["Something left that was not ejected", "Check the sensor behind the ejector."],
        EventKind::OutputFault => {
            ["An output does not do what it is told", "Check 24 V, cable and the module's address."]
        }
        EventKind::OutputBack => ["The output works again", "Nothing to do."],
        EventKind::InputFault => ["An input cannot be read", "Check 24 V, cable and the module's address."],
        EventKind::InputBack => ["The input works again", "Nothing to do."],
        EventKind::MissedEjection => [
            "A part went past its ejector",
            "Take it off by hand. Check the distance to the ejector and the belt's speed.",
        ],
        EventKind::LineStop => ["LINE STOP", "Remove the cause, then release the line."],
        EventKind::LineReleased => ["The line was released", "Nothing to do."],
    }
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::UnderThreshold => "Nothing odd was found.",
        Reason::OverThreshold => "It differs too much from good parts.",
        Reason::Overflow => "Not inspected: parts came faster than they can be judged.",
        Reason::Late => "Not inspected in time.",
        Reason::FrameMissing => "The camera gave no picture of it.",
        Reason::Stopped => "The line was stopped before it was judged.",
        Reason::BadFrame => "The picture is damaged.",
        Reason::WrongSize => "The picture has another size than those learned from.",
        Reason::NonFiniteScore => "The score is not a number.",
        Reason::EngineFault => "The engine failed; it is being rebuilt.",
        Reason::StagePanic => "The inspection failed; it is being restarted.",
        Reason::WrongKind => "The picture has another kind than those learned from.",
        Reason::NotAligned => "The part lies in no pose that was learned.",
        Reason::Borderline => "Just under the threshold: somebody should look at it.",
    }
}
