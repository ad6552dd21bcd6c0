"""The lease of whoever works is renewed as long as they do."""

import itertools
import threading

from proctoring_site.jobs import renewal
from proctoring_site.jobs.renewal import renewed
from tests.servers import until


class TestALease:
    def held(self, answers, *, every_s):
        """The lease, and the tries so far to renew it."""
        tries, left = [], iter(answers)

        def renew():
            tries.append(next(left))
            if isinstance(tries[-1], Exception):
                raise tries[-1]
            return tries[-1]

        return renewed("a job", renew, every_s=every_s), tries

    def test_is_renewed_as_long_as_somebody_works(self):
        lease, tries = self.held(itertools.repeat(True), every_s=0.01)
        with lease:
            until(lambda: len(tries) >= 5)

    def test_that_could_not_be_renewed_is_tried_again_soon(self, monkeypatch):
        monkeypatch.setattr(renewal, "AGAIN_AFTER_S", 0.01)
        lease, tries = self.held(itertools.repeat(ConnectionError()), every_s=1)
        with lease:
            until(lambda: len(tries) >= 50, patience_s=30)

    def test_that_another_took_is_left_to_them(self):
        lease, tries = self.held([False], every_s=0.01)
        with lease:
            until(lambda: tries and not any(thread.name == "lease" for thread in threading.enumerate()))
        assert tries == [False]
