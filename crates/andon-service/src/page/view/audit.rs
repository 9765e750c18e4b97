//! The audit, newest first.

use maud::{Markup, html};

use super::Scene;
use crate::accounts::AuditEntry;
use crate::page::numbers::day_of;

/// The page; `older` is the number of the entry at which an older page goes on.
pub(in crate::page) fn audit(scene: Scene<'_>, entries: &[AuditEntry], older: Option<i64>) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    html! {
        h1 { (t.audit) }
        section.panel {
            p.keys { a.button href="/audit.csv" { "CSV" } a.button href="/audit.json" { "JSON" } a.button href="/users" { (t.users) } }
            div.scroll tabindex="0" role="region" aria-label=(t.audit) { table.list {
                thead { tr {
                    @for head in [t.when, t.who, t.what, t.where_, t.before, t.after, t.why] { th scope="col" { (head) } }
                } }
                tbody {
                    @for e in entries {
                        tr class=[(!e.done).then_some("refused")] {
                            td { (day_of(&e.at, language)) }
                            td { (e.user) span.small { " " (e.role) ", " (e.via) } }
                            td { (e.act) @if !e.done { " " b { (t.refused) } } }
                            td { (e.subject) } td { (e.before) } td { (e.after) } td { (e.reason) }
                        }
                    }
                }
            } }
            @if let Some(older) = older { p.keys { a.button href={ "/audit?before=" (older) } { (t.older) " →" } } }
        }
    }
}
