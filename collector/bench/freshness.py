"""How long after its acknowledgement a trace can be read: one probe span at a time, beside whatever else runs."""

import threading
import time
from http.client import HTTPException

from collector.bench.api import Api
from collector.bench.senders import OK, GrpcSender
from collector.bench.server import Endpoints
from collector.bench.templates import trace_templates

_GIVE_UP_SECONDS = 30.0


class FreshnessProbe:
    """Sends a span, polls for its trace, notes the seconds between acknowledgement and first sight."""

    def __init__(self, endpoints: Endpoints, poll_seconds: float) -> None:
        """Connect. The result is exact to `poll_seconds`; every poll is a query that the server pays for."""
        self.acknowledged = 0
        self.seconds: list[float] = []
        self._sender = GrpcSender(endpoints.otlp_grpc, "traces")
        self._api = Api(endpoints.query)
        self._template = trace_templates(1, 1)[0]
        self._poll_seconds = poll_seconds
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def once(self) -> None:
        """Make one probe."""
        if self._sender.send(self._template.render(time.time_ns())) != OK:
            return
        self.acknowledged += 1
        acked = time.monotonic()
        path = f"/api/v1/traces/{self._template.some_trace_id().hex()}"
        while time.monotonic() - acked < _GIVE_UP_SECONDS:
            if self._is_there(path):
                break
            time.sleep(self._poll_seconds)
        self.seconds.append(time.monotonic() - acked)

    def start(self, every_seconds: float) -> None:
        """Probe again and again in a thread of its own."""

        def run() -> None:
            while not self._stop.wait(every_seconds):
                self.once()

        self._thread = threading.Thread(target=run, name="freshness-probe")
        self._thread.start()

    def close(self) -> None:
        """Finish the running probe and disconnect."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._sender.close()
        self._api.close()

    def _is_there(self, path: str) -> bool:
        try:
            return self._api.get(path)[0] == 200
        except (OSError, HTTPException):
            return False
