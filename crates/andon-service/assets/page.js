// What the page does by itself: the veil, the trend, the heatmap's keys, arrow keys and swipes. Everything else is HTML.
"use strict";
(() => {
  const $ = (selector) => document.querySelector(selector);
  const stream = $("#stream"), veil = $("#veil");

  // The veil: two seconds without a beat, and what is shown may be old.
  const boot = document.body.dataset.boot;
  let last = performance.now(), clock = "", asking = false, answered = 0;
  const beat = (pulse) => {
    // The box was started anew: nothing of the old page holds.
    if (pulse.boot !== boot) { location.reload(); return; }
    last = performance.now();
    clock = pulse.clock;
    answered = 0;
    veil.hidden = true;
  };
  stream.addEventListener("beat", (event) => beat(JSON.parse(event.detail.data)));
  const ask = async () => {
    asking = true;
    try {
      const pulse = await (await fetch("/beat", { cache: "no-store", signal: AbortSignal.timeout(1500) })).json();
      // It answers, and the stream does not come back by itself: begin anew.
      if (pulse.boot !== boot || (answered += 1) > 3) location.reload();
    } catch { answered = 0; }
    asking = false;
  };
  let asked = 0, tick = last;
  setInterval(() => {
    const now = performance.now(), late = now - tick > 1000;
    tick = now;
    // This tab was busy or asleep itself: what waits to be read comes first.
    if (late) return;
    if (now - last < 2000) return;
    if (veil.hidden) {
      $("#veil-since").textContent = clock || new Date(Date.now() - (now - last)).toLocaleTimeString(document.documentElement.lang, { hour12: false });
      veil.hidden = false;
    }
    if (!asking && now - asked > 1500) { asked = now; ask(); }
  }, 250);
  // A page that comes back from the browser's memory is old.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // The strip stays put while it is touched; what came meanwhile is fetched then.
  let touched = false, missed = false;
  const touch = () => { touched = true; };
  const leave = () => {
    touched = false;
    if (!missed) return;
    missed = false;
    htmx.ajax("GET", "/strip", { target: "#strip", swap: "outerMorph" });
  };
  document.addEventListener("pointerdown", (event) => { if (event.target.closest("#strip")) touch(); });
  for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => { if (touched) setTimeout(leave, 1500); });
  document.addEventListener("focusin", (event) => { if (event.target.closest("#strip")) touch(); else if (touched) leave(); });
  stream.addEventListener("htmx:sse:before:message", (event) => {
    const message = event.detail.message;
    if (!touched || message.event) return;
    const without = message.data.replace(/<section id="strip"[\s\S]*?<\/section>/, "");
    if (without !== message.data) { missed = true; message.data = without; }
  });

  // The heatmap: off, or one of four strengths; kept for this tab.
  const strength = (value) => {
    const level = Math.max(0, Math.min(4, value));
    document.documentElement.className = level ? `heat-${level}` : "";
    sessionStorage.setItem("heat", level);
    const key = $("#heat");
    if (key) key.setAttribute("aria-pressed", level > 0);
    return level;
  };
  let heat = strength(Number(sessionStorage.getItem("heat") ?? 2));
  document.addEventListener("click", (event) => {
    const key = event.target.closest("#heat, #heat-less, #heat-more");
    if (!key) return;
    heat = strength(key.id === "heat" ? (heat ? 0 : 2) : heat + (key.id === "heat-more" ? 1 : -1));
  });
  for (const name of ["htmx:sse:after:message", "htmx:after:swap"]) document.addEventListener(name, () => { const key = $("#heat"); if (key) key.setAttribute("aria-pressed", heat > 0); });

  // Next and previous by arrow keys and swipes.
  const go = (rel) => { const link = $(`a[rel=${rel}]`); if (link) link.click(); };
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, textarea, select") || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "ArrowLeft") go("prev");
    else if (event.key === "ArrowRight") go("next");
    else if (event.key === "Escape") go("up");
    else if (event.key === "h") { heat = strength(heat ? 0 : 2); }
  });
  let from = null;
  document.addEventListener("touchstart", (event) => { from = event.touches.length === 1 ? event.touches[0] : null; }, { passive: true });
  document.addEventListener("touchend", (event) => {
    if (!from || event.target.closest("#strip, .scroll")) return;
    const dx = event.changedTouches[0].clientX - from.clientX, dy = event.changedTouches[0].clientY - from.clientY;
    if (Math.abs(dx) > 80 && Math.abs(dx) > 2 * Math.abs(dy)) go(dx > 0 ? "prev" : "next");
  }, { passive: true });

  // The trend.
  const trend = $("#trend");
  if (trend) {
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const size = () => ({ width: Math.max(100, trend.clientWidth), height: Math.max(50, trend.clientHeight) });
    const text = colour("--muted"), grid = { stroke: colour("--raised"), width: 1 }, ticks = { show: false };
    const time = new Intl.DateTimeFormat(trend.dataset.lang, { hour: "2-digit", minute: "2-digit", hour12: false });
    const axis = { stroke: text, grid, ticks, font: "12px system-ui, sans-serif" };
    const line = (label, stroke, scale, dash) => ({ label, stroke: colour(stroke), scale, dash, width: 2, points: { show: false }, spanGaps: true });
    let plot = null;
    const draw = (points) => {
      // One point has no range yet.
      if (points.length < 2) return;
      const data = [points.map((p) => p.t), points.map((p) => p.rejected), points.map((p) => p.median), points.map((p) => p.p99)];
      const now = points.length ? points[points.length - 1] : null;
      if (now) trend.setAttribute("aria-label", `${trend.dataset.rejects}: ${now.rejected.toFixed(1)}; ${trend.dataset.median}: ${Math.round(now.median)}; ${trend.dataset.p99}: ${Math.round(now.p99)}`);
      if (plot) { plot.setData(data); return; }
      plot = new uPlot({
        ...size(), cursor: { show: false }, legend: { show: false }, padding: [8, 4, 0, 0],
        scales: { x: { time: true, range: (_, low, high) => [Math.min(low, high - 600), high] }, share: { range: (_, low, high) => [0, Math.max(5, high * 1.2)] }, score: { range: [0, 120] } },
        axes: [{ ...axis, size: 22, values: (_, at) => at.map((s) => time.format(s * 1000)) }, { ...axis, scale: "share", size: 40, values: (_, at) => at.map((v) => `${v} %`) }, { ...axis, scale: "score", side: 1, size: 44, grid: { show: false }, values: (_, at) => at.map((v) => `${v} %`) }],
        series: [{}, line(trend.dataset.rejects, "--reject", "share"), line(trend.dataset.median, "--pass", "score"), line(trend.dataset.p99, "--wait", "score", [4, 3])],
      }, data, trend);
    };
    const load = async () => { try { draw(await (await fetch(trend.dataset.src)).json()); } catch { /* the veil says so */ } };
    new ResizeObserver(() => { if (plot) plot.setSize(size()); }).observe(trend);
    load();
    setTimeout(load, 3000);
    setInterval(load, 10000);
  }
})();
