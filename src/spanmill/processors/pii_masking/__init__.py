"""The pii_masking processor: personal data and secrets masked in every string, before anything is written."""
