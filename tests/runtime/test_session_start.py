"""A session that Spark's own parts keep from starting is started again, and no other is."""

import pytest
from py4j.protocol import Py4JJavaError

from fiqa_spark.runtime.session_start import started


class Start:
    """Gives a session after so many failures."""

    def __init__(self, spark, failures, fail):
        self.spark, self.failures, self.fail, self.tries = spark, failures, fail, 0

    def __call__(self):
        self.tries += 1
        if self.tries <= self.failures:
            self.fail(self.spark._jvm)
        return self.spark


def meet(jvm):
    """What Java says where a list is changed while somebody looks at a part of it."""
    numbers = jvm.java.util.ArrayList()
    numbers.add(1)
    part = numbers.subList(0, 1)
    numbers.add(2)
    part.size()


def hold_nothing(jvm):
    jvm.java.util.ArrayDeque().removeFirst()


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_a_start_in_which_pages_and_filter_met_is_tried_again(spark, caplog, failures):
    start = Start(spark, failures, meet)
    assert started(start) is spark
    assert start.tries == failures + 1
    told = [record.message for record in caplog.records]
    assert len(told) == failures
    assert all(line.endswith("it is started again") for line in told)


@pytest.mark.parametrize(("fail", "tries"), [(meet, 3), (hold_nothing, 1)])
def test_what_fails_for_another_reason_or_again_and_again_is_told(spark, fail, tries):
    start = Start(spark, 10, fail)
    with pytest.raises(Py4JJavaError):
        started(start)
    assert start.tries == tries
