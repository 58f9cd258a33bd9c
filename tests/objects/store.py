"""An S3 store (moto) for tests, and a judge of what is in it (boto3).

Prints its port. Then each line of stdin is a command, a JSON list, and is
answered by one line of JSON. It ends with its stdin.
"""

import base64
import json
import sys

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "bucket"

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
_, port = server.get_host_and_port()
s3 = boto3.client(
    "s3",
    endpoint_url=f"http://127.0.0.1:{port}",
    region_name="us-east-1",
    aws_access_key_id="key",
    aws_secret_access_key="secret",
)
s3.create_bucket(Bucket=BUCKET)


def names(prefix):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [it["Key"] for page in pages for it in page.get("Contents", [])]


def uploads(prefix):
    listed = s3.list_multipart_uploads(Bucket=BUCKET, Prefix=prefix)
    return [it["Key"] for it in listed.get("Uploads", [])]


def get(key):
    return base64.b64encode(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()).decode()


def parts(key):
    """How many parts an object was uploaded in."""
    tag = s3.head_object(Bucket=BUCKET, Key=key)["ETag"].strip('"')
    return int(tag.split("-")[1]) if "-" in tag else 1


def put(key, text):
    s3.put_object(Bucket=BUCKET, Key=key, Body=text.encode())


def delete(key):
    s3.delete_object(Bucket=BUCKET, Key=key)


COMMANDS = {it.__name__: it for it in (names, uploads, get, parts, put, delete)}

print(port, flush=True)
for line in sys.stdin:
    name, *arguments = json.loads(line)
    print(json.dumps(COMMANDS[name](*arguments)), flush=True)
server.stop()
