"""The proof that what is stored and served equals a recompute from the raw lines."""
