// Drives the page in headless Chromium, against the server in OPENAI_BASE_URL and scripted ones:
//
//     scripts/with-local-model node examples/web/test.mjs SERVER [SCREENSHOT.png]
//
// SERVER is the built program. Needs playwright-core in NODE_PATH, and Chromium in CHROMIUM.
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import http from "node:http"
import { createRequire } from "node:module"

const { chromium } = createRequire(import.meta.url)("playwright-core")
const [program, screenshot] = process.argv.slice(2)

/** Starts the program against a server, and returns its URL and a function that stops it. */
async function start(environment = {}) {
  const child = spawn(program, { env: { ...process.env, PORT: "0", ...environment }, stdio: ["ignore", "pipe", "inherit"] })
  const url = await new Promise((resolve, reject) => {
    child.stdout.on("data", data => resolve(String(data).trim()))
    child.on("exit", code => reject(Error(`the program ended with ${code}`)))
  })
  return { url, stop: () => child.kill() }
}

/** A server of the OpenAI API that writes these chunks, and stays open after them unless told to end. */
async function scripted(deltas, { end = true } = {}) {
  const state = { closed: false }
  const server = http.createServer((request, response) => {
    response.on("close", () => (state.closed = true))
    response.writeHead(200, { "content-type": "text/event-stream" })
    for (const delta of deltas) response.write(`data: ${JSON.stringify({ id: "c", choices: [{ index: 0, delta }] })}\n\n`)
    if (end === "cut") setTimeout(() => response.destroy(), 100)
    else if (end) response.end("data: [DONE]\n\n")
  })
  await new Promise(resolve => server.listen(0, "127.0.0.1", resolve))
  const base = `http://127.0.0.1:${server.address().port}/v1`
  return { state, base, stop: () => { server.closeAllConnections(); server.close() } }
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
})
const errors = []

/** Opens the page of a server, asks a question, and hands both to the check. */
async function test(name, environment, question, check) {
  const server = await start(environment)
  const page = await browser.newPage({ viewport: { width: 760, height: 420 } })
  page.setDefaultTimeout(180_000) // a small model on a busy machine, which may ramble
  page.on("pageerror", error => errors.push(`${name}: ${error}`))
  try {
    await page.goto(server.url)
    await page.fill("input", question)
    await page.press("input", "Enter")
    await check(page)
    console.log(`ok: ${name}`)
  } catch (error) {
    errors.push(`${name}: ${error.stack}`)
  } finally {
    await page.close()
    server.stop()
  }
}

const isReady = page => page.waitForFunction(() => document.querySelector("button").textContent === "Send")

await test("the model's response arrives, with its usage", {}, "Name three rivers.", async page => {
  await isReady(page)
  assert.match(await page.textContent(".assistant span"), /\w/)
  assert.match(await page.textContent(".note"), /^\d+ \+ \d+ tokens$/)
  assert.equal(await page.locator(".error").count(), 0)
  await page.fill("input", "And one more?")
  await page.press("input", "Enter")
  await page.locator(".assistant").nth(1).waitFor()
  await isReady(page)
})

const thinking = await scripted([
  { reasoning_content: "They ask about scattering. " }, { reasoning_content: "Keep it short." },
  { content: "Air scatters blue light more than red light, " }, { content: "so the sky looks **blue** (not <b>violet</b>)." },
])
await test("reasoning is folded, and markup is text", { OPENAI_BASE_URL: thinking.base }, "Why is the sky blue?", async page => {
  await isReady(page)
  assert.match(await page.textContent(".assistant > span"), /\(not <b>violet<\/b>\)\.$/)
  assert.equal(await page.textContent("details span"), "They ask about scattering. Keep it short.")
  assert.equal(await page.locator("details").getAttribute("open"), null)
  await page.click("summary")
  await page.locator("details span").waitFor()
  if (screenshot) await page.screenshot({ path: screenshot })
})

const endless = await scripted([{ content: "The Nile" }], { end: false })
await test("the stop button keeps the text and frees the server", { OPENAI_BASE_URL: endless.base }, "A river?", async page => {
  await page.locator(".assistant > span", { hasText: "The Nile" }).waitFor()
  assert.equal(endless.state.closed, false)
  await page.click("button")
  await isReady(page)
  assert.equal(await page.textContent(".note"), "stopped")
  for (let n = 0; n < 100 && !endless.state.closed; n++) await page.waitForTimeout(50)
  assert.ok(endless.state.closed, "the server still writes")
})

const cut = await scripted([{ content: "The Ni" }], { end: "cut" })
await test("a stream that is cut is shown as an error after its text", { OPENAI_BASE_URL: cut.base }, "A river?", async page => {
  await page.locator(".error").waitFor()
  assert.equal(await page.textContent(".assistant > span"), "The Ni")
})

await test("a server that is down is one sentence", { OPENAI_BASE_URL: "http://127.0.0.1:9/v1" }, "A river?", async page => {
  await page.locator(".error").waitFor()
  assert.match(await page.textContent(".error"), /^connection failed: /)
})

for (const server of [thinking, endless, cut]) server.stop()
await browser.close()
if (errors.length) {
  console.error(errors.join("\n"))
  process.exit(1)
}
