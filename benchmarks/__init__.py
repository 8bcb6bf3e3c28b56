"""What it costs: measured against what one would write otherwise, and against the limit. `make bench`."""
