// What a marketer does, from the first start on. Each step stands on the one before it.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { OWNER, browse, picture, sees, serve, settled, tab, write } from "./lib.mjs";

let server, browser, tabs, page, go, key;

before(async () => {
  server = await serve();
  browser = await browse();
  tabs = await tab(browser, { base: server.base });
  ({ page, go } = tabs);
  // Leaving a half-written segment asks first.
  page.on("dialog", (d) => d.type() === "beforeunload" && d.accept());
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Presses the button or link with this text. */
async function press(text, within = "main") {
  const found = await page.evaluateHandle(
    (t, w) => {
      const all = [...document.querySelectorAll(`${w} button, ${w} a, ${w} summary`)].filter((e) => e.offsetParent !== null);
      return all.find((e) => e.textContent.trim() === t) ?? all.find((e) => e.textContent.includes(t)) ?? null;
    },
    text,
    within,
  );
  const element = found.asElement();
  assert.ok(element, `no button or link "${text}" on ${page.url()}`);
  await element.click();
}

/** Waits for the builder to count so many. */
async function counts(n) {
  try {
    await page.waitForFunction((n) => document.querySelector("#builder-size").textContent.replace(/[^0-9]/g, "") === n, { timeout: 15_000 }, String(n));
  } catch {
    const there = await page.$eval("#builder", (e) => `${e.querySelector("#builder-size").textContent}: ${e.querySelector("#builder-text textarea").value} ${e.querySelector("#builder-text").textContent}`);
    throw new Error(`the builder does not count ${n} but ${there}`);
  }
}

/** Presses it and waits for the page it leads to. */
const follow = async (text, within) => {
  await Promise.all([page.waitForNavigation({ waitUntil: "load" }), press(text, within)]);
  await settled(page);
};

const type = async (name, text) => {
  const field = await page.waitForSelector(`main [name="${name}"]`);
  await field.click({ count: 3 });
  await field.type(text);
};

/** The shop system sends an event. */
async function send(userId, event, properties = {}, messageId = crypto.randomUUID()) {
  const answer = await fetch(`${server.base}/v1/track`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ userId, event, properties, messageId }),
  });
  assert.equal(answer.status, 200, await answer.text());
}

test("the first start: the link from the terminal makes the first owner", async () => {
  await go("/");
  assert.match(page.url(), /\/welcome$/);
  await go(`/welcome?token=${server.token}`);
  await type("name", OWNER.name);
  await type("email", OWNER.email);
  await type("password", "short");
  await picture(page, "welcome");
  await type("password", OWNER.password);
  await follow("소유자로 시작하기");
  await sees(page, "아직 고객이 없습니다");
  await sees(page, OWNER.email);
  await picture(page, "empty");
});

test("a key for the shop is shown once, and events with it arrive", async () => {
  await go("/settings/keys");
  await type("name", "쇼핑몰");
  await follow("키 만들기");
  key = await page.$eval("#made", (e) => e.textContent);
  assert.match(key, /^gyul_/);
  await go("/settings/keys");
  assert.equal(await page.$("#made"), null);
  for (let i = 1; i <= 20; i++) await send(`C${i}`, "Order Completed", { order_id: `o${i}`, total: i * 10_000 });
  await send("C1", "Order Completed", { order_id: "again", total: 50_000 });
  await go("/");
  await sees(page, "20명");
});

test("a segment is built by keyboard, and its count moves while somebody types", async () => {
  await go("/segments/new");
  await page.waitForSelector("#builder-size");
  await type("name_ko", "두 번 이상 산 고객");
  // From here on nothing but keys.
  await page.focus("#builder-about summary");
  await page.keyboard.press("Enter");
  await page.$eval("input[name=id]", (e) => (e.focus(), e.select()));
  await page.keyboard.type("twice");
  await page.focus("#builder-text textarea");
  await page.keyboard.type("count(order) >= 1");
  await counts(20);
  await page.keyboard.press("Backspace");
  await page.keyboard.type("2");
  await counts(1);
  // The cards say the same.
  await page.waitForFunction(() => [...document.querySelectorAll("#builder-cards input")].some((i) => i.value === "2"));
  await picture(page, "builder");
  // Something that is no condition is told at its place, and nothing is lost.
  await page.keyboard.type(" and nonsense(");
  await page.waitForFunction(() => document.querySelector("#builder-text textarea").getAttribute("aria-invalid") === "true");
  for (let i = 0; i < " and nonsense(".length; i++) await page.keyboard.press("Backspace");
  await counts(1);
  await page.keyboard.down("Control");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await page.keyboard.up("Control");
  assert.match(page.url(), /\/segments\/twice/);
  await sees(page, "두 번 이상 산 고객");
});

test("a live event moves somebody into it, and the start page tells within a moment", async () => {
  await go("/");
  await page.waitForFunction(() => /아직 움직임이 없습니다/.test(document.querySelector("#live-state").textContent));
  const empty = await page.$eval("section[aria-labelledby=live]", (e) => e.getBoundingClientRect().height);
  assert.ok(empty < 200, `nothing happens on ${empty} pixels`);
  const known = await fetch(`${server.base}/v1/identify`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ userId: "C2", traits: { name: "김하늘" } }),
  });
  assert.equal(known.status, 200);
  await send("C2", "Order Completed", { order_id: "second", total: 5000 });
  const begun = Date.now();
  await page.waitForFunction(() => document.querySelector("#feed").textContent.includes("두 번 이상 산 고객"), { timeout: 5000 });
  assert.ok(Date.now() - begun < 3000);
  // By the name, as far as there is one.
  await page.waitForFunction(() => [...document.querySelectorAll("#feed .who")].some((a) => a.textContent === "김하늘" && a.getAttribute("href") === "/customers/C2"), { timeout: 5000 });
  await picture(page, "start");
  await go("/segments/twice");
  await sees(page, "2명");
});

test("names that carry markup stay text", async () => {
  const bad = `"><img src=x onerror=alert(1)>`;
  await send(bad, "Order Completed", { order_id: "x1", total: 1 });
  await send(bad, "Order Completed", { order_id: "x2", total: 1 });
  await send(bad, `<script>alert(2)</script>`, { [`<b>prop</b>`]: `</script><script>alert(3)</script>` });
  let alerts = 0;
  page.on("dialog", (d) => d.type() !== "beforeunload" && (alerts++, d.dismiss()));
  for (const path of ["/", "/segments/twice", "/customers", `/customers/${encodeURIComponent(bad)}`, "/data/events", "/segments/new", "/explore"]) {
    const answer = await go(path);
    assert.ok(answer.status() < 500, `${path}: ${answer.status()}`);
    assert.equal(await page.$("img[src=x]"), null, path);
  }
  assert.equal(alerts, 0);
  assert.deepEqual(tabs.complaints.splice(0), []);
});

test("a role that sees no people sees none, and is told why", async () => {
  await go("/settings/users");
  await type("name", "보는 사람");
  await type("email", "view@shop.example");
  await page.select("main form.two select[name=role]", "read-only");
  await type("password", "another-long-password");
  await follow("추가");
  await sees(page, "view@shop.example");
  const other = await tab(browser, { base: server.base, lang: "en" });
  await other.go("/segments");
  assert.match(other.page.url(), /sign-in\?to=%2Fsegments/);
  await other.page.type("[name=email]", "view@shop.example");
  await other.page.type("[name=password]", "another-long-password");
  await Promise.all([other.page.waitForNavigation(), other.page.keyboard.press("Enter")]);
  assert.match(other.page.url(), /\/segments$/);
  const refused = await other.go("/customers");
  assert.equal(refused.status(), 403);
  await sees(other.page, "You may not see this page");
  const looks = await other.go("/segments/twice");
  assert.equal(looks.status(), 200);
  await settled(other.page);
  assert.ok(!(await other.page.evaluate(() => document.body.innerText)).includes("C2"), "no customer is named");
  await other.close();
});

test("signing out ends it", async () => {
  await go("/");
  await follow("로그아웃", "header");
  await go("/segments");
  assert.match(page.url(), /sign-in/);
});
