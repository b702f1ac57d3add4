from __future__ import annotations

import pytest

from gateway.configuration.reading.configuration_file import parse_configuration


@pytest.fixture
def reading(tmp_path):
    """Reads text as deepthings.yaml, with secrets beside it and an environment."""

    def reads(text, secrets=None, **environment):
        file = tmp_path / "deepthings.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        if secrets is not None:
            (tmp_path / "secrets.yaml").write_text(secrets)
            (tmp_path / "secrets.yaml").chmod(0o600)
        return parse_configuration(file, environment)

    return reads


@pytest.fixture
def told(reading, tmp_path):
    """What is said of a text: a line for each mistake, without the folder."""

    def says(text, secrets=None, **environment):
        return [str(mistake).replace(f"{tmp_path}/", "") for mistake in reading(text, secrets, **environment).mistakes]

    return says
