#!/bin/sh
# Run by every MWAA component before Airflow starts: what a container would get as environment variables.
export STRANDLINE_LAKE="s3://your-bucket"
export STRANDLINE_CONFIG="/usr/local/airflow/dags/config"
export STRANDLINE_MEMORY="1GB"
export STRANDLINE_THREADS="2"
