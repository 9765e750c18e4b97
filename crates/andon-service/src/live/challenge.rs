//! Challenges while they run: the next so many parts of a camera are known to be bad, and each has to end as REJECT. Whatever is not seen of them
//! fails the challenge. Time is passed in.
//!
//! ```text
//! idle ── start ──► running ── all parts in ──► passed | failed
//!                      │  └── far newer parts, some not seen ──► failed
//!                      └──── ended by hand ──► aborted
//! ```

use std::collections::BTreeMap;

use thiserror::Error;

use super::SeenPart;
use andon_core::{ChallengeState, Mono};
use andon_io::history::{Challenge, ChallengePart, ChallengeResult};

/// Known bad parts of one challenge, at most.
pub const MOST_PARTS: u32 = 50;
/// Verdicts on parts of one camera come in the order of their parts, or nearly: after so many newer ones a missing one was not seen.
const NEARLY: u64 = 16;

/// Why a challenge was not started or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ChallengeError {
    /// The camera is not on this box.
    #[error("no such camera")]
    NoSuchCamera,
    /// One runs already.
    #[error("a challenge of this camera runs already; end it first")]
    Running,
    /// None runs.
    #[error("no challenge of this camera runs")]
    NotRunning,
    /// No number of parts.
    #[error("a challenge has 1 to {MOST_PARTS} parts")]
    Parts,
}

/// A challenge that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningChallenge {
    /// Who started it.
    pub user: String,
    /// When, milliseconds since 1970.
    pub started_ms: u64,
    /// How many known bad parts come.
    pub wanted: u32,
    /// Pictures of its parts are taken from now on.
    since: Mono,
    seen: BTreeMap<u64, ChallengePart>,
}

impl RunningChallenge {
    /// The parts that came, by their numbers.
    pub fn seen(&self) -> impl Iterator<Item = &ChallengePart> {
        self.seen.values().take(self.wanted as usize)
    }
}

/// Those of all cameras.
#[derive(Clone, Debug, Default)]
pub(super) struct Challenges {
    running: Vec<Option<RunningChallenge>>,
    last: Vec<Option<Challenge>>,
}

impl Challenges {
    pub fn of(cameras: usize) -> Challenges {
        Challenges { running: vec![None; cameras], last: vec![None; cameras] }
    }

    pub fn running(&self) -> &[Option<RunningChallenge>] {
        &self.running
    }

    /// The last ended one of each camera.
    pub fn last(&self) -> &[Option<Challenge>] {
        &self.last
    }

    pub fn set_last(&mut self, camera: usize, challenge: Challenge) {
        if let Some(place) = self.last.get_mut(camera) {
            *place = Some(challenge);
        }
    }

    pub fn state(&self, camera: usize) -> ChallengeState {
        if self.running.get(camera).is_some_and(Option::is_some) {
            return ChallengeState::Running;
        }
        match self.last.get(camera).and_then(Option::as_ref).map(|last| last.result) {
            Some(ChallengeResult::Passed) => ChallengeState::Passed,
            Some(ChallengeResult::Failed) => ChallengeState::Failed,
            Some(ChallengeResult::Aborted) => ChallengeState::Aborted,
            None => ChallengeState::None,
        }
    }

    pub fn start(
        &mut self,
        camera: usize,
        wanted: u32,
        user: &str,
        since: Mono,
        started_ms: u64,
    ) -> Result<(), ChallengeError> {
        let place = self.running.get_mut(camera).ok_or(ChallengeError::NoSuchCamera)?;
        if place.is_some() {
            return Err(ChallengeError::Running);
        }
        if !(1..=MOST_PARTS).contains(&wanted) {
            return Err(ChallengeError::Parts);
        }
        let user = user.to_owned();
        *place = Some(RunningChallenge { user, started_ms, wanted, since, seen: BTreeMap::new() });
        Ok(())
    }

    /// A part was judged; the challenge that ended with it, if one did.
    pub fn take(&mut self, part: &SeenPart, camera: &str, now_ms: u64) -> Option<Challenge> {
        let n = part.verdict.camera.index();
        let running = self.running.get_mut(n)?.as_mut()?;
        if part.verdict.t_capture < running.since {
            return None;
        }
        let seq = part.verdict.seq.0;
        let outcome = Some(part.verdict.outcome.as_str().to_owned());
        running.seen.insert(seq, ChallengePart { seq, id: Some(part.id.clone()), outcome });
        let first = running.seen.keys().next().copied()?;
        let last = first + u64::from(running.wanted) - 1;
        let all = running.seen.range(first..=last).count() == running.wanted as usize;
        if !all && seq <= last + NEARLY {
            return None;
        }
        let running = self.running[n].take()?;
        let seen: Vec<ChallengePart> = (first..=last)
            .map(|seq| running.seen.get(&seq).cloned().unwrap_or(ChallengePart { seq, id: None, outcome: None }))
            .collect();
        let passed = seen.iter().all(ChallengePart::is_rejected);
        let result = if passed { ChallengeResult::Passed } else { ChallengeResult::Failed };
        Some(self.end(n, camera, running, result, seen, now_ms))
    }

    /// Ends one by hand.
    pub fn abort(&mut self, camera: usize, name: &str, now_ms: u64) -> Result<Challenge, ChallengeError> {
        let place = self.running.get_mut(camera).ok_or(ChallengeError::NoSuchCamera)?;
        let running = place.take().ok_or(ChallengeError::NotRunning)?;
        let seen = running.seen().cloned().collect();
        Ok(self.end(camera, name, running, ChallengeResult::Aborted, seen, now_ms))
    }

    fn end(
        &mut self,
        n: usize,
        camera: &str,
        running: RunningChallenge,
        result: ChallengeResult,
        seen: Vec<ChallengePart>,
        now_ms: u64,
    ) -> Challenge {
        let time = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let challenge = Challenge {
            id: 0,
            camera: camera.to_owned(),
            parts: running.wanted,
            result,
            seen,
            user: running.user,
            started: time(running.started_ms),
            ended: time(now_ms),
        };
        // What was passed stays the last that counts when another one is only given up.
        if result != ChallengeResult::Aborted || self.last.get(n).is_some_and(Option::is_none) {
            self.set_last(n, challenge.clone());
        }
        challenge
    }
}

/// Whether the challenge of a shift is late: no passed one since its start, and the time for it is over.
pub fn is_overdue(last: Option<&Challenge>, shift_start: i64, within_ms: i64, now: i64) -> bool {
    let passed = last.is_some_and(|c| c.result == ChallengeResult::Passed && c.ended >= shift_start);
    !passed && now >= shift_start.saturating_add(within_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::tests::verdict;
    use andon_core::{CameraVerdict, Outcome, Reason};

    fn part(seq: u64, score: f32) -> SeenPart {
        let verdict = CameraVerdict { t_capture: Mono(seq * 1_000), ..verdict(seq, score, 0) };
        SeenPart { id: format!("id{seq}"), camera: "top".into(), at_ms: seq, verdict }
    }

    fn started(wanted: u32) -> Challenges {
        let mut all = Challenges::of(2);
        all.start(0, wanted, "ana", Mono(10_000), 5).unwrap();
        all
    }

    #[test]
    fn it_is_passed_when_the_next_parts_are_all_rejected_and_only_then() {
        let mut all = started(3);
        assert!(all.take(&part(9, 5.0), "top", 0).is_none(), "its picture was taken before");
        for seq in [10, 11] {
            assert!(all.take(&part(seq, 12.0), "top", 0).is_none());
        }
        let ended = all.take(&part(12, 12.0), "top", 99).unwrap();
        assert_eq!((ended.result, ended.parts, ended.ended), (ChallengeResult::Passed, 3, 99));
        assert_eq!(ended.seen.iter().map(|p| p.seq).collect::<Vec<_>>(), [10, 11, 12]);
        assert!(all.take(&part(13, 5.0), "top", 0).is_none(), "it is over");

        assert_eq!(all.state(0), ChallengeState::Passed);

        let mut all = started(2);
        assert_eq!(all.state(0), ChallengeState::Running);
        all.take(&part(10, 12.0), "top", 0);
        assert_eq!(all.take(&part(11, 5.0), "top", 0).unwrap().result, ChallengeResult::Failed, "a PASS");
        let mut all = started(1);
        let mut lost = part(10, 5.0);
        (lost.verdict.outcome, lost.verdict.reason) = (Outcome::Uninspected, Reason::Late);
        assert_eq!(all.take(&lost, "top", 0).unwrap().result, ChallengeResult::Failed, "not inspected is not found");
    }

    #[test]
    fn parts_that_come_out_of_order_are_waited_for_and_what_is_not_seen_fails_it() {
        let mut all = started(3);
        for seq in [11, 12, 10] {
            let ended = all.take(&part(seq, 12.0), "top", 0);
            assert_eq!(ended.is_some(), seq == 10);
        }
        let mut all = started(3);
        for seq in [10, 12] {
            assert!(all.take(&part(seq, 12.0), "top", 0).is_none());
        }
        let ended = (13..40).find_map(|seq| all.take(&part(seq, 12.0), "top", 0)).unwrap();
        assert_eq!(ended.result, ChallengeResult::Failed);
        assert_eq!(ended.seen[1], ChallengePart { seq: 11, id: None, outcome: None });
    }

    #[test]
    fn it_runs_once_a_camera_and_can_be_given_up() {
        let mut all = started(3);
        assert_eq!(all.start(0, 3, "otto", Mono(0), 0), Err(ChallengeError::Running));
        assert_eq!(all.start(2, 3, "otto", Mono(0), 0), Err(ChallengeError::NoSuchCamera));
        assert_eq!(all.start(1, 0, "otto", Mono(0), 0), Err(ChallengeError::Parts));
        all.take(&part(10, 12.0), "top", 0);
        let ended = all.abort(0, "top", 7).unwrap();
        assert_eq!((ended.result, ended.seen.len()), (ChallengeResult::Aborted, 1));
        assert_eq!(
            [0, 1, 2].map(|n| all.state(n)),
            [ChallengeState::Aborted, ChallengeState::None, ChallengeState::None]
        );
        assert_eq!(all.abort(0, "top", 8), Err(ChallengeError::NotRunning));
    }

    #[test]
    fn a_shift_without_a_passed_challenge_is_overdue_when_its_time_is_over() {
        let mut all = started(1);
        let passed = all.take(&part(10, 12.0), "top", 2_000).unwrap();
        assert!(!is_overdue(Some(&passed), 1_000, 500, 9_000));
        assert!(is_overdue(Some(&passed), 3_000, 500, 3_500), "it was in the shift before");
        assert!(!is_overdue(None, 3_000, 500, 3_499) && is_overdue(None, 3_000, 500, 3_500));
        let failed = Challenge { result: ChallengeResult::Failed, ..passed };
        assert!(is_overdue(Some(&failed), 1_000, 500, 9_000), "a failed one is none");
    }
}
