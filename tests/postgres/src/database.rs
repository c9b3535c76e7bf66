//! Databases that live as long as a test.

use std::{env, thread};

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use url::Url;
use uuid::Uuid;

use crate::cluster;

/// Names a server to use instead of a private cluster.
const SERVER_VARIABLE: &str = "TEST_POSTGRES_URL";

/// A separate database, dropped with this value.
#[derive(Debug)]
pub struct Database {
    server: Url,
    name: String,
}

impl Database {
    /// Creates an empty database.
    ///
    /// # Errors
    /// If there is no Postgres to create it on; the error says how to get one.
    pub async fn create() -> Result<Self> {
        let server = match env::var(SERVER_VARIABLE) {
            Ok(url) => Url::parse(&url).with_context(|| format!("{SERVER_VARIABLE} is no URL"))?,
            // Starting a cluster takes a second, which must not block other tasks.
            Err(_) => tokio::task::spawn_blocking(cluster::shared_url).await??,
        };
        Self::create_on(server).await
    }

    /// Creates an empty database on the given server.
    ///
    /// # Errors
    /// If the server is away, or does not let its user create databases.
    pub async fn create_on(server: Url) -> Result<Self> {
        // Not from the default template, to which administrators may have added objects.
        Self::from_template(server, "template0").await
    }

    /// Creates a copy of this database. Nobody may be connected to this one meanwhile.
    ///
    /// # Errors
    /// If somebody is connected, or the server is away.
    pub async fn copy(&self) -> Result<Self> {
        Self::from_template(self.server.clone(), &self.name).await
    }

    /// The URL of the database.
    #[must_use]
    pub fn url(&self) -> String {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url.into()
    }

    async fn from_template(server: Url, template: &str) -> Result<Self> {
        let name = format!("test_{}", Uuid::now_v7().simple());
        let statement = format!("CREATE DATABASE {name} TEMPLATE {template}");
        administrate(&server, statement).await.context("cannot create a database for a test")?;
        Ok(Self { server, name })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, statement) = (self.server.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        // On a separate thread, because a test's runtime cannot wait here. A
        // database left behind does no harm.
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(administrate(&server, statement))
        });
        let _ = dropped.join();
    }
}

async fn administrate(server: &Url, statement: String) -> Result<()> {
    let mut connection: PgConnection = server.as_str().parse::<PgConnectOptions>()?.connect().await?;
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(connection.close().await?)
}
