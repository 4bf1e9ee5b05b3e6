"""`baton serve`: start, say so, wait for the signal, stop. Everything that can go wrong at start is one sentence."""

import sys

import structlog

from collector.banner import banner, query_url
from collector.config.model import Config
from collector.journal.journal import JournalLocked
from collector.logging import configure_logging
from collector.process import spare_what_stays, tune_process
from collector.query.ui_index import UiError
from collector.receivers.errors import ListenError
from collector.service import VERSION, Service
from collector.signals import StopSignal
from storage.errors import StorageRejected, StorageUnavailable

_log = structlog.get_logger(__name__)


def run(config: Config) -> int:
    """Run a service until a signal; return the exit code."""
    logs = config.service.telemetry.logs
    configure_logging(logs.format, logs.level)
    tune_process()
    service = Service(config)
    try:
        listening = service.start()
    except KeyboardInterrupt:
        return 130
    except (ListenError, UiError, JournalLocked, StorageUnavailable, StorageRejected, OSError, ValueError) as error:
        sys.stderr.write(f"Baton cannot start: {_said(error)}\n")
        return 1
    spare_what_stays()
    stop = StopSignal()
    if logs.format == "json":  # whoever asked for lines of JSON parses every line
        _log.info("ready", version=VERSION, query=query_url(config, listening))
    else:
        sys.stdout.write(f"\n{banner(config, listening)}\n\n")
        sys.stdout.flush()
    name = stop.wait()
    _log.info("stopping", signal=name)
    service.close()
    _log.info("stopped")
    return 0


def _said(error: Exception) -> str:
    """Return an error as a sentence: the system's own have a number and no context."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.strerror}: {error.filename}"
    return str(error)
