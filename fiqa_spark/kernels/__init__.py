"""NumPy in, NumPy out: the arithmetic of the project, without Spark, pandas or files."""
