"""Strandline: a Lambda-architecture pipeline on Airflow and S3 that is declared in YAML."""
