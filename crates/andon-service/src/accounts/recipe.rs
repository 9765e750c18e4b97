//! The recipe in force, so that a line begins again with what it ended with.

use rusqlite::OptionalExtension;

use super::{AccountError, Accounts};

const NAME: &str = "recipe";

impl Accounts {
    /// The recipe that the line was changed over to last; `None` if it never was, or was started without one since.
    ///
    /// # Errors
    /// [`AccountError::Database`].
    pub fn recipe(&self) -> Result<Option<String>, AccountError> {
        let db = self.lock();
        let mut found = db.prepare_cached("SELECT value FROM kept WHERE name = ?1")?;
        Ok(found.query_row([NAME], |row| row.get(0)).optional()?)
    }

    /// Keeps the recipe that the line was changed over to; `None` for the models of its cameras.
    ///
    /// # Errors
    /// [`AccountError::Database`].
    pub fn keep_recipe(&self, recipe: Option<&str>) -> Result<(), AccountError> {
        let db = self.lock();
        match recipe {
            Some(recipe) => db.execute("INSERT OR REPLACE INTO kept (name, value) VALUES (?1, ?2)", [NAME, recipe])?,
            None => db.execute("DELETE FROM kept WHERE name = ?1", [NAME])?,
        };
        Ok(())
    }
}
