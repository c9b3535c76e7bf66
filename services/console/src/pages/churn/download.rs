//! The whole list as CSV, as `activityctl churn --format csv` writes it.

use axum::{
    body::{Body, Bytes},
    extract::Query,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::{Stream, TryStreamExt, stream};
use presentation::csv::CsvChurnRisks;
use proto::activity::v1::{ListChurnRisksRequest, ListChurnRisksResponse};
use tonic::Status;

use super::Asked;
use crate::{backend::Services, failure::Failure, visitor::Visitor};

/// The most companies per page that the service allows.
const PAGE_SIZE: i32 = 1_000;

/// `GET /churn.csv`
pub(crate) async fn download(visitor: Visitor, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    let asked = asked.checked()?;
    let request =
        ListChurnRisksRequest { page_size: PAGE_SIZE, page_token: String::new(), ..asked.request() };
    // What is refused is refused with a page that says why; later it can only break off.
    let first = page(&visitor.services, request.clone()).await?;
    let name = match &first.publication {
        Some(publication)
            if publication.activity_date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') =>
        {
            format!("churn-{}.csv", publication.activity_date)
        }
        _ => "churn.csv".to_owned(),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::try_from(format!("attachment; filename=\"{name}\""))
                .unwrap_or(HeaderValue::from_static("attachment")),
        ),
    ];
    Ok((headers, Body::from_stream(lines(visitor.services, request, first))).into_response())
}

async fn page(services: &Services, request: ListChurnRisksRequest) -> Result<ListChurnRisksResponse, Status> {
    Ok(services.activity().list_churn_risks(request).await?.into_inner())
}

/// Where a download has got to.
enum Next {
    /// Its first page, below the header.
    First(ListChurnRisksResponse),
    /// The page with this token.
    Page(String),
    End,
}

/// Page after page: no more than one is held. A list that is published anew meanwhile breaks
/// off, so that nobody takes half of two lists for one.
fn lines(
    services: Services,
    request: ListChurnRisksRequest,
    first: ListChurnRisksResponse,
) -> impl Stream<Item = Result<Bytes, axum::BoxError>> {
    stream::try_unfold(Next::First(first), move |next| {
        let (services, request) = (services.clone(), request.clone());
        async move {
            let (answer, is_first) = match next {
                Next::First(answer) => (answer, true),
                Next::Page(page_token) => {
                    (page(&services, ListChurnRisksRequest { page_token, ..request }).await?, false)
                }
                Next::End => return Ok::<_, axum::BoxError>(None),
            };
            let written = written(&answer, is_first)?;
            let next = match answer.next_page_token {
                token if token.is_empty() => Next::End,
                token => Next::Page(token),
            };
            Ok(Some((Bytes::from(written), next)))
        }
    })
    .inspect_err(|problem| tracing::warn!(%problem, "a download of churn risks has broken off"))
}

fn written(page: &ListChurnRisksResponse, is_first: bool) -> Result<Vec<u8>, axum::BoxError> {
    let mut written = Vec::new();
    let mut csv =
        if is_first { CsvChurnRisks::new(&mut written)? } else { CsvChurnRisks::below_header(&mut written) };
    page.churn_risks.iter().try_for_each(|risk| csv.write(risk))?;
    csv.flush()?;
    drop(csv);
    Ok(written)
}
