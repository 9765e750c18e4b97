// The pages of the history: keys of the review, pictures that are gone, the slider of another threshold. Everything else is HTML.
"use strict";
(() => {
  const $ = (selector) => document.querySelector(selector);

  // A picture that is not kept leaves the calm place behind it.
  const gone = (image) => { if (image.closest(".kept, .small-picture")) image.hidden = true; };
  document.addEventListener("error", (event) => { if (event.target instanceof HTMLImageElement) gone(event.target); }, true);
  for (const image of document.images) if (image.complete && image.naturalWidth === 0 && image.src) gone(image);

  // Keys: 1, 2, 3 say it, u takes it back. A key that is held says it once.
  let said = false;
  addEventListener("pageshow", () => { said = false; });
  // The next part came in place of the last, or the answer did not come: keys say something again, and the address is that of the part.
  document.addEventListener("htmx:finally:request", (event) => {
    const { request, response } = event.detail.ctx;
    if (!new URL(request.action, location.href).pathname.startsWith("/review/")) return;
    said = false;
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
    if (response && new URL(response.raw.url).pathname === "/review") history.replaceState(history.state, "", response.raw.url);
    scrollTo(0, 0);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input:not([type=radio], [type=range]), textarea, select") || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    const key = /^[123u]$/.test(event.key) ? $(`button[data-key="${event.key}"]`) : null;
    if (!key || said) return;
    said = true;
    event.preventDefault();
    key.click();
  });
  // Two touches are one review.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches(".saying, .taking-back")) return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
  });

  // Enter in the number of parts means the trial, not the first key of the form.
  document.addEventListener("keydown", (event) => {
    const key = event.key === "Enter" && event.target.matches("input[name=parts]") && event.target.form?.querySelector("button[value=trial]");
    if (!key) return;
    event.preventDefault();
    event.target.form.requestSubmit(key);
  });

  const trial = $("#trial");
  if (!trial) return;
  const { thresholds, rejected, shifts } = JSON.parse(trial.dataset.steps);
  const now = (thresholds.length - 1) / 2, slider = $("#at"), line = $("#tried-line");
  const lang = trial.dataset.lang;
  const whole = (n) => String(Math.abs(n)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const real = (x, places) => { const text = x.toFixed(places); return lang === "de" ? text.replace(".", ",") : text; };
  const put = (id, text) => { const place = $(id); if (place) place.textContent = text; };
  let waiting = 0;
  const show = () => {
    const at = Number(slider.value), [all, bad, good] = rejected[at], more = all - rejected[now][0];
    put("#tried", real(thresholds[at], 2));
    put("#percent", at);
    put("#more-rejects", (more === 0 ? "±" : more < 0 ? "−" : "+") + whole(more));
    put("#more-shift", real(more / Math.max(1, shifts), 1));
    put("#bad-found", whole(bad));
    put("#good-rejected", whole(good));
    put("#value-shown", real(thresholds[at], 2));
    if ($("#value")) $("#value").value = thresholds[at];
    const x = at * 2000 / (thresholds.length - 1);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    // The pictures follow when the slider rests.
    clearTimeout(waiting);
    waiting = setTimeout(() => htmx.ajax("GET", `${trial.dataset.parts}&at=${at}`, { target: "#flips", swap: "outerHTML" }), 350);
  };
  const step = (by) => { slider.value = Number(slider.value) + by; show(); };
  slider.addEventListener("input", show);
  $("#less").addEventListener("click", () => step(-1));
  $("#more").addEventListener("click", () => step(1));
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input:not([type=range]), textarea, select") || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "+" || event.key === "-") { event.preventDefault(); step(event.key === "+" ? 1 : -1); }
  });
})();
