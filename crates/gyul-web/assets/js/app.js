// What every page does: says what went wrong, closes notices, copies texts. Other scripts use `gyul`.
(() => {
  "use strict";
  document.documentElement.classList.add("scripts");
  const words = JSON.parse(document.getElementById("words").textContent);
  const csrf = document.querySelector("meta[name=csrf]")?.content ?? "";
  const lang = document.documentElement.lang;

  const notices = () => document.getElementById("notices");

  /** Tells the reader something; kind is "good", "bad" or "warn". */
  function tell(text, kind = "good") {
    const box = document.createElement("div");
    box.className = `notice ${kind}`;
    if (kind === "bad") box.setAttribute("role", "alert");
    const p = document.createElement("p");
    p.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "close";
    close.dataset.close = "";
    close.setAttribute("aria-label", words.close);
    close.textContent = "×";
    box.append(p, close);
    notices().prepend(box);
    return box;
  }

  /** Asks our own API. Resolves to what it says, or throws an Error whose message is for the reader (and `.problem`). */
  async function ask(address, { method = "GET", body, headers = {}, signal } = {}) {
    const json = body !== undefined && typeof body !== "string" && !(body instanceof Blob);
    let answer;
    try {
      answer = await fetch(address, {
        method,
        signal,
        headers: { ...(json ? { "content-type": "application/json" } : {}), ...(method === "GET" ? {} : { "x-csrf-token": csrf }), ...headers },
        body: json ? JSON.stringify(body) : body,
      });
    } catch (e) {
      if (e.name === "AbortError") throw e;
      throw new Error(words.failed);
    }
    const text = await answer.text();
    let said = text;
    if ((answer.headers.get("content-type") ?? "").includes("json") && text) said = JSON.parse(text);
    if (answer.ok) return said;
    if (answer.status === 401) location.assign(`/sign-in?to=${encodeURIComponent(location.pathname + location.search)}`);
    const error = new Error(said?.detail ?? words.failed);
    error.problem = said;
    error.status = answer.status;
    throw error;
  }

  const number = new Intl.NumberFormat(lang === "ko" ? "ko-KR" : "en-US");
  const count = (n) => number.format(n);
  const tenth = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });
  const STEPS = lang === "ko" ? [[1e12, "조"], [1e8, "억"], [1e4, "만"]] : [[1e9, "B"], [1e6, "M"], [1e3, "K"]];
  // As the pages write them (`format.rs`): 3,450만 원, 1.2억 원, ₩123M. The browser's own say 3450만 and 1.5천.
  const short = (n) => {
    const [size, word] = STEPS.find(([size]) => Math.abs(n) >= size) ?? [1, ""];
    return `${tenth.format(n / size)}${word}`;
  };
  const SIGN = { KRW: "₩", USD: "$", EUR: "€", GBP: "£", JPY: "¥" };
  const money = (n) => {
    const of = words.currency;
    if (lang === "ko" && of === "KRW") return `${short(n)}${Math.abs(n) < 1e4 ? "" : " "}원`;
    return SIGN[of] ? `${n < 0 ? "−" : ""}${SIGN[of]}${short(Math.abs(n))}` : `${short(n)} ${of}`;
  };
  /** `2026-11-03` as 11. 3. or 3 Nov; with its year if it is not this one. */
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const day = (text) => {
    const [, year, month, date] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? [];
    if (!year) return text;
    const own = year === String(new Date().getFullYear()) ? "" : year;
    if (lang === "ko") return `${own && `${own}. `}${+month}. ${+date}.`;
    return `${+date} ${MONTHS[month - 1]}${own && ` ${own}`}`;
  };
  const percent = (x) => `${Math.round(x * 1000) / 10}%`;

  document.addEventListener("click", (e) => {
    const close = e.target.closest("[data-close]");
    if (close) close.parentElement.remove();
    const copy = e.target.closest("[data-copy]");
    if (copy) {
      const text = document.getElementById(copy.dataset.copy)?.textContent ?? copy.dataset.copy;
      navigator.clipboard?.writeText(text).then(() => tell(words.copied));
    }
  });
  // Asks once more before something that cannot be taken back: `<form data-confirm="…">`.
  document.addEventListener("submit", (e) => {
    const question = e.target.dataset?.confirm;
    if (question && !window.confirm(question)) e.preventDefault();
  }, true);
  // A choice that leads to another view of the same page is taken at once: `<form data-auto>`.
  document.addEventListener("change", (e) => {
    const form = e.target.closest("form[data-auto]");
    if (form) form.requestSubmit();
  });
  document.addEventListener("htmx:sendError", () => tell(words.failed, "bad"));

  // On a phone the row of places is wider than the screen: where one is stands within it.
  const here = document.querySelector(".side nav a[aria-current]");
  const row = here?.closest("nav");
  if (row && row.scrollWidth > row.clientWidth) row.scrollLeft = here.offsetLeft - row.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;

  window.gyul = { words, csrf, lang, tell, ask, count, short, money, percent, day };
})();
