"""What a change of a stream's contract would do: said of the definitions, measured on the lake."""
