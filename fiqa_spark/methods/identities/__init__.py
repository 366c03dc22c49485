"""Audit of identities: who stands under the wrong name, and who has two."""
