//! Databases that live as long as a test.

use std::{env, thread};

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use url::Url;
use uuid::Uuid;

use crate::cluster;

/// Names a server to use instead of a private cluster.
const SERVER_VARIABLE: &str = "TEST_POSTGRES_URL";

/// The login that owns a schema: no superuser, and it may not create roles.
pub const OWNER: &str = "test_activity_owner";

/// The login of services.
pub const WRITER: &str = "test_activity_writer";

/// The login of readers.
pub const READER: &str = "test_activity_reader";

/// Creates what an administrator creates. Roles belong to the server, which other test
/// processes may use at the same time.
const ROLES: &str = include_str!("roles.sql");

/// A separate database, dropped with this value.
#[derive(Debug)]
pub struct Database {
    server: Url,
    name: String,
    /// Its owner, if that is not the server's user.
    owner: Option<&'static str>,
}

impl Database {
    /// Creates an empty database.
    ///
    /// # Errors
    /// If there is no Postgres to create it on; the error says how to get one.
    pub async fn create() -> Result<Self> {
        Self::create_on(server().await?).await
    }

    /// Creates an empty database on the given server.
    ///
    /// # Errors
    /// If the server is away, or does not let its user create databases.
    pub async fn create_on(server: Url) -> Result<Self> {
        // Not from the default template, to which administrators may have added objects.
        Self::from_template(server, "template0", None).await
    }

    /// Creates an empty database whose owner is [`OWNER`], with the roles of the suite
    /// and a login for each.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn create_with_roles() -> Result<Self> {
        Self::create_with_roles_on(server().await?).await
    }

    /// Like [`create_with_roles`](Self::create_with_roles), on the given server.
    ///
    /// # Errors
    /// As [`create_on`](Self::create_on).
    pub async fn create_with_roles_on(server: Url) -> Result<Self> {
        administrate(&server, ROLES.to_owned()).await.context("cannot create roles for a test")?;
        Self::from_template(server, "template0", Some(OWNER)).await
    }

    /// Creates a copy of this database. Nobody may be connected to this one meanwhile.
    ///
    /// # Errors
    /// If somebody is connected, or the server is away.
    pub async fn copy(&self) -> Result<Self> {
        Self::from_template(self.server.clone(), &self.name, self.owner).await
    }

    /// The URL of the database.
    #[must_use]
    pub fn url(&self) -> String {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url.into()
    }

    /// The URL of the database for the login `role`.
    #[must_use]
    pub fn url_of(&self, role: &str) -> String {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        // Only a URL without a host takes no user.
        let _ = url.set_username(role);
        let _ = url.set_password(None);
        url.into()
    }

    async fn from_template(server: Url, template: &str, owner: Option<&'static str>) -> Result<Self> {
        let name = format!("test_{}", Uuid::now_v7().simple());
        let owned = owner.map(|owner| format!("OWNER {owner} ")).unwrap_or_default();
        let statement = format!("CREATE DATABASE {name} {owned}TEMPLATE {template}");
        administrate(&server, statement).await.context("cannot create a database for a test")?;
        Ok(Self { server, name, owner })
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

/// The server of the tests.
async fn server() -> Result<Url> {
    match env::var(SERVER_VARIABLE) {
        Ok(url) => Url::parse(&url).with_context(|| format!("{SERVER_VARIABLE} is no URL")),
        // Starting a cluster takes a second, which must not block other tasks.
        Err(_) => tokio::task::spawn_blocking(cluster::shared_url).await?,
    }
}

async fn administrate(server: &Url, statement: String) -> Result<()> {
    let mut connection: PgConnection = server.as_str().parse::<PgConnectOptions>()?.connect().await?;
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(connection.close().await?)
}
