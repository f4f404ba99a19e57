// The implementation of scripts/with-mock-server: starts the mock, runs a command, stops the mock.
import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { createServer } from "node:net";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

const [server, spec, log, command, ...rest] = process.argv.slice(2);
const READY_SECONDS = 60;

let mock;
let child;

// The terminal also sends Ctrl-C to the command; other signals arrive only here.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    if (!child) leave(128 + constants.signals[signal]);
    else if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}
process.on("exit", () => mock?.kill("SIGKILL"));

function leave(status, message) {
  if (message) console.error(`with-mock-server: ${message}`);
  process.exit(status);
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function start() {
  // The mock does not accept port 0.
  const port = await freePort();
  const formats = ["query-array", "form-array", "query-object", "form-object"];
  const options = formats.map((format) => `--validator-${format}-format=brackets`);
  const output = openSync(log, "w");
  // In a separate process group, so that Ctrl-C does not stop it before the command.
  mock = spawn(server, ["--host", "127.0.0.1", "-p", port, "--no-color", "--stream-interval", "1", ...options, spec], {
    detached: true,
    stdio: ["ignore", output, output],
  });
  let stopped = false;
  mock.on("exit", () => (stopped = true)).on("error", () => (stopped = true));
  const url = `http://127.0.0.1:${port}`;
  const end = Date.now() + READY_SECONDS * 1000;
  while (!stopped && Date.now() < end) {
    const response = await fetch(`${url}/_x-steady/health`).catch(() => undefined);
    if (response?.ok && !stopped) return url;
    await sleep(50);
  }
  mock.kill("SIGKILL");
  return undefined;
}

// Another process may take the port between the check and the start, so try twice.
const url = (await start()) ?? (await start()) ?? leave(125, `the mock failed to start; see ${log}.`);
child = spawn(command, rest, { stdio: "inherit", env: { ...process.env, MOCK_SERVER_URL: url } });
child.on("error", (error) => leave(error.code === "ENOENT" ? 127 : 126, `${command}: ${error.message}`));
child.on("exit", (status, signal) => leave(signal ? 128 + constants.signals[signal] : status));
