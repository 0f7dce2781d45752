"""A plain pyftpdlib server in a thread, with methods of its handler replaced: for what a sound server does not do."""

import logging
import threading
from contextlib import contextmanager
from types import SimpleNamespace

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import DTPHandler, FTPHandler, TLS_DTPHandler, TLS_FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

from ftp_server import SECRET


@contextmanager
def odd_server(
    root, permissions="elradfmw", limit=512, data=None, user="guest", host="127.0.0.1", tls=None, **attributes
):
    """Give port, root and `commands`, all that clients sent; `data` replaces methods of the data connection's handler.

    The user's password is SECRET; at most `limit` connections are taken from one address. `tls`: the paths of a
    certificate and its key, without which nobody gets in.
    """
    root.mkdir(exist_ok=True)
    commands = []

    class Authorizer(DummyAuthorizer):
        pass

    authorizer = Authorizer()
    authorizer.add_user(user, SECRET, str(root), perm=permissions)

    class Handler(TLS_FTPHandler if tls else FTPHandler):
        def pre_process_command(self, line, cmd, arg):
            commands.append(line)
            super().pre_process_command(line, cmd, arg)

        def log(self, *_, **__):
            pass

        logerror = log_cmd = log_transfer = log

    handler = type("OddHandler", (Handler,), {"authorizer": authorizer, "auth_failed_timeout": 0, **attributes})
    handler.dtp_handler = type("OddData", (TLS_DTPHandler if tls else DTPHandler,), data or {})
    if tls:
        handler.certfile, handler.keyfile = map(str, tls)
        handler.tls_control_required = handler.tls_data_required = True
    server = FTPServer((host, 0), handler, ioloop=IOLoop())
    server.max_cons_per_ip = limit
    stop = threading.Event()

    def serve():
        while not stop.is_set():
            server.serve_forever(timeout=0.02, blocking=False)
        server.close_all()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield SimpleNamespace(port=server.address[1], root=root, commands=commands, handler=handler)
    finally:
        stop.set()
        thread.join(20)


def cut(after, times=1, everything=True):
    """Return methods for `data`: the first `times` transfers end once `after` bytes went over the connection.

    The control connection ends with it, or (`everything=False`) says that the transfer is complete.
    """
    state = {"left": times}

    def end(self):
        state["left"] -= 1
        if everything:
            self.cmd_channel.close()
        else:
            self.transfer_finished, self._resp = True, ("226 Transfer complete.", logging.getLogger("odd").debug)
            self.close()

    def send(self, data, send=DTPHandler.send):
        sent = send(self, data[:1000])
        if state["left"] and self.get_transmitted_bytes() >= after:
            end(self)
        return sent

    def handle_read(self, handle_read=DTPHandler.handle_read):
        handle_read(self)
        if state["left"] and self.get_transmitted_bytes() >= after:
            end(self)

    slowly = {"use_sendfile": lambda self: False, "ac_in_buffer_size": 1000}
    return slowly | {"send": send, "handle_read": handle_read, "handle_read_event": handle_read}
