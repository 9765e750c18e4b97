//! The board: everything that the page shows of the line, brought up to date record by record. Its lock is held for microseconds, by
//! threads of the page alone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::alarms::{Acknowledged, Alarm, AlarmError, Alarms};
use super::challenge::{ChallengeError, Challenges, RunningChallenge};
use super::history::{Recent, Trend, TrendPoint};
use super::threshold_trial::{ThresholdTrial, ThresholdTrialError, ThresholdTrials, TrialStage};
use super::{Figures, PageRecord, SeenPart};
use andon_core::{CameraVerdict, ChallengeState, EventKind, LineEvent, Outcome, Stats};
use andon_io::history::Challenge;
use andon_io::sinks::wire::{StationInfo, verdict_id};

/// Parts of the strip.
const STRIP: usize = 30;
/// Events of the log.
const LOG: usize = 200;

/// An event of the log.
#[derive(Clone, Debug)]
pub struct Logged {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// The lane.
    pub lane: u8,
    /// What.
    pub event: LineEvent,
}

/// What the page knows of one camera.
#[derive(Clone, Debug, Default)]
pub struct CameraBoard {
    /// Its name.
    pub name: String,
    /// Columns and rows of its frames, where the model knows them.
    pub frame: Option<[u32; 2]>,
    /// The last judged part.
    pub last: Option<SeenPart>,
    /// The last part that was rejected: it stays on the page until the next one.
    pub rejected: Option<SeenPart>,
    /// Its figures of the last second.
    pub stats: Option<Stats>,
    /// The last ten minutes, as they were at the last figures.
    pub recent: Recent,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Counts up with every change.
    pub revision: u64,
    /// By camera id.
    pub cameras: Vec<CameraBoard>,
    /// The last parts that did not pass, newest first.
    pub strip: Vec<SeenPart>,
    /// Alarms, worst first.
    pub alarms: Vec<Alarm>,
    /// Events, newest first.
    pub log: Vec<Logged>,
    /// Parts that an ejector took off.
    pub ejected: u64,
    /// Parts that went past their ejector.
    pub missed: u64,
    /// The line is asked to stop.
    pub line_stop: bool,
    /// What the history says of now; absent where none is kept, and until it is asked first.
    pub figures: Option<Arc<Figures>>,
    /// Challenges that run, by camera id.
    pub challenges: Vec<Option<RunningChallenge>>,
    /// The last ended challenge of each camera.
    pub last_challenges: Vec<Option<Challenge>>,
    /// Thresholds on trial, or the last one that was, by camera id.
    pub threshold_trials: Vec<Option<ThresholdTrial>>,
}

/// What ended with a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ended {
    /// A challenge.
    pub challenge: Option<Challenge>,
    /// A threshold on trial: the last of its parts was judged, and the threshold from before is to be set again.
    pub trial: Option<ThresholdTrial>,
}

#[derive(Debug, Default)]
struct State {
    revision: u64,
    cameras: Vec<CameraBoard>,
    trends: Vec<Trend>,
    strip: VecDeque<SeenPart>,
    alarms: Alarms,
    log: VecDeque<Logged>,
    ejected: u64,
    missed: u64,
    line_stop: bool,
    figures: Option<Arc<Figures>>,
    challenges: Challenges,
    trials: ThresholdTrials,
}

/// Everything that the page shows of the line.
#[derive(Debug)]
pub struct Board {
    /// The box and what hangs on it.
    pub station: StationInfo,
    /// When the line started, milliseconds since 1970.
    pub started_ms: u64,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

impl Board {
    /// A board of a line of which nothing has come yet; `frames` are the sizes of the cameras' frames, by camera id.
    pub fn new(station: StationInfo, frames: &[Option<[u32; 2]>]) -> Board {
        let camera = |(n, name): (usize, &String)| CameraBoard {
            name: name.clone(),
            frame: frames.get(n).copied().flatten(),
            ..CameraBoard::default()
        };
        let cameras: Vec<CameraBoard> = station.cameras.iter().enumerate().map(camera).collect();
        let trends = vec![Trend::default(); cameras.len()];
        let started_ms = station.clock.now().unix_ms(andon_core::Mono::now());
        let challenges = Challenges::of(cameras.len());
        let trials = ThresholdTrials::of(cameras.len());
        let state = State { cameras, trends, challenges, trials, ..State::default() };
        Board { station, started_ms, state: Mutex::new(state), changed: watch::channel(0).0 }
    }

    /// Hears of every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes a record; returns what ended with it.
    pub fn take(&self, record: PageRecord) -> Ended {
        let wall = self.station.clock.now();
        let mut state = self.lock();
        let mut ended = Ended::default();
        match record {
            PageRecord::Verdict(verdict) => {
                let part = self.seen(verdict, 0);
                let part = SeenPart { at_ms: wall.unix_ms(part.verdict.t_capture), ..part };
                ended.challenge = state.challenges.take(&part, &part.camera, wall.unix_ms(andon_core::Mono::now()));
                ended.trial = state.trials.take(&part);
                state.verdict(part);
            }
            PageRecord::Stats(stats) => state.stats(stats),
            PageRecord::Ejection(_) => state.ejected += 1,
            PageRecord::Event(lane, event) => state.event(lane, event, wall.unix_ms(event.at)),
        }
        self.tell(state);
        ended
    }

    /// The challenge of a camera that runs or was the last.
    pub fn challenge_state(&self, camera: usize) -> ChallengeState {
        self.lock().challenges.state(camera)
    }

    /// The next `parts` parts of a camera are known to be bad.
    ///
    /// # Errors
    /// [`ChallengeError`].
    pub fn start_challenge(&self, camera: usize, parts: u32, user: &str) -> Result<(), ChallengeError> {
        let now = andon_core::Mono::now();
        let mut state = self.lock();
        state.challenges.start(camera, parts, user, now, self.station.clock.now().unix_ms(now))?;
        self.tell(state);
        Ok(())
    }

    /// Gives a challenge up.
    ///
    /// # Errors
    /// [`ChallengeError`].
    pub fn abort_challenge(&self, camera: usize) -> Result<Challenge, ChallengeError> {
        let now_ms = self.station.clock.now().unix_ms(andon_core::Mono::now());
        let name = self.station.cameras.get(camera).cloned().unwrap_or_default();
        let mut state = self.lock();
        let ended = state.challenges.abort(camera, &name, now_ms)?;
        self.tell(state);
        Ok(ended)
    }

    /// The last challenge of a camera, from the history.
    pub fn set_last_challenge(&self, camera: usize, challenge: Challenge) {
        self.lock().challenges.set_last(camera, challenge);
    }

    /// A threshold is on trial from now on: `thresholds` are the one from before and the one that is tried. Returns the trial before.
    ///
    /// # Errors
    /// [`ThresholdTrialError`].
    pub fn start_trial(
        &self,
        camera: usize,
        thresholds: [f32; 2],
        parts: u32,
        user: &str,
    ) -> Result<Option<ThresholdTrial>, ThresholdTrialError> {
        let started_ms = self.station.clock.now().unix_ms(andon_core::Mono::now());
        let mut state = self.lock();
        let before = state.trials.start(camera, thresholds, parts, user, started_ms)?;
        self.tell(state);
        Ok(before)
    }

    /// A trial that was started has not come into force: the one before is the last again.
    pub fn take_trial_back(&self, camera: usize, before: Option<ThresholdTrial>) {
        let mut state = self.lock();
        state.trials.take_back(camera, before);
        self.tell(state);
    }

    /// Ends the trial of a threshold; returns it as it was.
    ///
    /// # Errors
    /// [`ThresholdTrialError`].
    pub fn end_trial(&self, camera: usize, stage: TrialStage) -> Result<ThresholdTrial, ThresholdTrialError> {
        let mut state = self.lock();
        let ended = state.trials.end(camera, stage)?;
        self.tell(state);
        Ok(ended)
    }

    /// A trial that was ended runs on: the threshold from before could not be set, or that which was to supersede it.
    pub fn run_trial_on(&self, camera: usize) {
        let mut state = self.lock();
        state.trials.run_on(camera);
        self.tell(state);
    }

    /// Somebody saw an alarm; returns it as it is now.
    ///
    /// # Errors
    /// [`AlarmError::NoAlarm`].
    pub fn acknowledge(&self, id: u64, user: &str) -> Result<Alarm, AlarmError> {
        let at_ms = self.station.clock.now().unix_ms(andon_core::Mono::now());
        let mut state = self.lock();
        let seen = state.alarms.acknowledge(id, Acknowledged { user: user.to_owned(), at_ms })?;
        self.tell(state);
        Ok(seen)
    }

    /// The history says something new.
    pub fn set_figures(&self, figures: Figures) {
        let mut state = self.lock();
        if state.figures.as_deref() != Some(&figures) {
            state.figures = Some(Arc::new(figures));
            self.tell(state);
        }
    }

    /// Everything as it is now.
    pub fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        Snapshot {
            revision: state.revision,
            cameras: state.cameras.clone(),
            strip: state.strip.iter().cloned().collect(),
            alarms: state.alarms.sorted(),
            log: state.log.iter().cloned().collect(),
            ejected: state.ejected,
            missed: state.missed,
            line_stop: state.line_stop,
            figures: state.figures.clone(),
            challenges: state.challenges.running().to_vec(),
            last_challenges: state.challenges.last().to_vec(),
            threshold_trials: state.trials.all().to_vec(),
        }
    }

    /// The last two hours of a camera, oldest first; empty for a camera that is not there.
    pub fn trend(&self, camera: usize) -> Vec<TrendPoint> {
        self.lock().trends.get(camera).map(Trend::points).unwrap_or_default()
    }

    fn seen(&self, verdict: CameraVerdict, at_ms: u64) -> SeenPart {
        SeenPart {
            id: verdict_id(&self.station, verdict.camera, verdict.seq, verdict.t_capture),
            camera: self.station.camera(verdict.camera).to_owned(),
            at_ms,
            verdict,
        }
    }

    fn tell(&self, mut state: MutexGuard<'_, State>) {
        state.revision += 1;
        let revision = state.revision;
        drop(state);
        self.changed.send_replace(revision);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn verdict(&mut self, part: SeenPart) {
        let n = part.verdict.camera.index();
        let (Some(camera), Some(trend)) = (self.cameras.get_mut(n), self.trends.get_mut(n)) else { return };
        trend.take(&part);
        if part.verdict.outcome == Outcome::Reject {
            camera.rejected = Some(part.clone());
        }
        if !part.passed() {
            self.strip.push_front(part.clone());
            self.strip.truncate(STRIP);
        }
        camera.last = Some(part);
    }

    fn stats(&mut self, stats: Stats) {
        self.line_stop = stats.line_stop;
        let n = stats.camera.index();
        if let (Some(camera), Some(trend)) = (self.cameras.get_mut(n), self.trends.get(n)) {
            camera.stats = Some(stats);
            camera.recent = trend.recent();
        }
    }

    fn event(&mut self, lane: u8, event: LineEvent, at_ms: u64) {
        match event.kind {
            EventKind::MissedEjection => self.missed += event.times,
            EventKind::LineStop => self.line_stop = true,
            EventKind::LineReleased => self.line_stop = false,
            _ => {}
        }
        self.alarms.take(lane, event, at_ms);
        self.log.push_front(Logged { at_ms, lane, event });
        self.log.truncate(LOG);
    }
}
