"""Sees, before anything is stored, that servers can be used; says in words what somebody has to set up."""

import contextlib
from collections.abc import Iterator

from clickhouse_connect.driver.client import Client

from storage.clickhouse.connections import Connections
from storage.clickhouse.settings import ServerSettings
from storage.errors import StorageRejected, StorageUnavailable

# The long-term release whose settings of tables and queries are used; older ones lack some.
MIN_VERSION = (26, 3)

_RIGHTS = "SELECT, INSERT, CREATE TABLE, CREATE VIEW, ALTER, TRUNCATE"
_MESSAGES = {
    81: "there is no database {database}, and the user {username} may not create it",
    164: "the user {username} may not change settings: its profile has readonly set",
    192: "there is no user {username}",
    193: "the password of the user {username} is wrong",
    194: "the user {username} needs a password",
    497: "the user {username} lacks a right that Baton needs",
    516: "the user {username} or the password is wrong",
}


@contextlib.contextmanager
def setup_errors(settings: ServerSettings) -> Iterator[None]:
    """Turn what only a person can put right into StorageRejected with a message for that person."""
    try:
        yield
    except (StorageUnavailable, StorageRejected) as error:
        message = _MESSAGES.get(getattr(error.__cause__, "code", None) or 0)
        if message is None:
            raise
        known = message.format(username=settings.username, database=settings.database)
        raise StorageRejected(f"ClickHouse: {known} ({error})") from error


def prepare(connections: Connections, settings: ServerSettings) -> str:
    """Check version, cluster and rights, create the database where it is missing; return the version.

    Raises: StorageUnavailable when no server answers; StorageRejected when somebody has to set something up.
    """
    with setup_errors(settings):
        version = connections.run(lambda client: client.server_version or "")
        if _numbers(version) < MIN_VERSION:
            needed = ".".join(str(number) for number in MIN_VERSION)
            raise StorageRejected(f"this server is ClickHouse {version}; Baton needs {needed} or newer")
        if settings.cluster is not None:
            connections.run(lambda client: _check_cluster(client, settings), writing=True)
        if connections.run(lambda client: _lacks_database(client, settings), writing=True):
            connections.run(lambda client: _create_database(client, settings), writing=True)
        connections.run(lambda client: _check_rights(client, settings), writing=True)
    return version


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _check_cluster(client: Client, settings: ServerSettings) -> None:
    cluster = f"FROM system.clusters WHERE cluster = '{settings.cluster}'"
    if not _ask(client, f"SELECT count() > 0 {cluster}"):
        raise StorageRejected(f"ClickHouse: the servers know no cluster {settings.cluster} (remote_servers)")
    if not _ask(client, f"SELECT min(internal_replication) {cluster}"):
        raise StorageRejected(f"ClickHouse: each shard of {settings.cluster} needs internal_replication set to true")


def _lacks_database(client: Client, settings: ServerSettings) -> bool:
    """Tell whether a server that answers has no such database."""
    databases = f"(SELECT count() FROM {{}} WHERE name = '{settings.database}')"
    if settings.cluster is None:
        question = f"SELECT 1 > {databases.format('system.databases')}"
    else:
        everywhere = f"clusterAllReplicas('{settings.cluster}', system.{{}})"
        having = databases.format(everywhere.format("databases"))
        question = f"SELECT (SELECT count() FROM {everywhere.format('one')}) > {having}"
    return _ask(client, question)


def _create_database(client: Client, settings: ServerSettings) -> None:
    everywhere = f" ON CLUSTER '{settings.cluster}'" if settings.cluster else ""
    options = {"distributed_ddl_output_mode": "throw_only_active"}
    sql = f"CREATE DATABASE IF NOT EXISTS `{settings.database}`{everywhere} ENGINE = Atomic"
    client.command(sql, settings=options, use_database=False)


def _check_rights(client: Client, settings: ServerSettings) -> None:
    if not _ask(client, f"CHECK GRANT {_RIGHTS} ON `{settings.database}`.*"):
        grant = f"GRANT {_RIGHTS} ON {settings.database}.* TO {settings.username}"
        raise StorageRejected(f"ClickHouse: the user {settings.username} lacks rights that Baton needs: {grant}")


def _ask(client: Client, question: str) -> bool:
    answer = client.raw_query(question, settings={"skip_unavailable_shards": 1}, use_database=False)
    return answer.strip() == b"1"
