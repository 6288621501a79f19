// What the pages do beyond being pages. Everything here has a plain form or link behind it that works without.
// Nothing is written as markup: names and values are hostile input, and are set as text.
"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];

function element(name, text = "", kind = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

// Shows a sentence, what stands in backticks as code. An odd tick, out of a hostile name, opens nothing.
function say(place, text) {
  const parts = text.split("`");
  if (parts.length % 2 === 0) { place.textContent = text; return; }
  place.replaceChildren(...parts.map((part, index) => (index % 2 ? element("code", part) : part)));
}

function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  for (const unit of ["kB", "MB", "GB", "TB"]) {
    bytes /= 1000;
    if (bytes < 999.95) return `${bytes.toFixed(1)} ${unit}`;
  }
  return `${(bytes / 1000).toFixed(1)} PB`;
}

// The theme: the system's, until it is chosen; a cookie, so that the next page comes in it at once.
for (const button of all("[data-theme-switch]")) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const current = () => document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
  const name = () => { button.textContent = current() === "dark" ? "Light theme" : "Dark theme"; };
  button.hidden = false;
  name();
  dark.addEventListener("change", name);
  button.addEventListener("click", () => {
    const next = current() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    document.cookie = `theme=${next}; Path=/; Max-Age=31536000; SameSite=Lax`;
    name();
  });
}

// Copying. The clipboard is there on localhost and over HTTPS alone.
for (const button of all("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    const done = await navigator.clipboard.writeText(text).then(() => true, () => false);
    button.textContent = done ? "Copied" : "Not allowed";
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  });
}

for (const select of all("select[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
  for (const button of all("[data-submits]", select.form)) button.hidden = true;
}

for (const form of all("form[data-compare]")) {
  const button = form.querySelector("[data-compares]");
  const hint = form.querySelector("[data-compare-hint]");
  if (!button) continue;
  const count = () => {
    const selected = all("input[name=v]:checked", form).length;
    button.disabled = selected < 2 || selected > 5;
    hint.textContent = selected > 5 ? `${selected} selected; at most five can be compared.` : `${selected} selected; select two to five to compare.`;
  };
  form.addEventListener("change", count);
  count();
}

for (const input of all("input[data-must-be]")) {
  const button = input.form.querySelector("button");
  const check = () => { button.disabled = input.value.trim() !== input.dataset.mustBe; };
  input.addEventListener("input", check);
  check();
}

for (const button of all("button[data-confirm]")) {
  const form = button.form;
  const count = () => { button.disabled = all("input[name=key]:checked", form).length === 0; };
  form.addEventListener("change", count);
  count();
  form.addEventListener("submit", (event) => {
    if (!confirm(button.dataset.confirm)) event.preventDefault();
  });
}

// Charts: the values at a place, by mouse, by touch and by keyboard.
const SVG = "http://www.w3.org/2000/svg";

for (const plot of all(".plot[data-chart]")) readable(plot, JSON.parse(plot.dataset.chart));

function readable(plot, chart) {
  const svg = plot.querySelector("svg");
  if (chart.x.length === 0) return;
  const cursor = document.createElementNS(SVG, "g");
  const rule = document.createElementNS(SVG, "line");
  rule.setAttribute("class", "cursor");
  rule.setAttribute("y1", "14");
  rule.setAttribute("y2", "226");
  cursor.append(rule);
  const dots = chart.lines.map((line) => {
    const dot = document.createElementNS(SVG, "circle");
    dot.setAttribute("class", `cursor-dot c${line.color}`);
    dot.setAttribute("r", "4");
    cursor.append(dot);
    return dot;
  });
  cursor.setAttribute("visibility", "hidden");
  svg.append(cursor);
  const tip = element("div", "", "tip");
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  plot.append(tip);

  let at = chart.x.length - 1;
  const said = (index) => {
    const values = chart.lines.filter((line) => line.values[index]).map((line) => `${line.name} ${line.values[index][0]}`);
    return `${plot.dataset.x} ${chart.x[index]}: ${values.join(", ")}`;
  };
  plot.tabIndex = 0;
  plot.setAttribute("role", "slider");
  plot.setAttribute("aria-label", `${plot.dataset.label}, values`);
  plot.setAttribute("aria-valuemin", "0");
  plot.setAttribute("aria-valuemax", String(chart.x.length - 1));
  plot.setAttribute("aria-valuenow", String(at));
  plot.setAttribute("aria-valuetext", said(at));

  function show(index) {
    at = Math.max(0, Math.min(chart.x.length - 1, index));
    plot.setAttribute("aria-valuenow", String(at));
    plot.setAttribute("aria-valuetext", said(at));
    rule.setAttribute("x1", chart.at[at]);
    rule.setAttribute("x2", chart.at[at]);
    tip.replaceChildren(element("b", `${plot.dataset.x} ${chart.x[at]}`));
    chart.lines.forEach((line, index) => {
      const found = line.values[at];
      dots[index].setAttribute("visibility", found ? "inherit" : "hidden");
      if (!found) return;
      dots[index].setAttribute("cx", chart.at[at]);
      dots[index].setAttribute("cy", found[1]);
      const row = element("div");
      row.append(element("i", "", `c${line.color}`), element("span", line.name), element("span", found[0]));
      tip.append(row);
    });
    cursor.setAttribute("visibility", "visible");
    tip.hidden = false;
    const scale = svg.clientWidth / chart.width;
    const place = chart.at[at] * scale;
    const left = place + 14 + tip.offsetWidth < plot.clientWidth ? place + 14 : place - 14 - tip.offsetWidth;
    tip.style.left = `${Math.max(0, left)}px`;
  }
  function hide() {
    cursor.setAttribute("visibility", "hidden");
    tip.hidden = true;
  }
  function nearest(event) {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * chart.width;
    let best = 0;
    chart.at.forEach((place, index) => { if (Math.abs(place - x) < Math.abs(chart.at[best] - x)) best = index; });
    return best;
  }
  plot.addEventListener("pointermove", (event) => show(nearest(event)));
  plot.addEventListener("pointerdown", (event) => show(nearest(event)));
  plot.addEventListener("pointerleave", () => { if (document.activeElement !== plot) hide(); });
  plot.addEventListener("focus", () => { if (plot.matches(":focus-visible")) show(at); });
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    const far = Math.max(1, Math.round(chart.x.length / 10));
    const to = {
      ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1,
      PageUp: at + far, PageDown: at - far, Home: 0, End: chart.x.length - 1,
    }[event.key];
    if (event.key === "Escape") hide();
    if (to === undefined) return;
    event.preventDefault();
    show(to);
  });
}

// A chart as a PNG: the same file, drawn at twice its size.
for (const button of all("button[data-png]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const answer = await fetch(button.dataset.png);
    if (!answer.ok) return;
    const name = /filename="([^"]+)\.svg"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? button.dataset.name;
    const drawn = URL.createObjectURL(new Blob([await answer.text()], { type: "image/svg+xml" }));
    const image = new Image();
    image.src = drawn;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth * 2;
    canvas.height = image.naturalHeight * 2;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(drawn);
    canvas.toBlob((blob) => {
      const link = element("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${name}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    }, "image/png");
  });
}

// Files, chosen or dropped.
for (const zone of all("[data-drop]")) {
  const input = zone.querySelector("input[type=file]");
  const list = zone.querySelector("[data-chosen]");
  zone.querySelector("[data-drop-hint]").hidden = false;
  const chosen = () => {
    list.replaceChildren(...[...input.files].slice(0, 100).map((file) => {
      const row = element("li");
      row.append(element("span", file.name), element("span", size(file.size), "muted nowrap"));
      return row;
    }));
    input.dispatchEvent(new CustomEvent("chosen", { bubbles: true }));
  };
  input.addEventListener("change", chosen);
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  zone.addEventListener("dragleave", (event) => { if (!zone.contains(event.relatedTarget)) zone.classList.remove("over"); });
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files.length === 0) return;
    input.files = event.dataTransfer.files;
    chosen();
  });
}

// A file that misses its zone must not replace the page.
for (const kind of ["dragover", "drop"]) {
  addEventListener(kind, (event) => { if (document.querySelector("[data-drop]")) event.preventDefault(); });
}

function progress(form) {
  const box = form.querySelector(".progress");
  const bar = box.querySelector("progress");
  const words = box.querySelector("p");
  box.hidden = false;
  return {
    set(done, total, text) {
      if (total > 0) bar.value = done / total; else bar.removeAttribute("value");
      words.textContent = text;
      words.className = "";
    },
    end(good, text) {
      bar.value = good ? 1 : 0;
      say(words, text);
      words.className = good ? "good" : "bad";
    },
  };
}

// Sends a form with its files, and says how far that is. `done` gets the answer.
function send(form, address, fields, done) {
  const button = form.querySelector("button:not([type=button])");
  const shown = progress(form);
  const request = new XMLHttpRequest();
  const begun = performance.now();
  button.disabled = true;
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    const rate = loaded / Math.max(0.2, (performance.now() - begun) / 1000);
    const sent = `${size(loaded)} of ${size(total)}, ${size(rate)}/s`;
    shown.set(loaded, total, loaded < total ? sent : "Upload complete. Publishing to the bucket…");
  });
  const failed = (text) => { button.disabled = false; shown.end(false, text); };
  request.addEventListener("error", () => failed("The upload was interrupted. Is the service running?"));
  request.addEventListener("load", () => {
    if (request.status < 400) done(request);
    else failed(refused(request));
  });
  const token = document.querySelector("meta[name=csrf]");
  request.open("POST", address);
  if (token) request.setRequestHeader("x-csrf-token", token.content);
  request.send(fields);
}

// What a refusal says: a problem document, or a page with a notice.
function refused(request) {
  const text = request.responseText;
  if ((request.getResponseHeader("content-type") ?? "").includes("json")) return problem(JSON.parse(text));
  const lines = all(".notice.bad p", new DOMParser().parseFromString(text, "text/html"));
  return lines.map((line) => line.textContent).join(" ") || `The service responded with ${request.status}.`;
}

function problem(document) {
  const causes = (document.causes ?? []).map((cause) => ` (${cause})`).join("");
  return document.detail + causes + (document.hint ? `. What to do: ${document.hint}` : "");
}

for (const form of all("form[data-upload]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    // The answer is the page that the form leads to.
    send(form, form.getAttribute("action"), new FormData(form), (request) => location.assign(request.responseURL));
  });
}

// Metadata as people write them: a JSON object, or a line each.
function metadata(text) {
  if (text.trim() === "" || text.trim().startsWith("{")) return text.trim();
  const found = {};
  for (const line of text.split("\n").map((line) => line.trim()).filter(Boolean)) {
    const at = line.indexOf("=");
    if (at < 1) throw new Error(`“${line}” is not of the form name=value`);
    const value = line.slice(at + 1).trim();
    try { found[line.slice(0, at).trim()] = JSON.parse(value); } catch { found[line.slice(0, at).trim()] = value; }
  }
  return JSON.stringify(found);
}

for (const form of all("form[data-publish]")) {
  const main = form.querySelector("select[name=main]");
  form.addEventListener("chosen", () => {
    const names = [...form.elements.file.files].map((file) => file.name);
    // The service knows by its name which one it is, unless somebody says otherwise.
    const automatic = element("option", "automatic: by name, else the largest file");
    automatic.value = "";
    main.replaceChildren(automatic, ...names.slice(0, 1000).map((name) => element("option", name)));
    main.closest(".field").hidden = names.length < 2;
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = new FormData();
    try {
      const said = metadata(form.elements.metadata.value);
      if (said) fields.append("metadata", said);
    } catch (error) {
      progress(form).end(false, error.message);
      form.elements.metadata.focus();
      return;
    }
    if (form.elements.version.value.trim()) fields.append("version", form.elements.version.value.trim());
    if (main.value) fields.append("main", main.value);
    for (const file of form.elements.file.files) fields.append("file", file, file.name);
    const model = encodeURIComponent(form.elements.model.value.trim());
    send(form, `/api/v1/models/${model}/versions`, fields, (request) => {
      const published = JSON.parse(request.responseText);
      const version = encodeURIComponent(published.version);
      location.assign(`/models/${model}/versions/${version}?published=${published.already ? "already" : "now"}`);
    });
  });
}

// Verifying: begun by a request, told by server-sent events.
for (const form of all("form[data-verify]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const shown = progress(form);
    const failed = (text) => { button.disabled = false; shown.end(false, text); };
    button.disabled = true;
    shown.set(0, 1, "Begun…");
    const token = document.querySelector("meta[name=csrf]");
    const headers = token ? { "x-csrf-token": token.content } : {};
    const answer = await fetch(form.dataset.verify, { method: "POST", headers }).catch(() => null);
    if (!answer) return failed("The service does not respond.");
    if (!answer.ok) return failed(problem(await answer.json()));
    const events = new EventSource(`/api/v1/jobs/${(await answer.json()).id}/events`);
    events.addEventListener("progress", (event) => {
      const job = JSON.parse(event.data);
      const file = job.file ? `, ${job.file}` : "";
      shown.set(job.bytes_done, job.bytes, `${size(job.bytes_done)} of ${size(job.bytes)}${file}`);
    });
    events.addEventListener("end", (event) => {
      events.close();
      button.disabled = false;
      const job = JSON.parse(event.data);
      if (job.state === "verified") {
        shown.end(true, `Verified: ${job.files} ${job.files === 1 ? "file" : "files"}, ${size(job.bytes)}, every digest matches.`);
      } else if (job.state === "unverified") {
        shown.end(false, `Not verified: ${job.unverified} of ${job.files} ${job.files === 1 ? "file" : "files"} have no published digest and cannot be verified.`);
      } else {
        shown.end(false, `Verification failed: ${problem(job.problem)}`);
      }
    });
    events.addEventListener("error", () => {
      events.close();
      failed("Lost the connection to the service. Is it running?");
    });
  });
}
