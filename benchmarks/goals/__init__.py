"""One module a goal (or a few that one run answers): `measure(size) -> list[Found]`."""
