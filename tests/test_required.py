"""What a machine lacks skips tests, unless they are required."""

import pytest
from required import missing

pytestmark = pytest.mark.once


@pytest.mark.parametrize("required", ["", "browser", "gpu,browser", "gpu"])
def test_missing(required, monkeypatch):
    monkeypatch.setenv("KERAS_LOTR_REQUIRE", required)
    said = pytest.fail.Exception if "browser" in required else pytest.skip.Exception
    with pytest.raises(said, match="needs npm"):
        missing("browser", "needs npm")
