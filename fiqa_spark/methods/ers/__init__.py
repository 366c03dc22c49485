"""ERS, the embedding recognizability score (arXiv 2106.04112)."""
