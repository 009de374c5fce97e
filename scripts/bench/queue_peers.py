"""The peers of scripts/bench/queue.mjs: `queue_peers.py rq|celery push|work URL COUNT`."""
import logging
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))


def noop(number):
    return number


def rq(verb, url, count):
    import redis
    from rq import Queue, SimpleWorker

    connection = redis.from_url(url)
    queue = Queue('bench', connection=connection)
    if verb == 'push':
        for start in range(0, count, 1000):
            some = range(start, min(start + 1000, count))
            queue.enqueue_many([Queue.prepare_data('queue_peers.noop', (i,), result_ttl=0) for i in some])
    else:
        logging.getLogger('rq.worker').setLevel(logging.WARNING)
        SimpleWorker([queue], connection=connection).work(burst=True, logging_level='WARNING')


def celery(verb, url, count):
    from celery import Celery
    from celery.exceptions import WorkerShutdown

    app = Celery('bench', broker=url)
    app.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=1000)

    @app.task(name='noop')
    def work(number):
        if number == count - 1:
            raise WorkerShutdown(0)

    if verb == 'push':
        with app.producer_pool.acquire(block=True) as producer:
            for i in range(count):
                work.apply_async((i,), producer=producer)
    else:
        options = ['--without-gossip', '--without-mingle', '--without-heartbeat']
        app.worker_main(['worker', '--pool', 'solo', '--loglevel', 'ERROR', *options])


if __name__ == '__main__':
    module, verb, url, count = sys.argv[1:]
    {'rq': rq, 'celery': celery}[module](verb, url, int(count))
