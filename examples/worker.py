#!/usr/bin/env python3
"""A worker: reads a task per line, and answers each with a line that has the same uuid.

    task-load a.csv | task-exec --worker 'python3 examples/worker.py' -j 4 | task-save out.csv

Set up slow things (a model, a connection) once, before the loop. Print messages to sys.stderr: they are shown with the
number of the worker.
"""

import json
import sys


def work(task):
    """Returns the result: anything that JSON can hold."""
    host = task["url"].split("/")[2]
    return {"host": host, "length": len(task["url"])}


for line in sys.stdin:
    task = json.loads(line)
    try:
        answer = {"result": work(task)}
    except Exception as error:  # this task fails, and the loop continues
        answer = {"error": {"code": type(error).__name__, "message": str(error)}}
    print(json.dumps({"uuid": task["uuid"], **answer}), flush=True)  # without the flush, answers wait in a buffer
