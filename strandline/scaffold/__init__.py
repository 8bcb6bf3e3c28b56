"""A stream's YAML out of a sample of its events, or out of a few answers: everything guessed, and said so."""
