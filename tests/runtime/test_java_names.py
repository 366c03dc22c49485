from py4j.clientserver import JavaClient
from pyspark.sql import functions as F

REFLECTION = "r\n"


def test_what_is_known_is_not_asked_for_again(spark, monkeypatch):
    def columns():
        return [F.upper(F.col("path")), F.coalesce("path", F.lit("")), F.col("path").isin("a", "b")]

    columns()
    commands, send_command = [], JavaClient.send_command
    monkeypatch.setattr(
        JavaClient,
        "send_command",
        lambda self, command, *rest: commands.append(command) or send_command(self, command, *rest),
    )
    found = spark.range(1).select(F.lit("p").alias("path")).select(*columns()).head()
    assert tuple(found) == ("P", "p", False)
    assert len(commands) > 10
    of_columns = [command for command in commands if "functions" in command or "PythonUtils" in command]
    assert of_columns
    assert not [command for command in of_columns if command.startswith(REFLECTION)]
