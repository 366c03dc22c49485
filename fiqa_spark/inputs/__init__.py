"""Something on disk to a DataFrame: image lists, and features in every form."""
