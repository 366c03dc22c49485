"""Margin labels: what an image's mates tell of it, each by what it is worth, above what strangers reach."""
