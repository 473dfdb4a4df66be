"""Trainings survive SIGKILL at random moments; `python tests/kills.py` tries more of them."""

import sys

import pytest
from kills import kill_trainings


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_killed_trainings_resume_to_the_same_result():
    killed, ended = kill_trainings(5, most_runs=5)
    assert killed and ended
