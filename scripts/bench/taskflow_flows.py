"""The same flow as in two-atoms.mjs, by TaskFlow for each task of NDJSON; its states are kept in a folder."""

import json
import shutil
import sys

from taskflow import engines, task
from taskflow.patterns import linear_flow
from taskflow.persistence import backends


class First(task.Task):
    default_provides = "size"

    def execute(self, url):
        return len(url)


class Second(task.Task):
    default_provides = "more"

    def execute(self, size):
        return size + 1


shutil.rmtree(sys.argv[1], ignore_errors=True)
with backends.backend({"connection": "dir", "path": sys.argv[1]}) as backend:
    for line in sys.stdin:
        record = json.loads(line)
        flow = linear_flow.Flow("two").add(First(), Second())
        engine = engines.load(flow, store={"url": record["url"]}, backend=backend)
        engine.run()
        record["result"] = engine.storage.fetch_all()
        sys.stdout.write(json.dumps(record) + "\n")
