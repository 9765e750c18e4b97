// Setting a camera up: one picture after the other, the next asked for when the last is drawn; sharpness, brightness, grid, reference.
"use strict";
(() => {
  const $ = (selector) => document.querySelector(selector);
  const aid = $("#aid"), picture = $("#aid-picture"), lang = aid.dataset.lang;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = (value, places) => new Intl.NumberFormat(lang, { minimumFractionDigits: places, maximumFractionDigits: places }).format(value);
  const put = (id, text) => { $(id).textContent = text; };
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const ends = performance.now() + 1000 * Number(aid.dataset.lasts);
  const trend = [], drawn = [];
  let last = "", best = 0, now = null, figures = null, ended = false;

  // What is laid over the picture.
  const marks = aid.dataset.marks ? JSON.parse(aid.dataset.marks) : null;
  const over = { grid: false, half: false, blend: false, marks: marks !== null };
  let reference = null;
  if (aid.dataset.reference) {
    const image = new Image();
    image.onload = () => { reference = image; draw(); };
    image.src = aid.dataset.reference;
  }
  const toggle = (key, name, other) => {
    if (!$(key)) return;
    $(key).addEventListener("click", () => {
      over[name] = !over[name];
      if (over[name] && other) over[other] = false;
      for (const [id, of] of [["#aid-grid", "grid"], ["#aid-half", "half"], ["#aid-blend", "blend"], ["#aid-marks", "marks"]]) if ($(id)) $(id).setAttribute("aria-pressed", over[of]);
      draw();
    });
  };
  toggle("#aid-grid", "grid");
  toggle("#aid-marks", "marks");
  toggle("#aid-half", "half", "blend");
  toggle("#aid-blend", "blend", "half");
  $("#aid-forget").addEventListener("click", () => { best = 0; trend.length = 0; tell(); });

  const draw = () => {
    if (!now) return;
    const { width, height } = now;
    if (picture.width !== width || picture.height !== height) { picture.width = width; picture.height = height; }
    const to = picture.getContext("2d");
    to.drawImage(now, 0, 0);
    if (reference && over.half) to.drawImage(reference, 0, 0, reference.width / 2, reference.height, 0, 0, width / 2, height);
    if (reference && over.blend) { to.globalAlpha = 0.5; to.drawImage(reference, 0, 0, width, height); to.globalAlpha = 1; }
    const line = (x1, y1, x2, y2, thick) => {
      for (const [style, more] of [["#000", 2], ["#ffca61", 0]]) {
        to.strokeStyle = style;
        to.lineWidth = thick + more;
        to.beginPath();
        to.moveTo(x1, y1);
        to.lineTo(x2, y2);
        to.stroke();
      }
    };
    const thick = Math.max(1, width / 800);
    if (reference && over.half) line(width / 2, 0, width / 2, height, thick);
    if (over.marks && marks.cells) {
      // Where the model looks away.
      const [columns, rows] = marks.cells.grid;
      to.fillStyle = "rgba(0, 0, 0, 0.6)";
      for (let n = 0; n < marks.cells.judged.length; n++) {
        if (marks.cells.judged[n] === "1") continue;
        const x = n % columns, y = Math.floor(n / columns), left = Math.round(width * x / columns), top = Math.round(height * y / rows);
        to.fillRect(left, top, Math.round(width * (x + 1) / columns) - left, Math.round(height * (y + 1) / rows) - top);
      }
    }
    if (over.marks && marks.band) {
      const [x, y, w, h] = marks.band, left = x * width, top = y * height, right = left + w * width, bottom = top + h * height;
      to.setLineDash([8 * thick, 5 * thick]);
      line(left, top, right, top, 1.5 * thick);
      line(right, top, right, bottom, 1.5 * thick);
      line(right, bottom, left, bottom, 1.5 * thick);
      line(left, bottom, left, top, 1.5 * thick);
      to.setLineDash([]);
    }
    // Thirds and middle.
    if (over.grid) for (const share of [1 / 3, 1 / 2, 2 / 3]) { line(width * share, 0, width * share, height, thick); line(0, height * share, width, height * share, thick); }
  };

  const fit = (canvas) => {
    const scale = devicePixelRatio || 1, width = Math.max(1, Math.round(canvas.clientWidth * scale)), height = Math.max(1, Math.round(canvas.clientHeight * scale));
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    const to = canvas.getContext("2d");
    to.clearRect(0, 0, width, height);
    return [to, width, height];
  };
  const tell = () => {
    if (!figures) return;
    const { sharpness, dark, bright, histogram } = figures;
    put("#aid-sharpness", number(sharpness, sharpness < 100 ? 1 : 0));
    put("#aid-best", number(best, best < 100 ? 1 : 0));
    put("#aid-share", best > 0 ? `${number(100 * sharpness / best, 0)}\u202f%` : "–");
    put("#aid-dark", `${number(100 * dark, 2)}\u202f%`);
    put("#aid-bright", `${number(100 * bright, 2)}\u202f%`);
    for (const [id, share] of [["#aid-dark", dark], ["#aid-bright", bright]]) $(id).classList.toggle("uninspected", share > 0.01);
    const span = drawn.length > 1 ? drawn[drawn.length - 1] - drawn[0] : 0;
    put("#aid-pace", span > 0 ? number(1000 * (drawn.length - 1) / span, 1) : "–");
    const [line, width, height] = fit($("#aid-trend"));
    const most = Math.max(best, ...trend) || 1;
    line.lineWidth = 2 * (devicePixelRatio || 1);
    line.setLineDash([6, 5]);
    line.strokeStyle = colour("--muted");
    line.beginPath();
    line.moveTo(0, 0.1 * height);
    line.lineTo(width, 0.1 * height);
    line.stroke();
    line.setLineDash([]);
    line.strokeStyle = colour("--pass");
    line.beginPath();
    trend.forEach((value, n) => line.lineTo(width * n / 199, height * (1 - 0.9 * value / most)));
    line.stroke();
    const [bars, across, up] = fit($("#aid-histogram"));
    // The root, so that a few odd pixels can be seen beside many.
    const highest = Math.sqrt(Math.max(1, ...histogram)), step = across / histogram.length;
    histogram.forEach((count, n) => {
      const tall = up * Math.sqrt(count) / highest, clipped = (n === 0 && dark > 0.01) || (n === histogram.length - 1 && bright > 0.01);
      bars.fillStyle = colour(clipped ? "--wait" : "--muted");
      bars.fillRect(n * step, up - tall, Math.max(1, step - 1), tall);
    });
  };

  const say = (id) => {
    for (const known of ["#aid-none", "#aid-ended", "#aid-again"]) $(known).hidden = known !== id && !(id === "#aid-ended" && known === "#aid-again");
    $("#aid-gone").hidden = !id;
  };
  const end = () => { ended = true; say("#aid-ended"); put("#aid-left", ""); };
  const go = async () => {
    while (!ended) {
      let answer, bitmap;
      try {
        answer = await fetch(`/aid/${aid.dataset.camera}/next?after=${encodeURIComponent(last)}`, { cache: "no-store", signal: AbortSignal.timeout(8000) });
        if (answer.status === 200) bitmap = await createImageBitmap(await answer.blob());
      } catch { await pause(500); continue; }
      if (answer.status === 410 || answer.status === 403) { end(); return; }
      if (answer.status === 204) { say("#aid-none"); continue; }
      if (!bitmap) { await pause(1000); continue; }
      const told = JSON.parse(answer.headers.get("andon-figures"));
      // Drawn when the browser draws: a page in the background asks for nothing.
      await new Promise(requestAnimationFrame);
      if (now) now.close();
      [now, figures, last] = [bitmap, told.of, told.id];
      best = Math.max(best, figures.sharpness);
      trend.push(figures.sharpness);
      if (trend.length > 200) trend.shift();
      drawn.push(performance.now());
      if (drawn.length > 30) drawn.shift();
      $("#aid-part").value = last;
      $("#aid-keep").disabled = false;
      say(null);
      draw();
      tell();
    }
  };
  setInterval(() => {
    const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
    if (!ended) put("#aid-left", `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`);
    if (left === 0 && !ended) end();
  }, 1000);
  go();
})();
