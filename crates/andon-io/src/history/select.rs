//! From a filter to SQL: what the rows have to fulfil, and the index that finds them with the least reading.

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::columns::WordKind;
use super::facts::OutcomeKind;
use super::filter::{Band, Filter, Order, ParameterError, ReviewState};
use super::reader::HistoryError;
use super::schema::NEAR_MISS;

/// Rows that are fetched by their number or ratio and then sorted at most; with more, walking along the time finds a page sooner.
const SORTED: i64 = 30_000;
/// The reason of every part that passed.
const PASSED: &str = "under_threshold";
/// Names that an error lists at most.
const NAMED: i64 = 20;

/// Conditions and their values.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    terms: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    pub fn term(&mut self, term: impl Into<String>) {
        self.terms.push(term.into());
    }

    pub fn value(&mut self, term: &str, value: impl Into<Value>) {
        self.terms.push(term.to_owned());
        self.values.push(value.into());
    }

    fn one_of(&mut self, column: &str, values: impl IntoIterator<Item = i64>) {
        let list: Vec<String> = values.into_iter().map(|v| v.to_string()).collect();
        self.terms.push(format!("{column} IN ({})", list.join(", ")));
    }

    fn band(&mut self, column: &str, band: Band) {
        if let Some(min) = band.min {
            self.value(&format!("{column} >= ?"), min);
        }
        if let Some(max) = band.max {
            self.value(&format!("{column} <= ?"), max);
        }
    }

    /// `WHERE …`, or nothing.
    pub fn sql(&self) -> String {
        if self.terms.is_empty() { String::new() } else { format!("WHERE {}", self.terms.join(" AND ")) }
    }

    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }
}

/// The words of these texts; the time that verdicts with them span.
struct Words {
    ids: Vec<i64>,
    first: i64,
    last: i64,
}

fn words(connection: &Connection, kind: WordKind, parameter: &str, texts: &[String]) -> Result<Words, HistoryError> {
    let mut found = Words { ids: Vec::new(), first: i64::MAX, last: i64::MIN };
    let by_blake3 = kind == WordKind::Model;
    let sql = "SELECT id, first, last FROM word WHERE kind = ?1 AND (text = ?2 OR (?3 AND length(?2) >= 6 AND substr(more, 1, length(?2)) = ?2))";
    let mut statement = connection.prepare_cached(sql)?;
    for text in texts {
        let before = found.ids.len();
        let mut rows = statement.query(params![kind as i64, text, by_blake3])?;
        while let Some(row) = rows.next()? {
            found.ids.push(row.get(0)?);
            found.first = found.first.min(row.get(1)?);
            found.last = found.last.max(row.get(2)?);
        }
        if found.ids.len() == before {
            let mut statement = connection
                .prepare_cached("SELECT DISTINCT text FROM word WHERE kind = ?1 ORDER BY last DESC LIMIT ?2")?;
            let known = statement.query_map(params![kind as i64, NAMED], |r| r.get::<_, String>(0))?;
            let known: Vec<String> = known.collect::<Result<_, _>>()?;
            let known: Vec<String> = known.iter().map(|k| k.escape_debug().to_string()).collect();
            let why = match known.is_empty() {
                true => "the history has none yet".to_owned(),
                false => format!("not in the history, which has {}", known.join(", ")),
            };
            return Err(ParameterError::new(parameter, text, why).into());
        }
    }
    Ok(found)
}

/// Lower and upper end in time, both included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub first: i64,
    pub last: i64,
}

impl Span {
    pub fn of(filter: &Filter) -> Span {
        let last = filter.to.map_or(i64::MAX, |to| to.saturating_sub(1));
        Span { first: filter.from.unwrap_or(i64::MIN), last }
    }

    fn narrow(&mut self, words: &Words) {
        (self.first, self.last) = (self.first.max(words.first), self.last.min(words.last));
    }

    pub fn add_to(&self, conditions: &mut Conditions) {
        if self.first > i64::MIN {
            conditions.value("t >= ?", self.first);
        }
        if self.last < i64::MAX {
            conditions.value("t <= ?", self.last);
        }
    }
}

/// Conditions on verdicts, and the index to find them by.
pub(super) struct VerdictSelect {
    pub conditions: Conditions,
    pub index: &'static str,
}

/// What verdicts of the filter fulfil.
pub(super) fn verdicts(connection: &Connection, filter: &Filter) -> Result<VerdictSelect, HistoryError> {
    let mut c = Conditions::default();
    let mut span = Span::of(filter);
    let mut by =
        |c: &mut Conditions, column: &str, kind, parameter: &str, texts: &[String]| -> Result<usize, HistoryError> {
            if texts.is_empty() {
                return Ok(0);
            }
            let found = words(connection, kind, parameter, texts)?;
            span.narrow(&found);
            let count = found.ids.len();
            c.one_of(column, found.ids);
            Ok(count)
        };
    let cameras = by(&mut c, "camera", WordKind::Camera, "camera", &filter.cameras)?;
    by(&mut c, "lane", WordKind::Lane, "lane", &filter.lanes)?;
    by(&mut c, "boot", WordKind::Boot, "boot", &filter.boots)?;
    by(&mut c, "recipe", WordKind::Recipe, "recipe", &filter.recipes)?;
    by(&mut c, "model", WordKind::Model, "model", &filter.models)?;
    by(&mut c, "reason", WordKind::Reason, "reason", &filter.reasons)?;
    span.add_to(&mut c);
    let seq = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let (low, high) = (filter.seq_from.map_or(0, seq), filter.seq_to.map_or(i64::MAX, seq));
    let by_seq = filter.seq_from.is_some() || filter.seq_to.is_some();
    if by_seq {
        c.value("seq >= ?", low);
        c.value("seq <= ?", high);
    }
    // A pass has one reason only, so every other one is of a part that did not pass.
    let without_pass = !filter.outcomes.is_empty() && !filter.outcomes.contains(&OutcomeKind::Pass);
    let not_passed = without_pass || (!filter.reasons.is_empty() && filter.reasons.iter().all(|r| r != PASSED));
    if !filter.outcomes.is_empty() {
        c.one_of("outcome", filter.outcomes.iter().map(|o| o.code()));
    }
    if not_passed {
        c.term("outcome <> 0");
    }
    c.band("score", filter.score);
    c.band("ratio", filter.ratio);
    let by_review = !filter.reviews.is_empty() && !filter.reviews.contains(&ReviewState::None);
    let reviewed = by_review || !filter.defects.is_empty();
    if !filter.reviews.is_empty() {
        c.one_of("review", filter.reviews.iter().map(|r| r.code()));
    }
    if reviewed {
        c.term("review <> 0");
    }
    if !filter.defects.is_empty() {
        of_defects(connection, &filter.defects, &mut c)?;
    }
    let few = |index: &str, of: &str, low: Value, high: Value| -> Result<bool, HistoryError> {
        let sql =
            format!("SELECT count(*) FROM (SELECT 1 FROM verdict INDEXED BY {index} WHERE {of} LIMIT {})", SORTED + 1);
        let rows: i64 = connection.prepare_cached(&sql)?.query_row(params![low, high], |r| r.get(0))?;
        Ok(rows <= SORTED)
    };
    // The index of ratios holds near misses and rejects. A band of scores is one of ratios by the thresholds that were active then.
    let by_score = match filter.score.min {
        Some(least) => lowest_ratio(connection, least, span)?,
        None => None,
    };
    let near = [filter.ratio.min, by_score].into_iter().flatten().filter(|min| *min >= NEAR_MISS).reduce(f64::max);
    let (lowest, highest) = (near.unwrap_or_default(), filter.ratio.max.unwrap_or(f64::MAX));
    if let Some(near) = near {
        c.term("ratio >= 0.85");
        c.value("ratio >= ?", near);
    }
    let index = if reviewed {
        "verdict_reviewed"
    } else if by_seq && few("verdict_seq", "seq >= ?1 AND seq <= ?2", low.into(), high.into())? {
        "verdict_seq"
    } else if near.is_some()
        && few("verdict_ratio", "ratio >= 0.85 AND ratio >= ?1 AND ratio <= ?2", lowest.into(), highest.into())?
    {
        "verdict_ratio"
    } else if not_passed {
        "verdict_not_passed"
    } else if cameras == 1 {
        "verdict_camera"
    } else {
        "verdict_time"
    };
    Ok(VerdictSelect { conditions: c, index })
}

/// What the ratio of a part with this score is at least; none where the file does not know all thresholds of that time.
fn lowest_ratio(connection: &Connection, score: f64, span: Span) -> Result<Option<f64>, HistoryError> {
    /// Ratios and thresholds are rounded to single precision.
    const ROUNDED: f64 = 1e-5;
    let sql = "SELECT max(CAST(text AS REAL)) FROM word WHERE kind = ?1 AND first <= ?3 AND last >= ?2";
    let kind = WordKind::Threshold as i64;
    let largest: Option<f64> =
        connection.prepare_cached(sql)?.query_row(params![kind, span.first, span.last], |r| r.get(0))?;
    // Rows of earlier versions may have thresholds that are no words.
    let all = "SELECT (SELECT min(first) FROM word WHERE kind = ?1) <= \
               (SELECT t FROM verdict INDEXED BY verdict_time WHERE threshold IS NOT NULL ORDER BY t LIMIT 1)";
    let all = match largest {
        Some(_) => connection.prepare_cached(all)?.query_row([kind], |r| r.get::<_, Option<bool>>(0))?,
        None => None,
    };
    Ok(largest.filter(|largest| all == Some(true) && *largest > 0.0).map(|largest| score / largest * (1.0 - ROUNDED)))
}

/// Whether all parts of this time were judged by the filter's models: then the models choose nothing.
pub(super) fn are_all_models(connection: &Connection, filter: &Filter) -> Result<bool, HistoryError> {
    let known = words(connection, WordKind::Model, "model", &filter.models)?;
    let list: Vec<String> = known.ids.iter().map(ToString::to_string).collect();
    let sql = format!(
        "SELECT NOT EXISTS (SELECT 1 FROM word WHERE kind = ?1 AND id NOT IN ({}) AND first <= ?3 AND last >= ?2)",
        list.join(", ")
    );
    let span = Span::of(filter);
    let kind = WordKind::Model as i64;
    Ok(connection.prepare_cached(&sql)?.query_row(params![kind, span.first, span.last], |r| r.get(0))?)
}

/// Parts whose review that counts names one of these kinds of defect.
fn of_defects(connection: &Connection, defects: &[String], c: &mut Conditions) -> Result<(), HistoryError> {
    let known = super::reviews::defects(connection)?;
    if let Some(unknown) = defects.iter().find(|d| !known.contains(d)) {
        let some: Vec<String> = known.iter().take(NAMED as usize).map(|k| k.escape_debug().to_string()).collect();
        let why = match some.is_empty() {
            true => "the history has none yet".to_owned(),
            false => format!("not in the history, which has {}", some.join(", ")),
        };
        return Err(ParameterError::new("defect", unknown, why).into());
    }
    let places = vec!["?"; defects.len()].join(", ");
    c.terms.push(format!("(SELECT defect FROM review r WHERE r.id = verdict.review_id) IN ({places})"));
    c.values.extend(defects.iter().map(|d| Value::from(d.clone())));
    Ok(())
}

/// What lane records of the filter fulfil.
pub(super) fn lane_records(connection: &Connection, filter: &Filter) -> Result<Conditions, HistoryError> {
    let mut c = Conditions::default();
    if !filter.kinds.is_empty() {
        c.one_of("kind", filter.kinds.iter().map(|k| k.code()));
    }
    let lists = [
        ("lane", WordKind::Lane, "lane", &filter.lanes),
        ("boot", WordKind::Boot, "boot", &filter.boots),
        ("what", WordKind::What, "what", &filter.whats),
    ];
    for (column, kind, parameter, texts) in lists {
        if !texts.is_empty() {
            c.one_of(column, words(connection, kind, parameter, texts)?.ids);
        }
    }
    Span::of(filter).add_to(&mut c);
    if let Some(low) = filter.seq_from {
        c.value("seq >= ?", i64::try_from(low).unwrap_or(i64::MAX));
    }
    if let Some(high) = filter.seq_to {
        c.value("seq <= ?", i64::try_from(high).unwrap_or(i64::MAX));
    }
    Ok(c)
}

/// Adds where the page before ended; returns the order.
pub(super) fn go_on(conditions: &mut Conditions, filter: &Filter) -> &'static str {
    let (than, order) = match filter.order {
        Order::Newest => ('<', "ORDER BY t DESC, record DESC"),
        Order::Oldest => ('>', "ORDER BY t, record"),
    };
    if let Some(after) = filter.after {
        conditions.value(&format!("t {than}= ?"), after.t);
        conditions.value(&format!("(t {than} ? OR record {than} ?)"), after.t);
        conditions.values.push(after.record.into());
    }
    order
}

/// The numbers of these cameras and lanes, for the tables of counts.
pub(super) fn places(
    connection: &Connection,
    filter: &Filter,
    conditions: &mut Conditions,
) -> Result<(), HistoryError> {
    if !filter.cameras.is_empty() {
        conditions.one_of("camera", words(connection, WordKind::Camera, "camera", &filter.cameras)?.ids);
    }
    if !filter.lanes.is_empty() {
        conditions.one_of("lane", words(connection, WordKind::Lane, "lane", &filter.lanes)?.ids);
    }
    Ok(())
}

/// Runs a statement with the conditions' values.
pub(super) fn each(
    connection: &Connection,
    sql: &str,
    conditions: &Conditions,
    mut row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(conditions.values()))?;
    while let Some(found) = rows.next()? {
        row(found)?;
    }
    Ok(())
}
