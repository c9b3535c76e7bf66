//! Everything that a suite stores, to show that something changed nothing.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Result;

use crate::{database::Database, suite::Suite};

/// Every row of every table as text, and the content of every landed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Rows by table.
    pub tables: BTreeMap<String, Vec<String>>,
    /// Content by path.
    pub landed: BTreeMap<String, Vec<u8>>,
}

impl Suite {
    /// Reads everything that is stored.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn stored(&self) -> Result<Stored> {
        let tables = self.database().await?.rows().await?;
        let mut landed = BTreeMap::new();
        read_below(&self.landing_folder(), &mut landed)?;
        Ok(Stored { tables, landed })
    }

    /// The text of a landed file, by its path below the landing.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn landed_file(&self, path: &str) -> Result<String> {
        Ok(fs::read_to_string(self.landing_folder().join(path))?)
    }
}

impl Database {
    /// Every row of every table as text.
    async fn rows(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let mut tables = BTreeMap::new();
        for name in self.tables().await? {
            let row = match self {
                Self::Sqlite(_) => {
                    let columns =
                        format!("SELECT 'quote(\"' || name || '\")' FROM pragma_table_info('{name}')");
                    self.texts(columns).await?.join(" || ',' || ")
                }
                Self::Postgres(_) => "to_jsonb(stored)::TEXT".to_owned(),
            };
            let select = format!(r#"SELECT {row} FROM "{name}" AS stored ORDER BY 1"#);
            tables.insert(name, self.texts(select).await?);
        }
        Ok(tables)
    }
}

fn read_below(folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_below(&path, files)?;
        } else {
            files.insert(path.display().to_string(), fs::read(&path)?);
        }
    }
    Ok(())
}
