// A server of its own on a new directory, and a browser in front of it.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const TARGET = process.env.CARGO_TARGET_DIR ?? join(ROOT, "target");
export const GYUL = process.env.GYUL ?? join(TARGET, "debug", "gyul");
const CHROMIUM = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
export const SHOTS = process.env.GYUL_SHOTS ?? join(TARGET, "e2e");
export const GUIDE = process.env.GYUL_GUIDE ? join(ROOT, "docs", "images", "guide") : null;

export const OWNER = { email: "owner@shop.example", name: "김주인", password: "a-long-password" };

const freePort = () =>
  new Promise((done, fail) => {
    const server = createServer().once("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

/** Runs `gyul` to its end; what it printed. */
export function gyul(...args) {
  const done = spawnSync(GYUL, args, { encoding: "utf8" });
  if (done.error) throw done.error;
  if (done.status > 1) throw new Error(`gyul ${args.join(" ")}: ${done.status}\n${done.stderr}`);
  return done.stdout;
}

/** Starts `gyul serve` on a new directory, which `prepare(dir)` may fill; or `gyul demo`, whose history ends today. */
export async function serve({ prepare, verb = "serve" } = {}) {
  const dir = mkdtempSync(join(tmpdir(), "gyul-e2e-"));
  if (prepare) await prepare(dir);
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const child = spawn(GYUL, [verb, ...(verb === "demo" ? ["--no-open"] : []), "--data", dir, "--listen", `127.0.0.1:${port}`], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  child.stdout.on("data", (d) => (out += d));
  child.stderr.on("data", (d) => (out += d));
  const until = Date.now() + (verb === "demo" ? 240_000 : 60_000);
  while (!/\/(welcome|enter)\?token=\S+\s/.test(out)) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`the server did not start:\n${out}`);
    await new Promise((f) => setTimeout(f, 50));
  }
  const token = out.match(/\/(?:welcome|enter)\?token=([^\s]+)/)[1];
  const stop = async () => {
    child.kill("SIGTERM");
    await new Promise((f) => (child.exitCode !== null ? f() : child.once("exit", f)));
    rmSync(dir, { recursive: true, force: true });
  };
  return { base, dir, token, stop, log: () => out };
}

/** Makes the first owner by the API; a key of theirs. */
export async function owner({ base, token }) {
  const headers = { "content-type": "application/json" };
  const made = await fetch(`${base}/api/v1/setup`, { method: "POST", headers, body: JSON.stringify({ token, ...OWNER }) });
  if (!made.ok) throw new Error(await made.text());
  const session = await fetch(`${base}/api/v1/session`, { method: "POST", headers, body: JSON.stringify({ email: OWNER.email, password: OWNER.password }) });
  const cookie = session.headers.get("set-cookie").split(";")[0];
  const { csrf } = await session.json();
  const ask = async (path, { method = "GET", body, type = "application/json" } = {}) => {
    const answer = await fetch(base + path, { method, headers: { cookie, "x-csrf-token": csrf, "content-type": type }, body: typeof body === "object" ? JSON.stringify(body) : body });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  };
  return { cookie, csrf, ask };
}

export async function browse() {
  return puppeteer.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb", "--lang=ko"] });
}

/** A tab that remembers what the page complained about. `cookie` is that of a session. */
export async function tab(browser, { base, cookie, lang = "ko", theme = "light", width = 1440, scripts = true } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (e) => complaints.push(`error: ${e.message}`));
  page.on("console", (m) => {
    if (["error", "warn", "warning"].includes(m.type()) && !/Failed to load resource/.test(m.text())) complaints.push(`${m.type()}: ${m.text()}`);
  });
  page.on("request", (r) => {
    if (!r.url().startsWith(base) && !r.url().startsWith("data:") && !r.url().startsWith("blob:")) complaints.push(`asked elsewhere: ${r.url()}`);
  });
  await page.setJavaScriptEnabled(scripts);
  await page.setViewport({ width, height: 900 });
  // Pictures of charts that are still growing show half of them.
  await page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "reduce" }]);
  const own = (name, value) => ({ name, value, url: base });
  const [name, value] = (cookie ?? "").split("=");
  await context.setCookie(...[own("gyul_lang", lang), own("gyul_theme", theme), ...(cookie ? [own(name, value)] : [])].map((c) => ({ ...c, domain: "127.0.0.1", path: "/" })));
  const go = async (path) => {
    const answer = await page.goto(base + path, { waitUntil: "load" });
    await settled(page);
    return answer;
  };
  return { page, go, complaints, close: () => context.close() };
}

/** Waits until no part of the page is being loaded. */
export async function settled(page) {
  await page.waitForFunction(() => !document.querySelector(".htmx-request, [hx-trigger~=load]:not([data-loaded]):empty"), { timeout: 15_000 }).catch(() => {});
  await new Promise((f) => setTimeout(f, 150));
}

export async function shot(page, name) {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

/** A picture for the guide, when it is made. */
export async function picture(page, name, clip) {
  await shot(page, `guide-${name}`);
  if (!GUIDE) return;
  mkdirSync(GUIDE, { recursive: true });
  await page.screenshot({ path: join(GUIDE, `${name}.png`), ...(clip ? { clip } : {}) });
}

export const write = (dir, name, content) => {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
};

/** Waits for a text to be on the page; fails with what is there. */
export async function sees(page, text, timeout = 15_000) {
  try {
    await page.waitForFunction((t) => document.body.innerText.includes(t), { timeout }, text);
  } catch {
    const there = await page.evaluate(() => document.body.innerText);
    throw new Error(`does not see "${text}" on ${page.url()} but:\n${there.slice(0, 3000)}`);
  }
}
