"""SDD-FIQA pseudo-labels (arXiv 2103.05977)."""
