"""CSV to tasks the plain way of Python: csv, uuid3 of the url, json."""

import csv
import json
import sys
import uuid

with open(sys.argv[1], newline="", encoding="utf-8") as rows:
    for row in csv.DictReader(rows):
        task = {"uuid": str(uuid.uuid3(uuid.NAMESPACE_URL, row["url"])), **row}
        sys.stdout.write(json.dumps(task) + "\n")
