"""The daily run with dlt and dbt, tuned as their documentation recommends.

dlt: whole pages are yielded, days are fetched in parallel threads, the CRM file is read as an Arrow table, files
are loaded by COPY (loader_file_format="csv"), several normalise and load workers, frozen columns. The days that
were fetched before and may have changed are fetched again and replaced (merge_key="date").
dbt: an incremental model that replaces whole days (delete+insert), with a look-back. It runs in this process.
"""

import os
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = Path(os.environ["FOLDER"])
os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "EXTRACT__WORKERS": "8",
    "NORMALIZE__WORKERS": "2",
    "LOAD__WORKERS": "4",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "50000",
    "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS": "200000",
    "SOURCES__DATA_WRITER__FILE_MAX_ITEMS": "200000",
    "DESTINATION__POSTGRES__CREDENTIALS": os.environ["DATABASE_URL"],
    "DLT_DATA_DIR": str(FOLDER / "dlt"),
}

import dlt
import pyarrow
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator
from pyarrow import csv

PAGE_SIZE = 100
REPOLL_DAYS = int(os.environ["REPOLL_DAYS"])
TEXTS = ["company_id", "name", "country", "industry_tag", "last_contact_at"]


@dlt.resource(write_disposition="replace")
def crm_companies() -> Iterator[pyarrow.Table]:
    types = csv.ConvertOptions(column_types=dict.fromkeys(TEXTS, pyarrow.string()), strings_can_be_null=True)
    yield csv.read_csv(os.environ["CRM_FILE"], convert_options=types)


@dlt.resource(selected=False)
def days() -> Iterator[date]:
    first, last = date.fromisoformat(os.environ["START"]), date.fromisoformat(os.environ["END"])
    if not os.environ.get("FIRST_LOAD"):
        first -= timedelta(days=REPOLL_DAYS)
    yield from (first + timedelta(days=offset) for offset in range((last - first).days + 1))


@dlt.transformer(
    data_from=days,
    parallelized=True,
    write_disposition={"disposition": "merge", "strategy": "delete-insert"},
    merge_key="date",
    columns={
        "company_id": {"data_type": "text", "nullable": False},
        "date": {"data_type": "date", "nullable": False},
        "active_users": {"data_type": "bigint", "nullable": False},
        "events": {"data_type": "bigint", "nullable": False},
    },
    schema_contract={"tables": "evolve", "columns": "freeze", "data_type": "freeze"},
)
def product_usage(day: date) -> Iterator[list]:
    client = RESTClient(
        base_url=os.environ["API_URL"],
        auth=BearerTokenAuth(os.environ["API_TOKEN"]),
        paginator=PageNumberPaginator(base_page=1, total_path=None),
        data_selector="data",
    )
    parameters = {"start_date": day.isoformat(), "end_date": day.isoformat(), "page_size": PAGE_SIZE}
    yield from client.paginate("", params=parameters)


def load() -> None:
    pipeline = dlt.pipeline("daily", destination="postgres", dataset_name="raw")
    pipeline.run([crm_companies, product_usage], loader_file_format="csv").raise_on_failed_jobs()


def build() -> bool:
    from dbt.cli.main import dbtRunner

    project = ["--project-dir", str(HERE), "--profiles-dir", str(HERE)]
    places = ["--target-path", str(FOLDER / "dbt"), "--log-path", str(FOLDER / "dbt"), "--quiet"]
    return dbtRunner().invoke(["run", *project, *places]).success


if __name__ == "__main__":
    load()
    sys.exit(0 if build() else 1)
