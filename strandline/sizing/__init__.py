"""What a load needs: CPU, machines, memory, S3 requests, storage, money and Airflow, computed from measured figures.

`figures.yaml` holds what was measured, each figure with its source; `size` in `strandline/sizing/sizing.py` does the rest. It
is arithmetic only: nothing is read but the figures.
"""
