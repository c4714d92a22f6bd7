"""Applies a snippet to the real program on loopback and says what its socket runs on.

    programs.py PROGRAM SCRATCH < snippet

Prints one JSON object: for each connection that the snippet is about, what the kernel holds for its socket. "timer_s"
is what the kernel shows to anybody (/proc/net/tcp): the keepalive timer of the fresh connection. "options" are the
socket's own, by getsockopt() on a copy of the program's socket (pidfd_getfd); null where that is not allowed.

Exit status 77 and a line that begins with SKIPPED: if the program is not here.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

PIDFD_GETFD = 438
LIBC = ctypes.CDLL(None, use_errno=True)
USER_HZ = os.sysconf("SC_CLK_TCK")
PATIENCE = 60


class Skip(Exception):
    pass


def program(name, *places):
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *places]))
    if path is None:
        raise Skip(f"{name} is not installed")
    return path


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(what, ready):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.02)
    raise RuntimeError(f"waited for {what} in vain")


@contextlib.contextmanager
def running(arguments, end=signal.SIGTERM, **more):
    log = open(SCRATCH / "log", "ab")
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more)
    try:
        yield process
    finally:
        process.send_signal(end)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def connected(port):
    def attempt():
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            return None

    return wait_for(f"port {port}", attempt)


def entry(local, remote):
    """Timer and inode of an established connection of this machine, from /proc/net/tcp."""

    def place(text):
        address, port = text.split(":")
        return socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16)

    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if (place(fields[1]), place(fields[2])) == (local, remote) and fields[3] == "01":
            active, when = fields[5].split(":")
            return {"active": int(active, 16), "timer_s": int(when, 16) / USER_HZ, "inode": fields[9]}
    return None


def copy_of(inode):
    """A copy of the socket with that inode, from whichever process has it."""
    for process in pathlib.Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(descriptor) == f"socket:[{inode}]":
                        pidfd = os.pidfd_open(int(process.name))
                        copy = LIBC.syscall(PIDFD_GETFD, pidfd, int(descriptor.name), 0)
                        os.close(pidfd)
                        if copy >= 0:
                            return socket.socket(fileno=copy)
    return None


def look(local, remote):
    """What the kernel holds for the end of a connection that lies at `local`."""
    # 2 is the keepalive timer; a program may set its options some time after it accepted.
    def with_keepalive():
        found = entry(local, remote)
        return found if found and found["active"] == 2 else None

    found = wait_for(f"the keepalive timer of {local}", with_keepalive)
    # The options are set one by one, and all of them in no time.
    time.sleep(0.2)
    found = entry(local, remote) or found
    options = None
    copy = copy_of(found["inode"])
    if copy is not None:
        with copy:
            get = copy.getsockopt
            options = {
                "on": get(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                "idle_s": get(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                "interval_s": get(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
                "count": get(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
            }
    return {"timer_s": found["timer_s"], "options": options}


def accepted(port):
    with connected(port) as client:
        return look(client.getpeername(), client.getsockname())


def redis(snippet):
    port = free_port()
    config = SCRATCH / "redis.conf"
    config.write_text(f"bind 127.0.0.1\nport {port}\nsave \"\"\ndir {SCRATCH}\n{snippet}")
    with running([program("redis-server"), str(config)]):
        return {"server": accepted(port)}


def nginx(snippet):
    port = free_port()
    listen = snippet.replace("8080", f"127.0.0.1:{port}")
    config = SCRATCH / "nginx.conf"
    temporary = "".join(
        f"{kind}_temp_path {SCRATCH}/{kind};" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    )
    config.write_text(
        f"daemon off; master_process off; pid {SCRATCH}/pid; error_log {SCRATCH}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\nserver {{ {listen} }}\n}}\n"
    )
    with running([program("nginx"), "-c", str(config), "-p", str(SCRATCH), "-e", str(SCRATCH / "error.log")]):
        return {"server": accepted(port)}


def haproxy(snippet):
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as backend:
        backend.settimeout(PATIENCE)
        config = SCRATCH / "haproxy.cfg"
        config.write_text(
            f"{snippet}    mode tcp\n    timeout connect 5s\n    timeout client 1h\n    timeout server 1h\n"
            f"frontend f\n    bind 127.0.0.1:{port}\n    default_backend b\n"
            f"backend b\n    server s 127.0.0.1:{backend.getsockname()[1]}\n"
        )
        with running([program("haproxy"), "-f", str(config), "-db"]):
            with connected(port) as client:
                behind, its_end = backend.accept()
                with behind:
                    return {
                        "client": look(client.getpeername(), client.getsockname()),
                        "server": look(its_end, behind.getsockname()),
                    }


def postgresql(snippet, connection=""):
    tools = "/usr/lib/postgresql/*/bin"
    places = sorted(str(path) for path in pathlib.Path("/").glob(tools.lstrip("/")))
    port, data = free_port(), SCRATCH / "data"
    initdb, server = program("initdb", *places), program("postgres", *places)
    as_user = {}
    if os.geteuid() == 0:
        # The server refuses to run as root.
        as_user = {"user": "postgres", "group": "postgres", "extra_groups": [], "cwd": "/"}
        data = pathlib.Path(subprocess.run(["mktemp", "-d"], check=True, capture_output=True, text=True, user="postgres",
                                           group="postgres", cwd="/").stdout.strip()) / "data"
    try:
        subprocess.run([initdb, "-D", str(data), "-A", "trust", "-U", "tester", "--no-sync"], check=True,
                       stdout=subprocess.DEVNULL, **as_user)
        with open(data / "postgresql.conf", "a") as config:
            config.write(f"listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nfsync = off\n")
            config.write(snippet)
        # SIGINT: without waiting for its sessions.
        with running([server, "-D", str(data)], end=signal.SIGINT, **as_user):
            connected(port).close()
            client = [program("psql", *places), "-X", "-c", "select pg_sleep(600)",
                      f"host=127.0.0.1 port={port} user=tester dbname=postgres {connection}"]

            def session():
                for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
                    local, remote, state = line.split()[1:4]
                    if int(local.split(":")[1], 16) == port and state == "01":
                        return ("127.0.0.1", port), ("127.0.0.1", int(remote.split(":")[1], 16))
                return None

            def ready():
                log = (SCRATCH / "log").read_text(errors="replace")
                return "ready to accept connections" in log

            wait_for("the server", ready)
            with running(client):
                server_end, client_end = wait_for("a session", session)
                if connection:
                    return {"client": look(client_end, server_end)}
                return {"server": look(server_end, client_end)}
    finally:
        if data.parent != SCRATCH:
            shutil.rmtree(data.parent, ignore_errors=True)


def libpq(snippet):
    return postgresql("", snippet.strip())


def effective(arguments, key):
    """A setting of OpenSSH as the program itself reads it."""
    result = subprocess.run(arguments, check=True, capture_output=True, text=True)
    for line in result.stdout.splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return {"heartbeat_s": int(value)}
    raise RuntimeError(f"{key} is not in what {arguments[0]} prints")


def openssh(snippet):
    config = SCRATCH / "ssh_config"
    config.write_text(snippet)
    return {"client": effective([program("ssh"), "-G", "-F", str(config), "example.net"], "serveraliveinterval")}


def sshd(snippet):
    key, config = SCRATCH / "key", SCRATCH / "sshd_config"
    key.unlink(missing_ok=True)
    subprocess.run([program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    config.write_text(f"HostKey {key}\n{snippet}")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    return {"server": effective([program("sshd"), "-T", "-f", str(config)], "clientaliveinterval")}


def sysctl(snippet):
    config = SCRATCH / "sysctl.conf"
    config.write_text(snippet)
    # A namespace of its own; an ordinary socket in it has the system's times.
    inside = (
        "import json, socket\n"
        "s = socket.socket()\n"
        "get = lambda name: s.getsockopt(socket.IPPROTO_TCP, name)\n"
        "print(json.dumps({'on': 1, 'idle_s': get(socket.TCP_KEEPIDLE),"
        " 'interval_s': get(socket.TCP_KEEPINTVL), 'count': get(socket.TCP_KEEPCNT)}))\n"
    )
    load = f'{program("sysctl")} -q -p "$1" && exec "$2" -c "$3"'
    result = subprocess.run(["unshare", "--net", "sh", "-c", load, "sh", str(config), sys.executable, inside],
                            capture_output=True, text=True)
    if result.returncode != 0:
        raise Skip(f"no network namespace of its own: {result.stderr.strip()}")
    return {"system": {"timer_s": None, "options": json.loads(result.stdout)}}


def python(snippet):
    scope = {}
    exec(snippet, scope)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        scope["keep_alive"](client)
        return {"client": look_at(client)}


def look_at(own):
    found = entry(own.getsockname(), own.getpeername())
    get = own.getsockopt
    return {
        "timer_s": found["timer_s"],
        "options": {
            "on": get(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            "idle_s": get(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            "interval_s": get(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
            "count": get(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
        },
    }


def c(snippet):
    source, library = SCRATCH / "keep_alive.c", SCRATCH / "keep_alive.so"
    source.write_text(snippet)
    subprocess.run([program("gcc"), "-std=c99", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Werror", "-pedantic",
                    "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        if ctypes.CDLL(str(library)).keep_alive(client.fileno()) != 0:
            raise RuntimeError("keep_alive() failed")
        return {"client": look_at(client)}


PROGRAMS = {one.__name__: one for one in
            [redis, nginx, haproxy, postgresql, libpq, openssh, sshd, sysctl, python, c]}
SCRATCH = pathlib.Path(sys.argv[2])

if __name__ == "__main__":
    try:
        print(json.dumps(PROGRAMS[sys.argv[1]](sys.stdin.read())))
    except Skip as reason:
        print(f"SKIPPED: {reason}", file=sys.stderr)
        sys.exit(77)
