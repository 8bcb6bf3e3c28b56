"""The same work as one would write it by hand: one file a peer, `python -m benchmarks.peers.NAME FOLDER OUT`.

Each reads the gzip NDJSON files of FOLDER and writes bronze (every line as read), silver (typed, judged, one row an event),
quarantine and the two gold tables below OUT, then prints its counts as JSON. None writes page checksums, positions or a
log, none can be run again half-way, and of a line that is no JSON object only the naive one, Polars, Spark and `duckdb_kept`
keep the bytes.
"""
