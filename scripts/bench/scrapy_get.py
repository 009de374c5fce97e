"""GETs the url of each task with Scrapy, 50 at once, and writes each task with its answer."""

import json
import sys

import scrapy
from scrapy.crawler import CrawlerProcess


class Spider(scrapy.Spider):
    name = "gets"

    def requests(self):
        for line in sys.stdin:
            task = json.loads(line)
            yield scrapy.Request(task["url"], self.parse, cb_kwargs={"task": task}, dont_filter=True)

    async def start(self):
        for request in self.requests():
            yield request

    def start_requests(self):
        yield from self.requests()

    def parse(self, response, task):
        task["result"] = {"status": response.status, "json": response.json()}
        sys.stdout.write(json.dumps(task) + "\n")


process = CrawlerProcess(
    {
        "CONCURRENT_REQUESTS": 50,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 50,
        "LOG_LEVEL": "ERROR",
        "RETRY_ENABLED": False,
        "ROBOTSTXT_OBEY": False,
        "TELNETCONSOLE_ENABLED": False,
    }
)
process.crawl(Spider)
process.start()
