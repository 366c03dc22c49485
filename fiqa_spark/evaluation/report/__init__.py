"""The page of an evaluation: its figures, pictures and text."""
