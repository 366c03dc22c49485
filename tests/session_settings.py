"""Settings of the tests' session, for a while."""

import contextlib


@contextlib.contextmanager
def session_with(spark, settings):
    """While Spark has these settings; it gets back its own, which a setting that is unset would not be."""
    before = {key: spark.conf.get(key) for key in settings}
    try:
        for key, value in settings.items():
            spark.conf.set(key, value)
        yield
    finally:
        for key, value in before.items():
            spark.conf.set(key, value)
