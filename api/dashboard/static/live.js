// Keeps a page current while it is visible. Regions that change are taken from the same page, loaded again; a region that a
// person is using stays as it is. Without this script a reload does the same.
"use strict";
{
  const LIST_MILLISECONDS = 3000, JOB_MILLISECONDS = 500, WAIT_SECONDS = 30, SAY_MILLISECONDS = 10000, RETRY_MILLISECONDS = 5000;
  // A browser has six connections to a host for all its pages, and a page that waits for a change holds one of them.
  const WAITING_PAGES = 4, LEASE_MILLISECONDS = 45000, LEASE = "trainshed-waits-";
  const job = document.body.dataset.job, dot = document.querySelector("[data-dot]"), page = String(Math.random());
  const known = new Map(), sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
  let aborted = new AbortController(), etag = document.body.dataset.etag || "", saidAt = 0, isFresh = true;

  const show = (text) => { dot.textContent = text; dot.hidden = false; };
  const inUse = (region) => region.contains(document.activeElement) || region.querySelector("details.confirm[open], input:checked");
  const regions = (from) => [...from.querySelectorAll("[data-live]")];
  for (const region of regions(document)) known.set(region.id, region.innerHTML);

  function say(text) {
    const now = Date.now(), status = document.getElementById("said");
    if (status.textContent !== text && now - saidAt > SAY_MILLISECONDS) { status.textContent = text; saidAt = now; }
  }

  // Whether this page may wait for a change on a connection of its own; the other pages ask again and again.
  function mayWait() {
    try {
      const now = Date.now(), leases = [...Array(WAITING_PAGES).keys()].map((each) => LEASE + each);
      const read = (name) => (localStorage.getItem(name) || "").split(" ");
      const own = leases.find((name) => read(name)[0] === page) || leases.find((name) => !(Number(read(name)[1]) > now));
      if (own) localStorage.setItem(own, `${page} ${now + LEASE_MILLISECONDS}`);
      return Boolean(own);
    } catch { return true; } // storage is refused
  }

  function release() {
    try {
      for (const name of Object.keys(localStorage)) if (name.startsWith(LEASE) && localStorage.getItem(name).startsWith(`${page} `)) localStorage.removeItem(name);
    } catch { /* storage is refused */ }
  }

  async function refresh() {
    const address = document.querySelector("link[rel=canonical]")?.href || location.href; // without what was refused
    const response = await fetch(address, { headers: { Accept: "text/html" }, signal: aborted.signal });
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

  // The version of the job that differs from the one that is shown; "" if none came while this waited.
  async function changed(seconds) {
    const headers = etag ? { "If-None-Match": etag } : {};
    const response = await fetch(`/v1/jobs/${job}?wait=${seconds}`, { headers, signal: aborted.signal });
    if (response.status === 401) { location.reload(); return ""; } // the session has ended
    if (response.status !== 200 && response.status !== 304) throw new Error(String(response.status));
    return response.status === 200 ? response.headers.get("etag") || "" : "";
  }

  async function follow() {
    aborted = new AbortController();
    const { signal } = aborted;
    let failures = 0, since = "", isSure = false; // that the service answers
    while (!signal.aborted) {
      try {
        const waits = Boolean(job) && mayWait();
        const version = job ? await changed(waits && isSure && etag ? WAIT_SECONDS : 0) : "";
        const goes = (job ? !version : isFresh) || (await refresh());
        isFresh = false;
        if (version) etag = version; // not before what has changed is shown
        failures = 0;
        isSure = true;
        if (!goes) { show("– final"); release(); return; }
        show("● live");
        await sleep(waits || version ? JOB_MILLISECONDS : LIST_MILLISECONDS);
      } catch {
        if (signal.aborted) return;
        failures += 1;
        isSure = false;
        since = failures === 1 ? new Date().toLocaleTimeString() : since;
        show(`◐ no updates since ${since}`);
        await sleep(Math.min(RETRY_MILLISECONDS, 500 * 2 ** failures) * (0.5 + Math.random()));
      }
    }
  }

  const start = () => { if (!("final" in document.body.dataset)) follow(); else show("– final"); };
  document.addEventListener("visibilitychange", () => {
    aborted.abort();
    if (document.hidden) { release(); show("○ paused"); } else start();
  });
  addEventListener("pagehide", release);
  start();
}
