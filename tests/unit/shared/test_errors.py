from __future__ import annotations

import pytest

from shared import errors
from shared.errors import ConfigurationError, DeepThingsError

LEAVES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DeepThingsError)]


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_an_error_keeps_its_whole_message(kind):
    assert str(kind("what, where, what to do")) == "what, where, what to do"


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_only_bad_configuration_ends_with_two(kind):
    assert kind.exit_code == (2 if issubclass(kind, ConfigurationError) else 1)
