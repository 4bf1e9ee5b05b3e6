"""What users may set about the embedded engine."""

from pydantic import BaseModel, ConfigDict, Field

MIB = 1 << 20


class EmbeddedSettings(BaseModel):
    """Limits of the embedded engine; the defaults suit a machine with two cores and 2 GB to spare."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    memory_bytes: int = Field(default=800 * MIB, ge=256 * MIB, description="ceiling of the engine's own memory")
    query_memory_bytes: int = Field(default=400 * MIB, ge=16 * MIB, description="ceiling of one query's memory")
    query_seconds: float = Field(default=30.0, gt=0, description="ceiling of one query's run time")
    query_threads: int = Field(default=2, ge=1, description="threads one query may use")
    connections: int = Field(default=8, ge=2, description="queries that may run side by side; others wait")
