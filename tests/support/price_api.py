"""The Price List API on a loopback port: GetProducts, in the form that its API reference and price lists have.

It filters by exact attributes, answers a few products a page, and may refuse.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = 3


def product(service: str, region: str, usage: str, *tiers: tuple[str, str], **attributes: str) -> dict[str, Any]:
    """tiers: where each begins, and its price in dollars."""
    sku = f"{region}{usage}{''.join(attributes.values())}".upper()
    dimensions = {
        f"{sku}.JRTCKXETXF.{number}": {
            "unit": "x",
            "beginRange": begin,
            "endRange": "Inf",
            "description": "",
            "appliesTo": [],
            "rateCode": f"{sku}.JRTCKXETXF.{number}",
            "pricePerUnit": {"USD": usd},
        }
        for number, (begin, usd) in enumerate(tiers)
    }
    return {
        "serviceCode": service,
        "version": "20260911124422",
        "publicationDate": "2026-09-11T12:44:22Z",
        "product": {
            "sku": sku,
            "productFamily": "x",
            "attributes": {"regionCode": region, "usagetype": usage, "servicecode": service, **attributes},
        },
        "terms": {"OnDemand": {f"{sku}.JRTCKXETXF": {"sku": sku, "priceDimensions": dimensions}}},
    }


@dataclass
class PriceApi:
    products: Sequence[Mapping[str, Any]]
    refuse: bool = False
    other: Any = None  # the answer instead, of another form
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, request: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append(request)
        if self.other is not None:
            return 200, self.other
        if self.refuse:
            message = "User: x is not authorized to perform: pricing:GetProducts"
            return 400, {"__type": "AccessDeniedException", "Message": message}
        wanted = {each["Field"]: each["Value"] for each in request["Filters"]}
        found = [
            json.dumps(each)
            for each in self.products
            if each["serviceCode"] == request["ServiceCode"]
            and wanted.items() <= each["product"]["attributes"].items()
        ]
        begin = int(request.get("NextToken", 0))
        more = {"NextToken": str(begin + PAGE)} if len(found) > begin + PAGE else {}
        return 200, {"FormatVersion": "aws_v1", "PriceList": found[begin : begin + PAGE], **more}


@contextmanager
def price_api(*products: Mapping[str, Any]) -> Iterator[PriceApi]:
    api = PriceApi(products)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["X-Amz-Target"] == "AWSPriceListService.GetProducts"
            status, reply = api.answer(body)
            data = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
