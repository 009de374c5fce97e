"""GETs the url of each task with aiohttp, 50 at once by a semaphore, and writes each task with its answer."""

import asyncio
import json
import sys

import aiohttp


async def get(session, semaphore, task):
    async with semaphore, session.get(task["url"]) as response:
        task["result"] = {"status": response.status, "json": await response.json()}
        sys.stdout.write(json.dumps(task) + "\n")


async def main():
    semaphore = asyncio.Semaphore(50)
    tasks = [json.loads(line) for line in sys.stdin]
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(get(session, semaphore, task) for task in tasks))


asyncio.run(main())
