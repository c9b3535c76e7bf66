//! Tokens of a real OpenID provider.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use e2e::{
    binaries::Build,
    cli, found,
    openid::OpenIdProvider,
    process::{ANY_PORT, Process},
    secured::text,
    suite::ACTIVITYCTL,
};
use proto::activity::v1::{
    GetFreshnessRequest, company_activity_service_client::CompanyActivityServiceClient,
};
use tempfile::TempDir;
use tonic::{Code, Request, Status, transport::Endpoint};

const AUDIENCE: &str = "company-activity";

/// How often a service asks for keys at most, whatever tokens come.
const BETWEEN_REQUESTS: Duration = Duration::from_secs(10);

const HOUR: Duration = Duration::from_secs(3600);

/// A service that admits whoever the provider says is in a group.
struct Activity {
    process: Process,
    folder: TempDir,
}

impl Activity {
    async fn start(provider: &OpenIdProvider, group: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = |name: &str| folder.path().join(name).display().to_string();
        let policy = format!(
            "issuers:\n  - {{name: company, issuer: \"{}\", audiences: [{AUDIENCE}], leeway: 0s}}\n\
             grants:\n  - {{issuer: company, claim: groups, contains: {group}, roles: [reader]}}\n",
            provider.issuer()
        );
        fs::write(file("access.yaml"), policy)?;
        let warehouse = format!("sqlite://{}", file("warehouse.sqlite"));
        let arguments =
            ["--warehouse-url".to_owned(), warehouse, "--access-file".to_owned(), file("access.yaml")];
        let process = Process::start(Build::Current, "activity", ANY_PORT, arguments, &[]).await?;
        Ok(Self { process, folder })
    }

    /// Calls it as a client does that knows nothing but the contract.
    async fn call(&self, token: &str) -> Result<(), Status> {
        let endpoint =
            Endpoint::from_shared(self.process.url()).map_err(|e| Status::internal(e.to_string()))?;
        let mut client = CompanyActivityServiceClient::new(endpoint.connect_lazy());
        let mut request = Request::new(GetFreshnessRequest {});
        let header = format!("Bearer {token}").parse().map_err(|_| Status::internal("no header"))?;
        request.metadata_mut().insert("authorization", header);
        client.get_freshness(request).await.map(drop)
    }

    /// What the call is refused with.
    async fn refusal(&self, token: &str) -> Result<(Code, String)> {
        let refused = self.call(token).await.err().context("the call was let in")?;
        Ok((refused.code(), refused.message().to_owned()))
    }

    /// Calls it with the command line.
    async fn ask(&self, token: &str) -> Result<cli::Outcome> {
        let file = self.folder.path().join("token");
        fs::write(&file, token)?;
        let arguments = ["freshness", "--server", &self.process.url(), "--token-file", text(&file)?];
        cli::run(ACTIVITYCTL, &arguments, &[]).await
    }
}

fn keys(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}

#[tokio::test]
async fn its_tokens_open_what_their_claims_are_granted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let provider = OpenIdProvider::start(&keys(folder.path(), "one")).await?;
    let (activity, others) =
        tokio::try_join!(Activity::start(&provider, "data-analysts"), Activity::start(&provider, "board"))?;
    for algorithm in ["RS256", "ES256"] {
        let token = provider.token(AUDIENCE, algorithm, HOUR).await?;
        activity.call(&token).await?;
        activity.ask(&token).await?.success()?;
        let (code, message) = others.refusal(&token).await?;
        assert_eq!(code, Code::PermissionDenied, "{message}");
        assert!(message.starts_with("company:dashboard may not call"), "{message}");
    }
    // Each of the two services, once.
    assert_eq!(provider.key_requests(), 2);
    Ok(())
}

#[tokio::test]
async fn its_tokens_end_and_are_for_one_audience_and_no_other_provider_speaks_for_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (one, other) = (keys(folder.path(), "one"), keys(folder.path(), "other"));
    let (provider, other) = tokio::try_join!(OpenIdProvider::start(&one), OpenIdProvider::start(&other))?;
    let activity = Activity::start(&provider, "data-analysts").await?;

    let for_others = provider.token("payroll", "RS256", HOUR).await?;
    let of_others = other.token(AUDIENCE, "RS256", HOUR).await?;
    for (token, reason) in [
        (
            for_others,
            "the token is for another audience; company tokens must be for company-activity".to_owned(),
        ),
        (of_others, format!("the token's issuer \"{}\" is not configured", other.issuer())),
    ] {
        assert_eq!(activity.refusal(&token).await?, (Code::Unauthenticated, reason.clone()));
        let outcome = activity.ask(&token).await?;
        assert!(outcome.code == 1 && outcome.stderr.contains(&reason), "{outcome:?}");
        assert!(!outcome.stderr.contains(&token), "{outcome:?}");
    }

    let short = provider.token(AUDIENCE, "ES256", Duration::from_secs(3)).await?;
    activity.call(&short).await.context("a token that has seconds left")?;
    let reason = found("the end of the token", async || Ok(activity.call(&short).await.err())).await?;
    assert_eq!(reason.code(), Code::Unauthenticated, "{reason:?}");
    assert!(reason.message().starts_with("the token expired at"), "{reason:?}");
    Ok(())
}

#[tokio::test]
async fn its_new_keys_are_fetched_once_and_tokens_of_the_old_ones_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let provider = OpenIdProvider::start(&keys(folder.path(), "old")).await?;
    let activity = Activity::start(&provider, "data-analysts").await?;
    let old = provider.token(AUDIENCE, "ES256", HOUR).await?;
    activity.call(&old).await?;
    assert_eq!(provider.key_requests(), 1);

    let provider = provider.restart(&keys(folder.path(), "new")).await?;
    let began = Instant::now();
    let new = provider.token(AUDIENCE, "ES256", HOUR).await?;
    found("the new key", async || match activity.call(&new).await {
        Ok(()) => Ok(Some(())),
        // Asked a moment ago, the service says when it asks again.
        Err(status) if status.code() == Code::Unavailable => {
            assert!(status.message().contains("it is asked again in"), "{status:?}");
            Ok(None)
        }
        Err(status) => Err(status.into()),
    })
    .await?;
    assert_eq!(provider.key_requests(), 1);
    activity.ask(&new).await?.success()?;

    // From here on the key of the old tokens is one that nobody has, and a flood of them does
    // not become one of requests to the provider.
    found("the end of the old key", async || match activity.call(&old).await {
        Ok(()) => anyhow::bail!("a token of a withdrawn key was admitted"),
        Err(status) if status.code() == Code::Unavailable => Ok(None),
        Err(status) => {
            assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
            assert_eq!(status.message(), "the token is signed with a key that company does not have");
            Ok(Some(()))
        }
    })
    .await?;
    for _ in 0..50 {
        activity.refusal(&old).await?;
    }
    activity.call(&new).await?;
    let most = 1 + began.elapsed().as_secs() / BETWEEN_REQUESTS.as_secs();
    let asked = provider.key_requests() as u64;
    assert!(asked <= most, "asked {asked} times, at most {most} were due");
    Ok(())
}
