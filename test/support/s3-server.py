"""An S3 server for tests: OpenStack Swift with its middleware s3api, and its four servers in one process.

Usage: s3-server.py FOLDER PORT. Objects stay in FOLDER, so that a later start has them again.
"""

import array
import os
import sys

import eventlet

eventlet.patcher.monkey_patch(all=False, socket=True, select=True, thread=True)

from swift.common import utils  # noqa: E402

folder, port = sys.argv[1], int(sys.argv[2])
utils.HASH_PATH_SUFFIX = b"tests"  # the server has it in /etc/swift/swift.conf

from swift.account.server import AccountController  # noqa: E402
from swift.common.http_protocol import SwiftHttpProtocol  # noqa: E402
from swift.common.ring import RingData  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402
from swift.container.server import ContainerController  # noqa: E402
from swift.obj.server import ObjectController  # noqa: E402

PROXY = """
[DEFAULT]
swift_dir = {folder}
log_level = ERROR

[pipeline:main]
pipeline = catch_errors s3api tempauth proxy-server

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:s3api]
use = egg:swift#s3api
location = us-east-1

[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_test_guest = visiting

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
node_timeout = 60
recoverable_node_timeout = 60
conn_timeout = 10
error_suppression_interval = 0
"""


class Cache:
    """Values in the memory of this process, in place of a memcached that several processes share."""

    def __init__(self):
        self.values = {}

    def get(self, key, **_):
        return self.values.get(key)

    def set(self, key, value, **_):
        self.values[key] = value

    def delete(self, key, **_):
        self.values.pop(key, None)


def with_cache(app):
    cache = Cache()

    def respond(env, start_response):
        env["swift.cache"] = cache
        return app(env, start_response)

    return respond


def serve(app, socket):
    eventlet.spawn(
        eventlet.wsgi.server, socket, app, utils.NullLogger(), protocol=SwiftHttpProtocol,
        capitalize_response_headers=False, max_size=200,
    )


def listen(at=0):
    return eventlet.listen(("127.0.0.1", at), backlog=500)


os.makedirs(os.path.join(folder, "device", "tmp"), exist_ok=True)
# Listings show an object as soon as it is stored: a PUT waits for the update of its container.
conf = {"devices": folder, "swift_dir": folder, "mount_check": "false", "container_update_timeout": "60"}
for name, controller in (("account", AccountController), ("container", ContainerController), ("object", ObjectController)):
    socket = listen()
    device = {"id": 0, "region": 1, "zone": 1, "device": "device", "ip": "127.0.0.1", "port": socket.getsockname()[1], "weight": 1}
    RingData([array.array("H", [0, 0])], [device], 31).save(os.path.join(folder, name + ".ring.gz"))
    serve(controller(conf), socket)

with open(os.path.join(folder, "proxy.conf"), "w") as file:
    file.write(PROXY.format(folder=folder))
serve(with_cache(loadapp(os.path.join(folder, "proxy.conf"))), listen(port))
print("ready", flush=True)
eventlet.hubs.get_hub().switch()
