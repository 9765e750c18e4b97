//! Parts of the history by a filter that is typed into a form.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::ask::ask;
use crate::page::routes::{WithStatus, show};
use crate::page::site::Site;
use crate::page::view::{self, Place};
use andon_io::history::{Filter, HistoryError, ParameterError, ShiftCalendar};

/// Parts on a page.
const PARTS: u32 = 200;

/// The fields of the form, as they came: what is not understood is shown again beside its error.
#[derive(Clone, Debug, Default)]
pub(in crate::page) struct ListFilter(Vec<(String, String)>);

impl ListFilter {
    /// The fields that the form has.
    const FIELDS: [&'static str; 9] =
        ["from", "to", "camera", "outcome", "reason", "ratio_from", "ratio_to", "review", "defect"];

    /// The fields of an address; empty ones and unknown ones are left out.
    pub(super) fn of(pairs: Vec<(String, String)>) -> ListFilter {
        let asked = |(name, value): &(String, String)| {
            !value.trim().is_empty() && (Self::FIELDS.contains(&name.as_str()) || name == "after")
        };
        ListFilter(pairs.into_iter().filter(asked).collect())
    }

    /// The value of a field; empty without one.
    pub fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The address of this list, with another cursor or none.
    pub fn address(&self, path: &str, after: Option<&str>) -> String {
        let fields = self.0.iter().filter(|(name, _)| name != "after").map(|(n, v)| (n.as_str(), v.as_str()));
        let all: Vec<(&str, &str)> = fields.chain(after.map(|after| ("after", after))).collect();
        let query = serde_urlencoded::to_string(all).unwrap_or_default();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    /// The filter of the history.
    ///
    /// # Errors
    /// [`ParameterError`] of the first field that cannot be used.
    pub(super) fn filter(&self, calendar: &ShiftCalendar) -> Result<Filter, ParameterError> {
        let mut filter = Filter::default();
        for (name, value) in &self.0 {
            match name.as_str() {
                // One name each: it may hold a comma.
                "camera" => filter.cameras = vec![value.clone()],
                "reason" => filter.reasons = vec![value.clone()],
                "defect" => filter.defects = vec![value.clone()],
                "ratio_from" | "ratio_to" => {}
                name => filter.set(name, value.trim(), calendar)?,
            }
        }
        let ends = [self.value("ratio_from"), self.value("ratio_to")].map(|end| end.trim().replace(',', "."));
        if ends.iter().any(|end| !end.is_empty()) {
            filter.set("ratio", &format!("{}..{}", ends[0], ends[1]), calendar)?;
            // Percent on the page, shares in the history.
            filter.ratio.min = filter.ratio.min.map(|n| n / 100.0);
            filter.ratio.max = filter.ratio.max.map(|n| n / 100.0);
        }
        filter.check()?;
        Ok(filter)
    }
}

pub(super) async fn history(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let asked = ListFilter::of(pairs);
    let fields = asked.clone();
    let answer = ask(&site, move |access| {
        let defects = access.history.defects()?;
        let page = fields.filter(access.history.calendar()).map_err(HistoryError::from);
        let page = page.and_then(|f| access.history.query(&Filter { limit: Some(PARTS), ..f }));
        match page {
            Err(HistoryError::Parameter(wrong)) => Ok((defects, Err(wrong))),
            page => Ok((defects, Ok(page?))),
        }
    });
    match answer.await {
        Ok((defects, page)) => show(&site, &head, 0, Place::History, |scene| {
            (scene.visitor.t.history.to_owned(), view::history(scene, &asked, &defects, page.as_ref()))
        })
        .with_status(if page.is_ok() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }),
        Err(why) => why.page(&site, &head, Place::History),
    }
}
