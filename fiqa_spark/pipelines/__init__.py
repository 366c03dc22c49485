"""Each job's story, from its input to its result."""
