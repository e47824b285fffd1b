// Keeps a page current while it is visible. Regions that change are taken from the same page, loaded again; a region that a
// person is using stays as it is. Without this script a reload does the same.
"use strict";
{
  const LIST_MILLISECONDS = 3000, JOB_MILLISECONDS = 500, WAIT_SECONDS = 30, SAY_MILLISECONDS = 10000;
  const job = document.body.dataset.job, dot = document.querySelector("[data-dot]");
  const known = new Map(), sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
  let aborted = new AbortController(), etag = "", saidAt = 0;

  const show = (text) => { dot.textContent = text; dot.hidden = false; };
  const inUse = (region) => region.contains(document.activeElement) || region.querySelector("details.confirm[open], input:checked");
  const regions = (from) => [...from.querySelectorAll("[data-live]")];
  for (const region of regions(document)) known.set(region.id, region.innerHTML);

  function say(text) {
    const now = Date.now(), status = document.getElementById("said");
    if (status.textContent !== text && now - saidAt > SAY_MILLISECONDS) { status.textContent = text; saidAt = now; }
  }

  async function refresh() {
    const response = await fetch(location.href, { headers: { Accept: "text/html" }, signal: aborted.signal });
    if (response.redirected) { location.reload(); return false; } // the session has ended
    if (!response.ok) throw new Error(String(response.status));
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const region of regions(fresh)) {
      const old = document.getElementById(region.id);
      if (!old || known.get(region.id) === region.innerHTML || inUse(old)) continue;
      known.set(region.id, region.innerHTML);
      old.replaceChildren(...document.importNode(region, true).childNodes);
    }
    if (document.title !== fresh.title) { document.title = fresh.title; say(fresh.title); }
    return !("final" in fresh.body.dataset);
  }

  async function changed() {
    const headers = etag ? { "If-None-Match": etag } : {};
    const response = await fetch(`/v1/jobs/${job}?wait=${etag ? WAIT_SECONDS : 0}`, { headers, signal: aborted.signal });
    if (response.status !== 200 && response.status !== 304) throw new Error(String(response.status));
    etag = response.headers.get("etag") || "";
    return response.status === 200;
  }

  async function follow() {
    aborted = new AbortController();
    const { signal } = aborted;
    let failures = 0, since = "";
    while (!signal.aborted) {
      try {
        const goes = job ? !(await changed()) || (await refresh()) : await refresh();
        failures = 0;
        if (!goes) { show("– final"); return; }
        show("● live");
        await sleep(job ? JOB_MILLISECONDS : LIST_MILLISECONDS);
      } catch {
        if (signal.aborted) return;
        failures += 1;
        since = failures === 1 ? new Date().toLocaleTimeString() : since;
        show(`◐ no updates since ${since}`);
        await sleep(Math.min(8000, 500 * 2 ** failures) * (0.5 + Math.random()));
      }
    }
  }

  const start = () => { if (!("final" in document.body.dataset)) follow(); else show("– final"); };
  document.addEventListener("visibilitychange", () => { aborted.abort(); if (document.hidden) show("○ paused"); else start(); });
  start();
}
