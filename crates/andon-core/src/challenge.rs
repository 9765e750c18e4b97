//! Challenge parts: known bad ones, run through the line to see that it still finds them.

use crate::EventKind;

/// How the challenge of a camera is that runs or was the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChallengeState {
    /// There was none.
    #[default]
    None,
    /// Its parts come.
    Running,
    /// Every known bad part was rejected.
    Passed,
    /// One was not.
    Failed,
    /// It was given up.
    Aborted,
}

impl ChallengeState {
    /// The number that PLCs get.
    pub fn code(self) -> u16 {
        match self {
            ChallengeState::None => 0,
            ChallengeState::Running => 1,
            ChallengeState::Passed => 2,
            ChallengeState::Failed => 3,
            ChallengeState::Aborted => 4,
        }
    }
}

/// What became of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeSign {
    /// Every known bad part was rejected.
    Passed,
    /// One was not.
    Failed,
    /// None was passed in time.
    Overdue,
}

impl ChallengeSign {
    /// Every sign.
    pub const ALL: [ChallengeSign; 3] = [ChallengeSign::Passed, ChallengeSign::Failed, ChallengeSign::Overdue];

    /// The word in recordings.
    pub fn as_str(self) -> &'static str {
        match self {
            ChallengeSign::Passed => "passed",
            ChallengeSign::Failed => "failed",
            ChallengeSign::Overdue => "overdue",
        }
    }

    /// The sign of a word; `None` for any other.
    pub fn of(word: &str) -> Option<ChallengeSign> {
        ChallengeSign::ALL.into_iter().find(|sign| sign.as_str() == word)
    }

    /// The event that says it.
    pub fn event(self) -> EventKind {
        match self {
            ChallengeSign::Passed => EventKind::ChallengePassed,
            ChallengeSign::Failed => EventKind::ChallengeFailed,
            ChallengeSign::Overdue => EventKind::ChallengeOverdue,
        }
    }
}
