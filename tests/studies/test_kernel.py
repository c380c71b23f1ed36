"""What is said of a kernel that does not come up; that it runs, is lost and dies is tested with its worker."""

import asyncio

import pytest

from intertask.studies.kernel import PromptClient


def test_a_kernel_that_does_not_answer_is_told_of_with_the_time_it_had(monkeypatch):
    monkeypatch.setattr(PromptClient, "_greeted", lambda self: asyncio.Event().wait())
    with pytest.raises(RuntimeError, match="did not answer within 0.01 s"):
        asyncio.run(PromptClient().wait_for_ready(0.01))
