"""The daily run as the original specification has it: pages in turn, \\copy, and its SQL over everything.

What the specification leaves open is filled in as plainly as possible: blob storage is a folder, the two
staging tables have keys, and the day that was fetched replaces what was staged of it.
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import requests

PAGE_SIZE = 100


def fetch_product_usage(session: requests.Session, start_date: str, end_date: str) -> list[dict]:
    all_records: list[dict] = []
    page = 1
    has_more = True
    while has_more:
        response = session.get(
            os.environ["API_URL"],
            params={"start_date": start_date, "end_date": end_date, "page": page, "page_size": PAGE_SIZE},
            headers={"Authorization": f"Bearer {os.environ['API_TOKEN']}"},
            timeout=30,
        )
        response.raise_for_status()
        records = response.json().get("data", [])
        all_records.extend(records)
        has_more = len(records) == PAGE_SIZE
        page += 1
    return all_records


def upload_to_blob(records: list[dict], target_date: str) -> None:
    blob = Path(os.environ["FOLDER"]) / "product_usage" / target_date / f"usage_{target_date}.json"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_text("\n".join(json.dumps(record) for record in records))


def write_csv(records: list[dict]) -> Path:
    path = Path(os.environ["FOLDER"]) / "usage.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        for record in records:
            writer.writerow([record["company_id"], record["date"], record["active_users"], record["events"]])
    return path


def main() -> None:
    start_date, end_date = os.environ["START"], os.environ["END"]
    with requests.Session() as session:
        records = fetch_product_usage(session, start_date, end_date)
    upload_to_blob(records, end_date)
    usage = write_csv(records)
    statements = Path(__file__).with_name("load.sql").read_text()
    fact = Path(os.environ["SEED_SQL"]).read_text()
    script = (
        statements.replace(":start_date", f"DATE '{start_date}'")
        .replace(":end_date", f"DATE '{end_date}'")
        .replace(":crm_file", os.environ["CRM_FILE"])
        .replace(":usage_file", str(usage))
        .replace(":fact", fact)
    )
    psql = [os.environ["PSQL"], "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", os.environ["DATABASE_URL"]]
    sys.exit(subprocess.run(psql, input=script, text=True, check=False).returncode)


if __name__ == "__main__":
    main()
