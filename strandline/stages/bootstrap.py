"""Bootstrap: the bucket, made and hardened; what the endpoint does not support is said, not skipped in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from strandline.lake.lake import Lake
from strandline.lake.paths import BATCH, REALTIME, SERVING
from strandline.lake.s3 import classified, s3_client

_UNSUPPORTED = {"NotImplemented", "501", "MethodNotAllowed", "XNotImplemented"}


def bootstrap(lake: Lake) -> dict[str, str]:
    """What was done, setting by setting: `made | present | set | not supported by this endpoint`; safe to repeat.

    On S3: the bucket, no public access, encryption at rest, owner-enforced objects, abandoned uploads removed after a day,
    and a policy that refuses plain HTTP (only where the endpoint is HTTPS). A local lake gets its three folders.
    """
    if not lake.url.startswith("s3"):
        for layer in (REALTIME, BATCH, SERVING):
            lake.objects.put(f"{layer}/.strandline", b"")
        return {"folder": "made"}
    client = s3_client(lake.credentials)
    bucket = urlsplit(lake.url).netloc
    done = {"bucket": _bucket(lake, bucket)}
    settings: dict[str, Callable[[], object]] = {
        "public_access_block": lambda: client.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        ),
        "encryption": lambda: client.put_bucket_encryption(
            Bucket=bucket,
            ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
        ),
        "ownership": lambda: client.put_bucket_ownership_controls(
            Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        ),
        "abandoned_uploads": lambda: client.put_bucket_lifecycle_configuration(
            Bucket=bucket,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "abandoned-uploads",
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                    }
                ]
            },
        ),
    }
    if not (lake.credentials and (lake.credentials.endpoint_url or "").startswith("http://")):
        settings["https_only"] = lambda: client.put_bucket_policy(Bucket=bucket, Policy=_https_only(bucket))
    for name, apply in settings.items():
        done[name] = _applied(apply, f"{name} of {bucket}")
    return done


def _bucket(lake: Lake, bucket: str) -> str:
    client = s3_client(lake.credentials)
    try:
        client.head_bucket(Bucket=bucket)
        return "present"
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise classified(error, f"look at the bucket {bucket}") from error
    except BotoCoreError as error:
        raise classified(error, f"look at the bucket {bucket}") from error
    region = lake.credentials.region if lake.credentials else "us-east-1"
    try:
        if region == "us-east-1":
            client.create_bucket(Bucket=bucket)
        else:
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})  # type: ignore[typeddict-item]
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise classified(error, f"make the bucket {bucket}") from error
    return "made"


def _applied(apply: Callable[[], object], what: str) -> str:
    try:
        apply()
        return "set"
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 501 or error.response["Error"]["Code"] in _UNSUPPORTED:
            return "not supported by this endpoint"
        raise classified(error, f"set {what}") from error


def _https_only(bucket: str) -> str:
    statement = {
        "Sid": "HttpsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
