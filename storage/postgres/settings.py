"""What users may set about PostgreSQL."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class PostgresSettings(BaseModel):
    """Where the server is and what queries may use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dsn: SecretStr = Field(description="connection string or URL, as libpq reads it")
    db_schema: str = Field(default="baton", min_length=1, max_length=63, description="schema that holds the tables")
    timescaledb: bool = Field(default=False, description="keep spans and log records in hypertables")
    query_seconds: float = Field(default=30.0, gt=0, description="ceiling of one query's run time")
    write_seconds: float = Field(default=120.0, gt=0, description="ceiling of one statement of a write")
    connections: int = Field(default=8, ge=2, description="connections for queries; further queries wait")
    connect_seconds: float = Field(default=10.0, gt=0, description="how long to wait for a connection")
