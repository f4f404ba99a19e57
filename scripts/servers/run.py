"""The implementation of scripts/with-servers.

run.py [NAME...] COMMAND...     install if needed, start the servers, run COMMAND, stop the servers
run.py keep COMMAND...          run a server until stdin closes

Each server runs below a keeper. Only this process holds the other end of the keeper's stdin pipe, so when this process
ends, even by SIGKILL, the pipe closes and the server stops.
"""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
START_SECONDS = 120
# Time that the command has to end after a signal.
GRACE_SECONDS = 5


class Failed(Exception):
    """A server cannot be installed or started."""


def say(text):
    # stderr may be closed already; that must not stop the run.
    with contextlib.suppress(OSError):
        print("with-servers: " + text, file=sys.stderr, flush=True)


# --- the servers -------------------------------------------------------------


class Ogx:
    """Files, batches, responses, conversations and vector stores on the local disk."""

    name = "ogx"
    version = "1.5.0"
    packages = ["ogx==1.5.0", "sqlalchemy", "aiosqlite", "asyncpg", "openai", "faiss-cpu", "chardet", "pypdf>=6.16.2",
                "numpy", "tqdm", "markitdown"]
    size = "about 900 MB on disk"
    health = "/v1/health"
    model = "llamacpp/smollm2-135m"
    api_key = "ogx-key"

    def prepare(self, folder):
        # It loads a table of tokens at the start, which is a download; the wheel of LiteLLM contains the same file under the
        # name that the cache looks for.
        table = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
        wheels = os.path.join(folder, "wheels")
        pip(folder, ["download", "--no-deps", "--only-binary", ":all:", "--dest", wheels, "litellm==1.80.17"])
        cache = os.path.join(folder, "tiktoken-cache")
        os.makedirs(cache, exist_ok=True)
        for wheel in os.listdir(wheels):
            with zipfile.ZipFile(os.path.join(wheels, wheel)) as archive:
                for name in archive.namelist():
                    if name.endswith(table):
                        with open(os.path.join(cache, table), "wb") as file:
                            file.write(archive.read(name))
        shutil.rmtree(wheels)

    def command(self, folder, port):
        return [os.path.join(folder, "bin", "ogx"), "run", os.path.join(HERE, "ogx.yaml"), "--port", str(port), "--insecure"]

    def environment(self, folder, data, port):
        return {
            "OGX_DIR": data,
            "OGX_PORT": str(port),
            "UPSTREAM": os.environ["OPENAI_BASE_URL"],
            "UPSTREAM_KEY": os.environ["OPENAI_API_KEY"],
            "TIKTOKEN_CACHE_DIR": os.path.join(folder, "tiktoken-cache"),
            "OTEL_SDK_DISABLED": "true",
            "HF_HUB_OFFLINE": "1",
            "OGX_TELEMETRY": "0",
        }


SERVERS = [Ogx()]


# --- install -----------------------------------------------------------------


def pip(folder, arguments):
    command = [os.path.join(folder, "bin", "python"), "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check"]
    env = dict(os.environ, PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_ROOT_USER_ACTION="ignore")
    done = subprocess.run([*command, *arguments], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        for line in [line for line in done.stdout.splitlines() if line.strip()][-3:]:
            say("pip: " + line.strip()[:200])
        raise Failed(f"pip failed with status {done.returncode}.")


def install(home, server):
    """Install if needed; return the folder. Its marker is written last, so a folder that has it is complete."""
    folder = os.path.join(home, f"{server.name}-{server.version}")
    marker = os.path.join(folder, "complete")
    if not os.path.exists(marker):
        say(f"installing {server.name} {server.version} once into {folder} ({server.size}).")
        begin = time.monotonic()
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip(folder, ["install", "--only-binary", ":all:", *server.packages])
        server.prepare(folder)
        open(marker, "w").close()
        say(f"installed {server.name} in {time.monotonic() - begin:.0f} s.")
    return folder


# --- run ---------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_ready(port, path):
    # http.client, because urllib would use a configured proxy.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status == 200
    return False


def start(home, server, data, stack):
    folder = install(home, server)
    port = free_port()
    path = os.path.join(home, f"{server.name}.log")
    log = stack.enter_context(open(path, "w"))
    env = dict(os.environ, **server.environment(folder, data, port))
    # In a session of its own: Ctrl-C is meant for the command, which may still need the server while it ends.
    keeper = subprocess.Popen([sys.executable, "-I", os.path.abspath(__file__), "keep", *server.command(folder, port)],
                              env=env, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
    stack.callback(keeper.wait)
    stack.callback(keeper.stdin.close)
    begin = time.monotonic()
    while not is_ready(port, server.health):
        if keeper.poll() is not None:
            raise Failed(f"{server.name} ended with status {keeper.returncode}; see {path}.")
        if time.monotonic() - begin > START_SECONDS:
            raise Failed(f"{server.name} was not ready within {START_SECONDS} s; see {path}.")
        time.sleep(0.1)
    say(f"{server.name} at http://127.0.0.1:{port}/v1, ready in {time.monotonic() - begin:.1f} s.")
    prefix = server.name.upper().replace("-", "_")
    return {f"{prefix}_BASE_URL": f"http://127.0.0.1:{port}/v1", f"{prefix}_API_KEY": server.api_key,
            f"{prefix}_MODEL": server.model}


def keep(command):
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def gone(*_):
        server.terminate()
        try:
            server.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
        os._exit(0)

    signal.signal(signal.SIGTERM, gone)
    # A thread, so that the end of the server is seen, too.
    import threading

    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os.kill(os.getpid(), signal.SIGTERM)), daemon=True).start()
    return server.wait()


def run(command, env):
    try:
        process = subprocess.Popen(command, env=env)
    except FileNotFoundError:
        say(f"{command[0]}: not found.")
        return 127
    except OSError as error:
        say(f"{command[0]}: {error.strerror}.")
        return 126
    # The terminal also sends Ctrl-C to the command; other signals arrive only here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda number, _: process.send_signal(number))
    status = process.wait()
    return 128 - status if status < 0 else status


def main(arguments):
    if arguments[:1] == ["keep"]:
        return keep(arguments[1:])
    known = {server.name: server for server in SERVERS}
    names = []
    while arguments and arguments[0] in known:
        names.append(arguments.pop(0))
    if not arguments:
        print(f"usage: scripts/with-servers [{'] ['.join(known)}] COMMAND [ARGUMENT...]", file=sys.stderr)
        return 2
    if "WITH_SERVERS_MODEL" not in os.environ:
        # The model first; then this again.
        os.environ["WITH_SERVERS_MODEL"] = "1"
        model = os.path.join(ROOT, "scripts", "with-local-model")
        os.execv(model, [model, os.path.join(ROOT, "scripts", "with-servers"), *names, *arguments])
    home = os.environ["SERVERS_DIR"]
    os.makedirs(home, exist_ok=True)
    with contextlib.ExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory(prefix="with-servers-"))
        try:
            env = dict(os.environ)
            for server in [known[name] for name in names or known]:
                folder = os.path.join(data, server.name)
                os.makedirs(folder)
                env.update(start(home, server, folder, stack))
        except (Failed, OSError, subprocess.CalledProcessError) as error:
            say(str(error))
            return 125
        return run(arguments, env)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
