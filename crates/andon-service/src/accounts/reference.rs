//! Reference pictures: what each camera is to see. They are with the users, because they are kept as long, and by the same people.

use rusqlite::{OptionalExtension, params};

use super::{AccountError, Accounts};

/// The reference picture of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// When it was kept, RFC 3339 UTC.
    pub at: String,
    /// By whom.
    pub user: String,
    /// Id of the verdict on its part.
    pub part: String,
    /// The picture.
    pub jpeg: Vec<u8>,
}

impl Accounts {
    /// The reference picture of a camera, by the camera's name.
    ///
    /// # Errors
    /// [`AccountError::Database`].
    pub fn reference(&self, camera: &str) -> Result<Option<Reference>, AccountError> {
        let db = self.lock();
        let mut found = db.prepare_cached("SELECT at, name, part, jpeg FROM reference WHERE camera = ?1")?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Reference { at: row.get(0)?, user: row.get(1)?, part: row.get(2)?, jpeg: row.get(3)? })
        };
        Ok(found.query_row([camera], read).optional()?)
    }

    /// Keeps a picture as the reference of a camera, in place of the one before.
    ///
    /// # Errors
    /// [`AccountError::Database`].
    pub fn keep_reference(&self, camera: &str, user: &str, part: &str, jpeg: &[u8]) -> Result<(), AccountError> {
        let at = jiff::Timestamp::now().to_string();
        self.lock().execute(
            "INSERT OR REPLACE INTO reference (camera, at, name, part, jpeg) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![camera, at, user, part, jpeg],
        )?;
        Ok(())
    }
}
