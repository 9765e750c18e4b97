//! Challenges in the history: which known bad parts were run through the line, and what became of them. Rows are only added.

use rusqlite::{OptionalExtension, Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use super::facts::OutcomeKind;
use super::reader::{History, HistoryError};
use super::reviews::{MAX_NAME, ReviewError, Reviews, text};

/// Made when the first challenge is written: a file without any is as before.
const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS challenge (id INTEGER PRIMARY KEY AUTOINCREMENT, camera TEXT NOT NULL, parts INTEGER NOT NULL,
        result TEXT NOT NULL, seen TEXT NOT NULL, user TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL);
    CREATE TRIGGER IF NOT EXISTS challenge_unchanged BEFORE UPDATE ON challenge BEGIN SELECT RAISE(ABORT, 'challenges are only added'); END;
    CREATE TRIGGER IF NOT EXISTS challenge_kept BEFORE DELETE ON challenge BEGIN SELECT RAISE(ABORT, 'challenges are only added'); END;";

/// How a challenge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChallengeResult {
    /// Every part was rejected.
    Passed,
    /// One was not, or was not seen.
    Failed,
    /// Somebody ended it before all parts came.
    Aborted,
}

impl ChallengeResult {
    /// The word in the file and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            ChallengeResult::Passed => "passed",
            ChallengeResult::Failed => "failed",
            ChallengeResult::Aborted => "aborted",
        }
    }

    fn of(word: &str) -> ChallengeResult {
        let all = [ChallengeResult::Passed, ChallengeResult::Failed, ChallengeResult::Aborted];
        all.into_iter().find(|result| result.as_str() == word).unwrap_or(ChallengeResult::Failed)
    }
}

/// A part of a challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChallengePart {
    /// Its number.
    pub seq: u64,
    /// Id of its verdict; absent for a part of which no verdict was seen.
    pub id: Option<String>,
    /// Its outcome on the wire; absent with the id.
    pub outcome: Option<String>,
}

impl ChallengePart {
    /// Whether it was rejected, as it has to be.
    pub fn is_rejected(&self) -> bool {
        self.outcome.as_deref() == Some(OutcomeKind::Reject.as_str())
    }
}

/// A challenge that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Challenge {
    /// Its number; grows. 0 for one that is not written yet.
    pub id: i64,
    /// The camera's name.
    pub camera: String,
    /// How many known bad parts were announced.
    pub parts: u32,
    /// How it ended.
    pub result: ChallengeResult,
    /// The parts that came.
    pub seen: Vec<ChallengePart>,
    /// Who started it.
    pub user: String,
    /// When it was started, milliseconds, Unix time.
    pub started: i64,
    /// When it ended.
    pub ended: i64,
}

impl Reviews {
    /// Adds a challenge that ended; returns its number.
    ///
    /// # Errors
    /// [`ReviewError::Text`], [`ReviewError::Store`].
    pub fn add_challenge(&self, new: &Challenge) -> Result<i64, ReviewError> {
        let user = text("user", &new.user, MAX_NAME)?;
        // A list of plain texts is always JSON.
        let seen = serde_json::to_string(&new.seen).unwrap_or_default();
        self.write(|connection, failed| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
            transaction.execute_batch(TABLE).map_err(failed)?;
            let sql = "INSERT INTO challenge (camera, parts, result, seen, user, started, ended) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let values = params![new.camera, new.parts, new.result.as_str(), seen, user, new.started, new.ended];
            transaction.execute(sql, values).map_err(failed)?;
            let id = transaction.last_insert_rowid();
            transaction.commit().map_err(failed)?;
            Ok(id)
        })
    }
}

impl History {
    /// The last challenges, newest first.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn challenges(&self, limit: u32) -> Result<Vec<Challenge>, HistoryError> {
        self.read(|connection| {
            let there = "SELECT 1 FROM sqlite_master WHERE name = 'challenge'";
            if connection.query_row(there, [], |_| Ok(())).optional()?.is_none() {
                return Ok(Vec::new());
            }
            let sql =
                "SELECT id, camera, parts, result, seen, user, started, ended FROM challenge ORDER BY id DESC LIMIT ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement.query_map(params![limit], read)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }
}

fn read(r: &Row<'_>) -> rusqlite::Result<Challenge> {
    let (result, seen): (String, String) = (r.get(3)?, r.get(4)?);
    Ok(Challenge {
        id: r.get(0)?,
        camera: r.get(1)?,
        parts: r.get(2)?,
        result: ChallengeResult::of(&result),
        seen: serde_json::from_str(&seen).unwrap_or_default(),
        user: r.get(5)?,
        started: r.get(6)?,
        ended: r.get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::ShiftCalendar;

    #[test]
    fn challenges_are_only_added_and_a_file_without_any_answers_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("h.db");
        drop(crate::history::open(&path).unwrap());
        let (history, reviews) = (History::new(&path, ShiftCalendar::default()), Reviews::new(&path));
        assert_eq!(history.challenges(10).unwrap(), []);
        let part = |seq, outcome: Option<&str>| ChallengePart {
            seq,
            id: outcome.map(|_| format!("id{seq}")),
            outcome: outcome.map(str::to_owned),
        };
        let first = Challenge {
            id: 0,
            camera: "top".into(),
            parts: 2,
            result: ChallengeResult::Failed,
            seen: vec![part(7, Some("REJECT")), part(8, None)],
            user: "ana".into(),
            started: 1,
            ended: 2,
        };
        assert!(first.seen[0].is_rejected() && !first.seen[1].is_rejected() && !part(9, Some("PASS")).is_rejected());
        let id = reviews.add_challenge(&first).unwrap();
        let second = Challenge { result: ChallengeResult::Passed, ..first.clone() };
        reviews.add_challenge(&second).unwrap();
        let known = history.challenges(10).unwrap();
        assert_eq!(
            known.iter().map(|c| c.result).collect::<Vec<_>>(),
            [ChallengeResult::Passed, ChallengeResult::Failed]
        );
        assert_eq!(known[1], Challenge { id, ..first });
        let connection = rusqlite::Connection::open(&path).unwrap();
        for sql in ["UPDATE challenge SET result = 'passed'", "DELETE FROM challenge"] {
            assert!(connection.execute(sql, []).unwrap_err().to_string().contains("only added"), "{sql}");
        }
    }
}
