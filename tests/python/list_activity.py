"""A client in another language, generated from the contracts alone.

Usage: list_activity.py PROTO_FOLDER SERVER START_DATE END_DATE

Lists the published activity page by page and prints it as JSON lines: numbers as numbers,
NULLs as null, times as RFC 3339.
"""

import json
import pathlib
import sys
import tempfile

import grpc
from grpc_tools import protoc

PACKAGE = "company_activity/activity/v1/activity.proto"
PAGE_SIZE = 10
# Columns whose names are not valid in protobuf, where identifiers begin with a letter.
COLUMNS = {"active_users_7d": "7d_active_users"}


def generate(protos: str, out: str) -> None:
    well_known = pathlib.Path(protoc.__file__).parent / "_proto"
    arguments = ["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}", PACKAGE]
    if protoc.main(arguments) != 0:
        raise SystemExit("the contracts do not compile")


def as_json(row) -> dict:
    """All fields of the row, taken from the contract: a new one needs no change here."""
    return {COLUMNS.get(field.name, field.name): value(row, field) for field in row.DESCRIPTOR.fields}


def value(row, field):
    if field.has_presence and not row.HasField(field.name):
        return None
    found = getattr(row, field.name)
    return found.ToJsonString() if field.message_type else found


def pages(stub, messages, start: str, end: str):
    token = ""
    while True:
        request = messages.ListCompanyActivityRequest(
            start_date=start, end_date=end, page_size=PAGE_SIZE, page_token=token
        )
        page = stub.ListCompanyActivity(request, timeout=30)
        yield page
        token = page.next_page_token
        if not token:
            return


def main() -> None:
    protos, server, start, end = sys.argv[1:]
    with tempfile.TemporaryDirectory() as out, grpc.insecure_channel(server) as channel:
        generate(protos, out)
        sys.path.insert(0, out)
        from company_activity.activity.v1 import activity_pb2, activity_pb2_grpc

        stub = activity_pb2_grpc.CompanyActivityServiceStub(channel)
        for page in pages(stub, activity_pb2, start, end):
            assert len(page.activities) <= PAGE_SIZE
            assert page.publication.run_id, "every page says which run published it"
            for row in page.activities:
                print(json.dumps(as_json(row)))


if __name__ == "__main__":
    main()
