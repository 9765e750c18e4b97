//! What people say of parts. Reviews are only added: to take one back is a row of its own. The last row of a part counts; its state stands
//! in the part's columns too, for filters. Callers may be any threads but the line's: a write waits up to two seconds for the file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::StoreError;
use super::filter::ReviewState;
use super::schema;

/// Letters of a kind of defect at most.
pub const MAX_DEFECT: usize = 64;
/// Letters of a comment at most.
pub const MAX_COMMENT: usize = 2000;
/// Letters of a name at most.
pub const MAX_NAME: usize = 64;

/// What somebody says of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReviewVerdict {
    /// Really bad.
    Bad,
    /// Was good.
    Good,
    /// Not sure.
    Unsure,
    /// Takes back what was said before.
    Withdrawn,
}

impl ReviewVerdict {
    /// The state that the part has afterwards.
    pub fn state(self) -> ReviewState {
        match self {
            ReviewVerdict::Bad => ReviewState::Bad,
            ReviewVerdict::Good => ReviewState::Good,
            ReviewVerdict::Unsure => ReviewState::Unsure,
            ReviewVerdict::Withdrawn => ReviewState::None,
        }
    }

    fn from_code(code: i64) -> ReviewVerdict {
        match ReviewState::from_code(code) {
            ReviewState::Bad => ReviewVerdict::Bad,
            ReviewState::Good => ReviewVerdict::Good,
            ReviewState::Unsure => ReviewVerdict::Unsure,
            ReviewState::None => ReviewVerdict::Withdrawn,
        }
    }
}

/// What the reviewer had before his eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// The review counts whatever was said meanwhile.
    Anything,
    /// It counts only if nobody has reviewed the part yet.
    Nothing,
    /// It counts only if this review is the part's last.
    Review(i64),
}

/// A review that is to be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewReview {
    /// The part's id.
    pub part: String,
    /// What is said of it.
    pub verdict: ReviewVerdict,
    /// Kind of defect, up to 64 letters.
    pub defect: Option<String>,
    /// Up to 2000 letters.
    pub comment: Option<String>,
    /// Who, up to 64 letters.
    pub user: String,
    /// What the reviewer had before his eyes.
    pub expected: Expected,
}

/// A review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Review {
    /// Its number; grows.
    pub id: i64,
    /// The part's id.
    pub part: String,
    /// What is said of it.
    pub verdict: ReviewVerdict,
    /// Kind of defect.
    pub defect: Option<String>,
    /// Comment.
    pub comment: Option<String>,
    /// Who.
    pub user: String,
    /// When, milliseconds, Unix time.
    pub at: i64,
    /// The part's last review before this one.
    pub previous: Option<i64>,
}

/// A batch of parts: from its start until the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// Its number; grows.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Who started it.
    pub actor: String,
    /// When, milliseconds, Unix time.
    pub at: i64,
}

/// Why nothing was written.
#[derive(Debug, Error)]
pub enum ReviewError {
    /// The part is not in the history.
    #[error("part {0} is not in the history; its row was removed, or it is of another box")]
    NoSuchPart(String),
    /// Somebody else was first.
    #[error("part {part} was reviewed by {} meanwhile; look at that review and say it again if it is wrong", .current.as_ref().map_or("nobody", |r| r.user.as_str()))]
    Conflict {
        /// The part's id.
        part: String,
        /// The review that counts now.
        current: Option<Box<Review>>,
    },
    /// There is no review to take back.
    #[error("part {0} has no review to take back")]
    NothingToWithdraw(String),
    /// A text is empty or too long, or holds what no text should.
    #[error("{field}: {fault}")]
    Text {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        fault: TextFault,
    },
    /// The file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TextFault {
    /// Nothing is in it.
    #[error("empty")]
    Empty,
    /// It is too long.
    #[error("{letters} letters; at most {most}")]
    Long {
        /// How many letters it has.
        letters: usize,
        /// How many it may have.
        most: usize,
    },
    /// It holds control characters.
    #[error("holds control characters")]
    Control,
}

/// Writes reviews and batches. Clones share their connection, which is opened when it is needed.
#[derive(Clone, Debug)]
pub struct Reviews(Arc<Writer>);

#[derive(Debug)]
struct Writer {
    path: PathBuf,
    connection: Mutex<Option<Connection>>,
}

impl Reviews {
    /// Those of the history at this path. Nothing is opened yet.
    pub fn new(path: &Path) -> Reviews {
        Reviews(Arc::new(Writer { path: path.to_owned(), connection: Mutex::default() }))
    }

    /// Adds a review and returns it. A withdrawal is added in the same way.
    ///
    /// # Errors
    /// [`ReviewError`]; nothing was written.
    pub fn add(&self, new: &NewReview) -> Result<Review, ReviewError> {
        let user = text("user", &new.user, MAX_NAME)?;
        let defect = new.defect.as_deref().map(|d| text("defect", d, MAX_DEFECT)).transpose()?;
        let comment = new.comment.as_deref().map(|c| text("comment", c, MAX_COMMENT)).transpose()?;
        self.write(|connection, failed| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
            let known = "SELECT review, review_id FROM verdict WHERE id = ?1";
            let known: Option<(i64, Option<i64>)> =
                transaction.query_row(known, [&new.part], |r| Ok((r.get(0)?, r.get(1)?))).optional().map_err(failed)?;
            let Some((state, previous)) = known else { return Err(ReviewError::NoSuchPart(new.part.clone())) };
            let as_expected = match new.expected {
                Expected::Anything => true,
                Expected::Nothing => state == ReviewState::None.code(),
                Expected::Review(id) => previous == Some(id),
            };
            if !as_expected {
                let current = previous.map(|id| of_id(&transaction, id)).transpose().map_err(failed)?.flatten();
                return Err(ReviewError::Conflict { part: new.part.clone(), current: current.map(Box::new) });
            }
            if new.verdict == ReviewVerdict::Withdrawn && state == ReviewState::None.code() {
                return Err(ReviewError::NothingToWithdraw(new.part.clone()));
            }
            let at = jiff::Timestamp::now().as_millisecond();
            let code = new.verdict.state().code();
            let write = || -> rusqlite::Result<i64> {
                transaction.execute(
                    "INSERT INTO review (part, verdict, defect, comment, user, at, previous) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![new.part, code, defect, comment, user, at, previous],
                )?;
                let id = transaction.last_insert_rowid();
                transaction.execute(
                    "UPDATE verdict SET review = ?2, review_id = ?3 WHERE id = ?1",
                    params![new.part, code, id],
                )?;
                Ok(id)
            };
            let id = write().map_err(failed)?;
            transaction.commit().map_err(failed)?;
            let (part, verdict) = (new.part.clone(), new.verdict);
            Ok(Review { id, part, verdict, defect: defect.clone(), comment: comment.clone(), user: user.clone(), at, previous })
        })
    }

    /// Starts a batch: parts whose pictures are taken from now on belong to it, until the next is started.
    ///
    /// # Errors
    /// [`ReviewError::Text`], [`ReviewError::Store`].
    pub fn start_batch(&self, name: &str, actor: &str) -> Result<Batch, ReviewError> {
        let (name, actor) = (text("name", name, MAX_NAME)?, text("actor", actor, MAX_NAME)?);
        self.write(|connection, failed| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
            let now = jiff::Timestamp::now().as_millisecond();
            // Two in one millisecond, or a clock that was put back: each has a moment of its own, in the order in which they were started.
            let sql = "INSERT INTO batch (name, actor, at)
                 SELECT ?1, ?2, max(?3, coalesce((SELECT at + 1 FROM batch ORDER BY id DESC LIMIT 1), 0)) RETURNING id, at";
            let (id, at) = transaction
                .query_row(sql, params![name, actor, now], |r| Ok((r.get(0)?, r.get(1)?)))
                .map_err(failed)?;
            transaction.commit().map_err(failed)?;
            Ok(Batch { id, name: name.clone(), actor: actor.clone(), at })
        })
    }

    pub(super) fn write<T>(
        &self,
        write: impl FnOnce(&mut Connection, &dyn Fn(rusqlite::Error) -> ReviewError) -> Result<T, ReviewError>,
    ) -> Result<T, ReviewError> {
        let mut place = self.0.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => schema::open(&self.0.path)?,
        };
        let written = write(&mut connection, &|e| StoreError::new(&self.0.path, e).into());
        *place = Some(connection);
        written
    }
}

/// A text without control characters but line ends, not empty, not too long.
pub(super) fn text(field: &'static str, given: &str, most: usize) -> Result<String, ReviewError> {
    let given = given.trim();
    let letters = given.chars().count();
    let fault = if given.is_empty() {
        TextFault::Empty
    } else if letters > most {
        TextFault::Long { letters, most }
    } else if given.chars().any(|c| c.is_control() && c != '\n') {
        TextFault::Control
    } else {
        return Ok(given.to_owned());
    };
    Err(ReviewError::Text { field, fault })
}

const COLUMNS: &str = "id, part, verdict, defect, comment, user, at, previous";

fn read(r: &Row<'_>) -> rusqlite::Result<Review> {
    Ok(Review {
        id: r.get(0)?,
        part: r.get(1)?,
        verdict: ReviewVerdict::from_code(r.get(2)?),
        defect: r.get(3)?,
        comment: r.get(4)?,
        user: r.get(5)?,
        at: r.get(6)?,
        previous: r.get(7)?,
    })
}

fn of_id(connection: &Connection, id: i64) -> rusqlite::Result<Option<Review>> {
    connection.query_row(&format!("SELECT {COLUMNS} FROM review WHERE id = ?1"), [id], read).optional()
}

/// Kinds of defect that were ever given, the usual ones first.
pub(super) fn defects(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT defect FROM review WHERE defect IS NOT NULL GROUP BY defect ORDER BY count(*) DESC, defect";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map([], |r| r.get(0))?;
    found.collect()
}

/// Reviews of a part, oldest first.
pub(super) fn of_part(connection: &Connection, part: &str) -> rusqlite::Result<Vec<Review>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM review WHERE part = ?1 ORDER BY id"))?;
    let found = statement.query_map([part], read)?;
    found.collect()
}

/// Reviews before this number, newest first.
pub(super) fn newest(connection: &Connection, before: i64, limit: u32) -> rusqlite::Result<Vec<Review>> {
    let sql = format!("SELECT {COLUMNS} FROM review WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_map(params![before, limit], read)?;
    found.collect()
}
