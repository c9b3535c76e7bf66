//! The suite on object storage, as in production.

use anyhow::{Context as _, Result};
use e2e::{
    azurite::Azurite,
    runs::counters,
    settings::{Layout, Settings},
    suite::Suite,
    vectors::Vector,
};
use futures::TryStreamExt as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _, path::Path};
use proto::pipeline::v1::RunState;

#[tokio::test]
async fn exports_are_read_from_and_raw_records_land_in_blob_storage() -> Result<()> {
    let azurite = Azurite::start().await?;
    let container = azurite.create_container("raw-data").await?;
    let vector = Vector::snapshots()?;
    for (name, content) in &vector.exports {
        container.put(&Path::from(format!("crm/daily/{name}")), content.clone().into()).await?;
    }
    let settings = Settings::default()
        .flag("ingest-crm", "--crm-url", "az://raw-data/crm/daily/")
        .flag("ingest-crm", "--crm-archive-url", "az://raw-data/")
        .flag("ingest-api", "--landing-url", "az://raw-data/")
        .variable("AZURE_STORAGE_CONNECTION_STRING", &azurite.connection_string());
    let suite = Suite::start(Layout::Standalone, settings).await?;
    for record in &vector.usage {
        suite.sources.add_usage(record)?;
    }

    let run = suite.run_to_end(vector.window, false).await?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    assert_eq!(counters(&run, domain::run::STAGE_COPY_CRM_CSV)?.rows_read, 7);
    suite.fact(vector.window).await?.must_equal(&vector.expected)?;

    // Every loaded export has a copy, byte for byte.
    let copies: Vec<_> = container.list(Some(&Path::from("crm/archive"))).try_collect().await?;
    assert_eq!(copies.len(), vector.exports.len(), "{copies:#?}");
    for (name, content) in &vector.exports {
        let folder = Path::from(format!("crm/archive/{name}"));
        let copy = copies.iter().find(|copy| copy.location.prefix_matches(&folder));
        let copy = &copy.with_context(|| format!("there is no copy of {name}"))?.location;
        assert_eq!(container.get(copy).await?.bytes().await?, content.as_bytes(), "{name}");
    }

    // Landed files hold what the API answered, one record per line, under the seed's names.
    for day in vector.window.days() {
        let path = Path::from(format!("product_usage/{day}/usage_{day}.json"));
        let answered = suite.sources.book.records(day);
        if answered.is_empty() {
            continue;
        }
        let landed = container.get(&path).await?.bytes().await?;
        let landed: Vec<serde_json::Value> =
            std::str::from_utf8(&landed)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let answered: Vec<serde_json::Value> =
            answered.iter().map(|record| serde_json::from_str(record)).collect::<Result<_, _>>()?;
        assert_eq!(landed, answered, "{day}");
    }
    let landed: Vec<_> = container.list(Some(&Path::from("product_usage"))).try_collect().await?;
    assert_eq!(landed.len(), suite.sources.book.days().len(), "{landed:#?}");
    Ok(())
}
