"""A stream's contract in the words of others: Open Data Contract Standard, JSON Schema, Markdown."""
