"""Settings of who may connect: shared by everything that listens."""

from typing import Annotated

from pydantic import Field, SecretStr

from collector.config.values import Section

ApiKey = Annotated[SecretStr, Field(min_length=1)]


class Auth(Section):
    """API keys, sent as `authorization: Bearer KEY` or `x-api-key: KEY`; without this section everybody may connect."""

    api_keys: tuple[ApiKey, ...] = Field(min_length=1, description="The keys; write them as `${env:NAME}`.")
