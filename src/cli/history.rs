//! `andon history`: asks the history what became of parts.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::exit::{Exit, Failure};
use super::history_table::{Form, print, print_part};
use super::output;
use super::progress::Progress;
use crate::config;
use andon_io::history::{Filter, History, HistoryError, Page, Period, ShiftCalendar, migrate};

/// The line in `andon --help`.
pub(super) const ABOUT: &str = "What became of parts: asks the history of [store], also while the line runs";

/// `andon history`: parts that fit the flags, newest first.
///
/// Lists are separated by commas; ranges are LOW..HIGH with either end left out, or one number. Times are RFC 3339, local dates and times
/// (2026-11-30, 2026-11-30T06:00, in the zone of [shifts]) or how long ago (8h, 7d).
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct HistoryCommand {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    filter: FilterFlags,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Counted parts: offered = pass + reject + uninspected + error, by hour, shift or batch. They outlive the rows.
    Counters {
        /// What they are counted by.
        #[arg(long, value_enum, default_value_t = By::Shift)]
        by: By,
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        place: PlaceFlags,
        #[command(flatten)]
        form: Form,
    },
    /// Everything about one part: its verdict as it went out, other cameras, ejections, events, reviews.
    Part {
        /// The id of its verdict.
        id: String,
        #[command(flatten)]
        file: File,
    },
    /// Bring a file of an earlier version up to date at once; `andon run` does it while the line runs.
    Migrate {
        #[command(flatten)]
        file: File,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Hour,
    Shift,
    Batch,
}

#[derive(Debug, Args)]
struct File {
    /// The configuration whose [store] and [shifts] are taken; without it, `andon.toml` in this folder if there is one.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The history file itself, in place of the configuration's store.path.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Default, Args)]
struct PlaceFlags {
    /// From this moment on.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this moment.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Cameras by name.
    #[arg(long, value_name = "NAMES")]
    camera: Option<String>,
    /// Lanes by name.
    #[arg(long, value_name = "NAMES")]
    lane: Option<String>,
    /// Rows at most, up to 1000; 100 without it.
    #[arg(long, value_name = "N")]
    limit: Option<String>,
}

#[derive(Debug, Args)]
struct FilterFlags {
    #[command(flatten)]
    place: PlaceFlags,
    /// Part numbers.
    #[arg(long, value_name = "RANGE")]
    seq: Option<String>,
    /// Starts of the program, by their id: part numbers count within one.
    #[arg(long, value_name = "IDS")]
    boot: Option<String>,
    /// Recipes by name.
    #[arg(long, value_name = "NAMES")]
    recipe: Option<String>,
    /// Models by name, or by six or more digits of their blake3.
    #[arg(long, value_name = "NAMES")]
    model: Option<String>,
    /// pass, reject, uninspected, error.
    #[arg(long, value_name = "LIST")]
    outcome: Option<String>,
    /// Reasons by their codes, such as over_threshold.
    #[arg(long, value_name = "LIST")]
    reason: Option<String>,
    /// Scores, in the units of the threshold.
    #[arg(long, value_name = "RANGE")]
    score: Option<String>,
    /// Scores as shares of their threshold: 0.85.. are near misses and rejects.
    #[arg(long, value_name = "RANGE")]
    ratio: Option<String>,
    /// What people said: none, bad, good, unsure.
    #[arg(long, value_name = "LIST")]
    review: Option<String>,
    /// Kinds of defect that people gave in their reviews.
    #[arg(long, value_name = "NAMES")]
    defect: Option<String>,
    /// Kind of record: verdict, or part, eject, event (a list of these three).
    #[arg(long, value_name = "LIST")]
    kind: Option<String>,
    /// With --kind: ejectors and kinds of events.
    #[arg(long, value_name = "NAMES")]
    what: Option<String>,
    /// newest or oldest first.
    #[arg(long, value_name = "WHICH")]
    order: Option<String>,
    /// Go on behind an earlier page.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

impl PlaceFlags {
    fn pairs(&self) -> [(&'static str, Option<&String>); 5] {
        let PlaceFlags { from, to, camera, lane, limit } = self;
        [("from", from), ("to", to), ("camera", camera), ("lane", lane), ("limit", limit)].map(|(n, v)| (n, v.as_ref()))
    }

    fn filter(&self, calendar: &ShiftCalendar) -> Result<Filter, HistoryError> {
        let given = self.pairs().into_iter().filter_map(|(name, value)| Some((name, value?.as_str())));
        Ok(Filter::parse(given, calendar)?)
    }
}

impl FilterFlags {
    fn filter(&self, calendar: &ShiftCalendar) -> Result<Filter, HistoryError> {
        let own = [
            ("seq", &self.seq),
            ("boot", &self.boot),
            ("recipe", &self.recipe),
            ("model", &self.model),
            ("outcome", &self.outcome),
            ("reason", &self.reason),
            ("score", &self.score),
            ("ratio", &self.ratio),
            ("review", &self.review),
            ("defect", &self.defect),
            ("kind", &self.kind),
            ("what", &self.what),
            ("order", &self.order),
            ("after", &self.after),
        ];
        let all = self.place.pairs().into_iter().chain(own.map(|(name, value)| (name, value.as_ref())));
        Ok(Filter::parse(all.filter_map(|(name, value)| Some((name, value?.as_str()))), calendar)?)
    }
}

impl File {
    fn open(&self) -> Result<History, Failure> {
        let usual = PathBuf::from("andon.toml");
        let file = self.config.clone().or_else(|| (usual.exists() && self.file.is_none()).then_some(usual));
        let loaded = config::load(file.as_deref(), config::environment(), &[]).map_err(Failure::config)?;
        let path = self.file.as_ref().unwrap_or(&loaded.config.sinks.store.path);
        Ok(History::new(path, loaded.config.shifts))
    }
}

impl HistoryCommand {
    pub fn run(self) -> Result<Exit, Failure> {
        match self.action {
            None => {
                let history = self.file.open()?;
                let filter = self.filter.filter(history.calendar()).map_err(failure)?;
                if filter.kinds.is_empty() {
                    let page = history.query(&filter).map_err(failure)?;
                    print(&page.rows, &self.form)?;
                    say_what_is_left(&page);
                } else {
                    let page = history.events(&filter).map_err(failure)?;
                    print(&page.rows, &self.form)?;
                    say_what_is_left(&page);
                }
            }
            Some(Action::Counters { by, file, place, form }) => {
                let history = file.open()?;
                let period = match by {
                    By::Hour => Period::Hour,
                    By::Shift => Period::Shift,
                    By::Batch => Period::Batch,
                };
                let filter = place.filter(history.calendar()).map_err(failure)?;
                let rows = history.counters(period, &filter).map_err(failure)?;
                print(&rows, &form)?;
                if rows.len() >= filter.limit() as usize {
                    let last = rows.last().map_or(String::new(), |r| r.time.clone());
                    output::note(&format!(
                        "{} rows, the limit; older ones: --to {last}, or a higher --limit",
                        rows.len()
                    ));
                }
            }
            Some(Action::Part { id, file }) => {
                let history = file.open()?;
                let Some(part) = history.part(&id).map_err(failure)? else {
                    let id: String = id.chars().take(40).flat_map(char::escape_debug).collect();
                    return Err(anyhow::anyhow!(
                        "{}: no part with the id {id}; `andon history` lists ids",
                        history.path().display()
                    )
                    .into());
                };
                print_part(&part)?;
            }
            Some(Action::Migrate { file }) => {
                let history = file.open()?;
                if !history.path().exists() {
                    return Err(failure(HistoryError::Missing(history.path().to_owned())));
                }
                let progress = Progress::new();
                progress.set_message("rows get columns");
                let mut all = 0;
                migrate(history.path(), history.calendar().clone(), |waiting| {
                    if waiting > all {
                        all = waiting;
                        progress.set_length(all);
                    }
                    progress.set_position(all.saturating_sub(waiting));
                    true
                })?;
                progress.finish_and_clear();
                output::line(&format!("{}: up to date", history.path().display()))?;
            }
        }
        Ok(Exit::Ok)
    }
}

fn failure(error: HistoryError) -> Failure {
    let exit = if matches!(error, HistoryError::Parameter(_)) { Exit::Usage } else { Exit::Failed };
    Failure::new(exit, error)
}

/// What the page does not hold, and how to get it.
fn say_what_is_left<T>(page: &Page<T>) {
    if let Some(next) = page.next {
        output::note(&format!(
            "{} rows, the limit; there are more: --after {next}, or a higher --limit",
            page.rows.len()
        ));
    }
    if page.without_columns > 0 {
        output::note(&format!(
            "up to {} rows of an earlier version are not in this answer yet; `andon run` is at it",
            page.without_columns
        ));
    }
}
