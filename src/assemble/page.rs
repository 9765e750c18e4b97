//! The operator's page of a line: its users, its acts, its sink and its server, put together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::backup::backup_plan;
use super::cameras::CameraParts;
use super::error::BuildError;
use super::line_models::{CameraSlot, Models, TaughtParts, taught_recipes};
use super::page_pictures::PagePictures;
use super::pictures::Pictures;
use crate::config::{Config, Loaded, PageLanguage, Recipe};
use andon_core::{Control, Sink};
use andon_io::history::{History, Reviews};
use andon_io::sinks::wire::StationInfo;
use andon_line::runtime::{DetectorSwap, Status};
use andon_service::accounts::{self, Accounts};
use andon_service::act::{AuditedControl, HistoryAccess, LineAccess, Service};
use andon_service::backup::BackupPlan;
use andon_service::live::{Board, page_sink};
use andon_service::models::{Lessons, LineModels};
use andon_service::page::{ChallengeRules, Language, PageOptions, PageServer, PageSpec, TlsFiles};

/// So long may a question take that reads every row of a week.
const PATIENCE: Duration = Duration::from_secs(10);

/// A page that is not served yet: how it is served, and whose acts it takes.
pub struct Page {
    /// Browsers are served; without, it keeps the audit of what comes over Zenoh and Modbus.
    serves: bool,
    options: PageOptions,
    accounts: Arc<Accounts>,
    history: Option<HistoryAccess>,
    /// Where parts that are taught lie, and the program that learns them.
    taught: Option<(PathBuf, PathBuf)>,
    backup: Option<(BackupPlan, PathBuf)>,
}

impl Page {
    /// The page of a configuration, with the users in its file; `None` where the configuration wants no page and nobody changes the line over
    /// Zenoh or Modbus. `file` is the configuration's.
    ///
    /// # Errors
    /// [`BuildError::Accounts`].
    pub fn configured(loaded: &Loaded, file: &Path) -> Result<Option<Page>, BuildError> {
        let c = &loaded.config;
        if !needs_accounts(c) {
            return Ok(None);
        }
        let accounts = Arc::new(Accounts::open(&c.page.database)?);
        let backup = match c.page_enabled.then(|| backup_plan(loaded, Some(file))) {
            // Copies lie beside the users, where this program may write.
            Some(Ok(plan)) => Some((plan, folder_of(&c.page.database))),
            Some(Err(why)) => {
                tracing::error!("the page offers no backup: {why}");
                None
            }
            None => None,
        };
        Ok(Some(Page {
            serves: c.page_enabled,
            options: options(c),
            accounts,
            history: history(c),
            taught: None,
            backup,
        }))
    }

    /// A page of a line that is gone with this program: on a free port of loopback, with users in memory, of whom there are none, and
    /// without a history.
    ///
    /// # Errors
    /// [`BuildError::Accounts`].
    pub fn passing(c: &Config) -> Result<Page, BuildError> {
        let listen = ([127, 0, 0, 1], 0).into();
        let options = PageOptions { listen, tls: None, ..options(c) };
        Ok(Page {
            serves: true,
            options,
            accounts: Arc::new(Accounts::in_memory()?),
            history: None,
            taught: None,
            backup: None,
        })
    }

    /// New parts may be taught on it; `andon` is the program that learns them, in a process of its own.
    pub fn teaching(self, c: &Config, andon: &Path) -> Page {
        Page { taught: Some((c.page.taught.clone(), andon.to_owned())), ..self }
    }

    /// The recipe that the line was changed over to last, by its name.
    ///
    /// # Errors
    /// [`BuildError::Accounts`].
    pub fn last_recipe(&self) -> Result<Option<String>, BuildError> {
        Ok(self.accounts.recipe()?)
    }

    /// Remembers what the line starts with; `None` for the models of its cameras.
    ///
    /// # Errors
    /// [`BuildError::Accounts`].
    pub fn keep_recipe(&self, recipe: Option<&str>) -> Result<(), BuildError> {
        Ok(self.accounts.keep_recipe(recipe)?)
    }

    /// The recipes of a configuration, and after them the parts that were taught on its page.
    pub fn recipes(c: &Config) -> Vec<Recipe> {
        let cameras: Vec<String> = c.cameras.iter().map(|camera| camera.name.clone()).collect();
        let taught = taught_recipes(&c.page.taught, &cameras).into_iter();
        let new = taught.filter(|taught| c.recipes.iter().all(|known| known.name != taught.name));
        c.recipes.iter().cloned().chain(new).collect()
    }

    /// Users and audit.
    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Whether users and audit are needed: for the page, and for what is changed over Zenoh and by a PLC.
fn needs_accounts(c: &Config) -> bool {
    let (zenoh, modbus) = (&c.sinks.zenoh, &c.sinks.modbus_server);
    c.page_enabled || (zenoh.enabled && zenoh.allow_control) || (modbus.enabled && modbus.allow_write)
}

/// Why no users and no audit can be kept where the configuration says; `None` if they can, or are not needed.
pub(super) fn not_writable(c: &Config) -> Option<String> {
    let why = needs_accounts(c).then(|| accounts::not_writable(&c.page.database)).flatten()?;
    let instead = match c.page_enabled {
        true => ", or page.enabled = false",
        false => ": the audit of zenoh.allow_control and modbus_server.allow_write is kept there, without a page, too",
    };
    Some(format!("page.database: {why}; set page.database to a file that andon may write{instead}"))
}

/// The history, where one is kept. Its file is opened when somebody asks.
fn history(c: &Config) -> Option<HistoryAccess> {
    let path = &c.sinks.store.path;
    c.sinks.store.enabled.then(|| HistoryAccess {
        history: History::new(path, c.shifts.clone()),
        patient: History::with_limit(path, c.shifts.clone(), PATIENCE),
        reviews: Reviews::new(path),
        every: c.page.review_every,
    })
}

fn options(c: &Config) -> PageOptions {
    let page = &c.page;
    PageOptions {
        listen: page.listen,
        language: match page.language {
            PageLanguage::En => Language::En,
            PageLanguage::De => Language::De,
        },
        tls: page.tls.clone().map(|(certificate, key)| TlsFiles { certificate, key }),
        names: page.names.iter().cloned().chain([c.box_name.clone()]).collect(),
        key_px: page.key_px,
        challenge: ChallengeRules {
            parts: page.challenge_parts,
            within: page.challenge_within,
            shifts: c.shifts.clone(),
        },
        bands: c.cameras.iter().map(|camera| camera.presence.map(|presence| presence.band)).collect(),
    }
}

/// A page that is served, or the acts and the audit alone.
pub(super) struct ServedPage {
    pub server: Option<PageServer>,
    /// What feeds it; the same for a page that nobody is served.
    pub sink: Option<Box<dyn Sink>>,
    /// The line's control with roles and audit in front, for all other ways in.
    pub control: Arc<dyn Control>,
}

/// What the page of a line stands beside.
pub(super) struct Beside<'a> {
    pub station: &'a StationInfo,
    /// Sizes of the cameras' frames, where their models know them.
    pub frames: &'a [Option<[u32; 2]>],
    pub pictures: &'a Pictures,
    pub status: &'a Arc<Status>,
    pub cameras: &'a [CameraParts],
    /// By camera: where another model goes.
    pub swaps: &'a [Arc<DetectorSwap>],
    pub recipes: &'a [Recipe],
    /// The recipe that the line starts with, by name.
    pub recipe: Option<&'a str>,
}

impl Beside<'_> {
    /// The models that may be changed: none where a camera's is in no file.
    fn models(
        &self,
        history: Option<History>,
        taught: Option<Arc<TaughtParts>>,
    ) -> std::io::Result<Option<Arc<Models>>> {
        if self.cameras.iter().any(|camera| camera.model.is_none()) {
            return Ok(None);
        }
        let slot = |(camera, swap): (&CameraParts, &Arc<DetectorSwap>)| CameraSlot {
            name: camera.name.clone(),
            file: camera.model.clone(),
            bundle: camera.bundle.clone(),
            engine: camera.engine.clone(),
            frame_size: camera.frame_size,
            threshold_configured: camera.threshold_configured,
            threshold_unsafe: camera.threshold_unsafe,
            swap: swap.clone(),
        };
        let slots = self.cameras.iter().zip(self.swaps).map(slot).collect();
        let (recipes, ring) = (self.recipes.to_vec(), self.pictures.ring.clone());
        Models::new(slots, recipes, self.recipe, taught, self.status.clone(), ring, history).map(Some)
    }

    /// New parts that may be taught, in this folder by this program.
    fn lessons(&self, folder: PathBuf, andon: PathBuf) -> Option<Arc<TaughtParts>> {
        let first = self.cameras.first().filter(|camera| camera.model.is_some())?;
        let (cameras, collector) = (self.station.cameras.clone(), self.pictures.collector.clone());
        Some(Arc::new(TaughtParts::new(folder, cameras, collector, &first.engine, andon)))
    }
}

/// Serves the page of a line.
///
/// # Errors
/// [`BuildError`].
pub(super) fn serve(page: Page, beside: Beside<'_>, control: Arc<dyn Control>) -> Result<ServedPage, BuildError> {
    let taught = page.taught.and_then(|(folder, andon)| beside.lessons(folder, andon));
    let models = beside.models(page.history.as_ref().map(|access| access.patient.clone()), taught.clone())?;
    let models = models.map(|models| models as Arc<dyn LineModels>);
    let lessons = taught.map(|taught| taught as Arc<dyn Lessons>);
    let Beside { station, frames, pictures, status, .. } = beside;
    let board = Arc::new(Board::new(station.clone(), frames));
    let access = LineAccess { control: control.clone(), board: board.clone() };
    let service = Service::of_line(page.accounts, access).with_history(page.history);
    let service = service.with_models(models).with_lessons(lessons);
    let service = Arc::new(match page.backup {
        Some((plan, scratch)) => service.with_backup(plan, scratch),
        None => service,
    });
    if !page.serves {
        let control = Arc::new(AuditedControl::new(control, service, None));
        return Ok(ServedPage { server: None, sink: None, control });
    }
    let (sink, records) = page_sink();
    let watched = status.clone();
    let challenge_parts = Some(page.options.challenge.parts);
    let server = PageServer::start(PageSpec {
        options: page.options,
        board,
        records,
        service: service.clone(),
        judges: Arc::new(move || watched.line_state().judges),
        pictures: Some(Arc::new(PagePictures::new(pictures.clone()))),
    })?;
    let control = Arc::new(AuditedControl::new(control, service, challenge_parts));
    Ok(ServedPage { server: Some(server), sink: Some(Box::new(sink)), control })
}

/// Where a browser finds the page.
pub(super) fn url(server: &PageServer) -> String {
    server.url()
}

/// What serves it; stops within a second when dropped.
pub(super) type RunningPage = PageServer;
