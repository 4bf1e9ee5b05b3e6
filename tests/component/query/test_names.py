"""Services, operations, attribute keys and values over HTTP."""

import httpx
import pytest


def test_services(http: httpx.Client) -> None:
    assert {"cart/eu", "shop"} <= set(http.get("/api/v1/services").json()["services"])


@pytest.mark.parametrize("written", ["cart%2Feu", "cart/eu"])
def test_operations_of_a_service_with_a_slash(http: httpx.Client, written: str) -> None:
    answer = http.get(f"/api/v1/services/{written}/operations")
    assert answer.json() == {"operations": [{"name": "GET /cart", "kind": "server"}]}


def test_operations_by_kind(http: httpx.Client) -> None:
    answer = http.get("/api/v1/services/shop/operations?kind=client")
    assert answer.json() == {"operations": [{"name": "call cart", "kind": "client"}]}
    assert http.get("/api/v1/services/nobody/operations").json() == {"operations": []}
    assert http.get("/api/v1/services/shop/operations?kind=x").json()["parameter"] == "kind"


def test_attribute_keys(http: httpx.Client) -> None:
    assert http.get("/api/v1/attributes").json() == {"keys": ["error.type", "http.route", "http.status_code"]}
    assert http.get("/api/v1/attributes?prefix=http.&limit=1").json() == {"keys": ["http.route"]}
    assert http.get("/api/v1/attributes?level=resource").json() == {"keys": ["host.name", "service.name"]}
    assert http.get("/api/v1/attributes?level=event").json() == {"keys": ["exception.type"]}
    assert "bytes" in http.get("/api/v1/attributes?signal=logs&level=log").json()["keys"]


def test_attribute_values(http: httpx.Client) -> None:
    codes = http.get("/api/v1/attributes/http.status_code/values").json()
    assert codes == {"values": [{"value": "500", "type": "int"}, {"value": "200", "type": "int"}]}
    hosts = http.get("/api/v1/attributes/host.name/values?level=resource&prefix=shop").json()
    assert hosts == {"values": [{"value": "shop-1", "type": "string"}]}
    assert http.get("/api/v1/attributes/no/such/key/values").json() == {"values": []}


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/api/v1/attributes?signal=metrics", "signal"),
        ("/api/v1/attributes?level=cloud", "level"),
        ("/api/v1/attributes?limit=0", "limit"),
        ("/api/v1/attributes/k/values?limit=1001", "limit"),
        ("/api/v1/services?prefix=a", "prefix"),
    ],
)
def test_problems_name_the_parameter(http: httpx.Client, path: str, parameter: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)
