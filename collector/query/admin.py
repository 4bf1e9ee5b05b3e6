"""What only an operator may do: emptying the store, for test suites and demos."""

from collections.abc import Callable

import anyio.to_thread
from fastapi import APIRouter, Depends, Response

from collector.query.answers import json_answer
from collector.query.problems import Problem
from collector.query.strict import strict_parameters


def admin_router(purge: Callable[[], None] | None) -> APIRouter:
    """Return POST /api/v1/admin/purge. `purge` returns once reads see nothing; None means that it is not allowed."""
    router = APIRouter(tags=["operations"])

    @router.post("/api/v1/admin/purge", summary="Empty the store", dependencies=[Depends(strict_parameters)])
    async def empty() -> Response:
        """Remove every span and log record. 200 once reads see nothing; what arrives afterwards is kept.

        403 unless the configuration has `extensions: admin: allow_purge: true`.
        """
        if purge is None:
            raise Problem("forbidden", "set extensions.admin.allow_purge to true to allow this")
        await anyio.to_thread.run_sync(purge)
        return json_answer({"purged": True})

    return router
