//! Thresholds that somebody may want, in a table: what each rejects, how many good parts and how many bad ones, with intervals.

use maud::{Markup, html};

use super::Scene;
use super::review::interval;
use crate::page::kept::{PointAim, Trial};
use crate::page::numbers::{real, share, whole};

/// The table; each row is tried by one touch.
pub(super) fn operating(scene: Scene<'_>, trial: &Trial) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let aim = |aim| match aim {
        PointAim::InForce => t.in_force.to_owned(),
        PointAim::AtMost(percent) => t.point_share.replace("{}", &format!("{percent}\u{202f}%")),
        PointAim::AllBad => t.point_all_bad.to_owned(),
        PointAim::FewestMistakes => t.point_fewest.to_owned(),
    };
    let query = format!("/whatif?camera={}&span={}", trial.camera, trial.stretch.word());
    html! {
        section #operating.panel {
            h2 { (t.points_word) }
            div.scroll tabindex="0" role="region" aria-label=(t.points_word) { table.list.results {
                thead { tr {
                    th scope="col" { (t.threshold) } th scope="col" { (t.point_aim) } th scope="col" { (t.point_rejected) }
                    th scope="col" { (t.good_rejected) } th scope="col" { (t.bad_found) }
                } }
                tbody {
                    @for point in &trial.points {
                        @let value = trial.thresholds.get(point.step).copied().unwrap_or(trial.in_force);
                        tr {
                            th scope="row" { a.button href={ (query) "&at=" (point.step) } aria-current=[(point.step == trial.at).then_some("true")] {
                                (real(f64::from(value), 2, language))
                            } }
                            td { (aim(point.aim)) }
                            td { b { (share(point.rejected[0], point.rejected[1], language)) } span.small { " " (whole(point.rejected[0])) " / " (whole(point.rejected[1])) } }
                            td { (interval(point.good, language)) }
                            td { (interval(point.bad, language)) }
                        }
                    }
                }
            } }
            p.small { (t.points_hint) }
        }
    }
}
