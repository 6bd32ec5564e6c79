// Draws every `figure.chart` of the page with ECharts, in the page's colours. The table beside it says the same.
(() => {
  "use strict";
  const { count, short, money, percent, day } = window.gyul;
  const formats = { count, short, money, percent, day, text: String };
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const drawn = new Map();

  // Names of formats become functions; colours named by a token (`--c0`) become those of the theme.
  function dress(value) {
    if (typeof value === "string" && value.startsWith("--")) return style(value);
    if (Array.isArray(value)) return value.map(dress);
    if (value === null || typeof value !== "object") return value;
    const out = {};
    for (const [key, inner] of Object.entries(value)) {
      if (key === "$fmt") continue;
      out[key] = dress(inner);
    }
    return out;
  }

  function axis(option) {
    const format = formats[option.$fmt];
    const line = { lineStyle: { color: style("--line") } };
    return {
      ...dress(option),
      axisLine: { show: option.type !== "value", ...line },
      axisTick: { show: false },
      splitLine: { show: option.type === "value", ...line },
      axisLabel: { color: style("--soft"), hideOverlap: true, ...(format ? { formatter: format } : {}), ...dress(option.axisLabel ?? {}) },
    };
  }

  const each = (value, f) => (Array.isArray(value) ? value.map(f) : value && f(value));

  /** Words of a field stay within it; on a phone, where there is no room for any, the colour and the table say it. */
  function fit(out, raw, width) {
    const columns = raw.xAxis?.data?.length;
    for (const s of columns ? out.series.filter((s) => s.type === "heatmap" && s.label?.show) : []) {
      const names = raw.yAxis.show === false ? 0 : Math.max(...raw.yAxis.data.map((n) => n.length)) * 8 + 16;
      const field = Math.floor((width - names) / columns);
      s.label = { ...s.label, ...(field < 56 && { fontSize: 9, lineHeight: 13 }), show: field >= 38, width: field - 12, overflow: "break" };
    }
  }

  function options(raw, width) {
    const out = dress(raw);
    out.color ??= Array.from({ length: 12 }, (_, i) => style(`--c${i}`));
    out.animation = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    out.animationDuration = 300;
    out.textStyle = { fontFamily: getComputedStyle(document.body).fontFamily, color: style("--ink") };
    if (raw.xAxis) out.xAxis = each(raw.xAxis, axis);
    if (raw.yAxis) out.yAxis = each(raw.yAxis, axis);
    if (raw.xAxis) out.grid ??= { left: 8, right: 16, top: raw.legend ? 40 : 16, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" };
    if (raw.legend) out.legend = { top: 0, left: 0, type: "scroll", icon: "roundRect", itemWidth: 12, itemHeight: 8, ...out.legend, textStyle: { color: style("--soft") } };
    const format = formats[raw.tooltip?.$fmt] ?? count;
    out.tooltip = {
      // Words drawn on the canvas: the page allows no styles in texts.
      renderMode: "richText", confine: true, backgroundColor: style("--card"), borderColor: style("--edge"), textStyle: { color: style("--ink"), fontSize: 13 },
      valueFormatter: (v) => (v === null || v === undefined || v === "-" ? "–" : typeof v === "number" ? format(v) : String(v)),
      ...out.tooltip,
    };
    if (out.visualMap) out.visualMap = { textStyle: { color: style("--soft") }, inRange: { color: [1, 2, 3, 4, 5, 6].map((i) => style(`--h${i}`)) }, calculable: false, ...out.visualMap };
    if (out.series) fit(out, raw, width);
    out.aria = { enabled: false };
    return out;
  }

  function draw(figure) {
    const canvas = figure.querySelector(".canvas");
    const data = figure.querySelector(":scope > script");
    if (!canvas || !data || !window.echarts) return;
    const raw = JSON.parse(data.textContent);
    const chart = drawn.get(canvas) ?? window.echarts.init(canvas, null, { renderer: "canvas" });
    drawn.set(canvas, chart);
    chart.setOption(options(raw, canvas.clientWidth), true);
    // A point may lead somewhere: `link` in its data, or `links` by index of the category.
    chart.off("click");
    chart.on("click", (p) => {
      const to = p.data?.link ?? raw.links?.[p.dataIndex];
      if (typeof to === "string" && to.startsWith("/")) location.assign(to);
    });
  }

  function all(root) {
    for (const [canvas, chart] of drawn) {
      if (!canvas.isConnected) {
        chart.dispose();
        drawn.delete(canvas);
      }
    }
    (root ?? document).querySelectorAll("figure.chart").forEach(draw);
  }

  const sizes = new ResizeObserver((entries) => entries.forEach((e) => {
    const chart = drawn.get(e.target);
    if (!chart || chart.getWidth() === e.target.clientWidth) return;
    chart.resize();
    draw(e.target.closest("figure.chart"));
  }));
  const watch = () => document.querySelectorAll("figure.chart .canvas").forEach((c) => sizes.observe(c));
  const begin = () => { all(); watch(); };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
  document.addEventListener("htmx:afterSettle", begin);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => all());
  window.gyul.charts = { all };
})();
