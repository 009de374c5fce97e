"""Runs a command on a new pseudo-terminal: python3 on-terminal.py COLUMNS ROWS COMMAND...

What the command writes to the terminal goes to the standard output. The standard input takes lines: `type TEXT`, in
JSON, and `size COLUMNS ROWS`. The exit code is the command's.
"""
import fcntl, json, os, pty, selectors, struct, sys, termios

columns, rows, *command = sys.argv[1:]
pid, terminal = pty.fork()


def resize(descriptor, columns, rows):
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack('HHHH', int(rows), int(columns), 0, 0))


if pid == 0:
    resize(0, columns, rows)
    os.execvp(command[0], command)

waiting = b''
selector = selectors.PollSelector()
selector.register(terminal, selectors.EVENT_READ)
selector.register(0, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        try:
            data = os.read(key.fd, 65536)
        except OSError:
            data = b''  # EIO: no process has the terminal open any more
        if key.fd == terminal:
            if not data:
                sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            while data:
                data = data[os.write(1, data):]
        elif not data:
            selector.unregister(0)
        else:
            waiting += data
            *lines, waiting = waiting.split(b'\n')
            for line in lines:
                verb, _, rest = line.decode().partition(' ')
                if verb == 'size':
                    resize(terminal, *rest.split())
                else:
                    os.write(terminal, json.loads(rest).encode())
