"""Which status and body each failure gets, in both generations."""

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from collector.query.jaeger.answers import V1Route, V3Route
from storage.errors import QueryLimitExceeded, StorageRejected, StorageUnavailable


def app(error: Exception) -> FastAPI:
    built = FastAPI()
    for prefix, route_class in (("/v1", V1Route), ("/v3", V3Route)):
        router = APIRouter(prefix=prefix, route_class=route_class)

        @router.get("/fail")
        def fail() -> None:
            raise error

        built.include_router(router)
    return built


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StorageUnavailable("disk is away"), 503),
        (QueryLimitExceeded("took over 30 s"), 422),
        (StorageRejected("no such regex"), 400),
    ],
)
async def test_storage_errors(error: Exception, status: int) -> None:
    transport = httpx.ASGITransport(app(error))
    async with httpx.AsyncClient(transport=transport, base_url="http://baton") as client:
        first, third = await client.get("/v1/fail"), await client.get("/v3/fail")
    assert (first.status_code, third.status_code) == (status, status)
    assert first.json()["errors"] == [{"code": status, "msg": str(error)}]
    assert third.json() == {"error": {"httpCode": status, "message": str(error)}}
    assert ("retry-after" in first.headers) == (status == 503)
