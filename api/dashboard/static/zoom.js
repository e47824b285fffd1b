// Dragging over a chart shows the epochs below the pointer, with all their points; a double click shows all epochs again. The
// form above the charts does the same without this.
"use strict";
{
  const LEAST_PIXELS = 8;
  let drag = null;

  const epochAt = (svg, clientX) => {
    const box = svg.getBoundingClientRect(), [first, last] = svg.dataset.epochs.split(" ").map(Number);
    const [left, right] = svg.dataset.plot.split(" ").map((each) => (Number(each) / svg.viewBox.baseVal.width) * box.width);
    return first + (last - first) * Math.min(1, Math.max(0, (clientX - box.left - left) / (right - left)));
  };

  document.addEventListener("pointerdown", (event) => {
    const svg = event.target.closest("[data-zoom] svg[data-epochs]");
    if (!svg || event.button !== 0 || event.pointerType === "touch") return;
    drag = { svg, from: event.clientX };
    event.preventDefault(); // no text is selected
  });
  document.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const { svg, from } = drag, ends = [from, event.clientX].map((each) => epochAt(svg, each)).sort((one, other) => one - other);
    drag = null;
    if (Math.abs(event.clientX - from) < LEAST_PIXELS || !svg.isConnected) return;
    const address = new URL(location.href);
    address.searchParams.set("from_epoch", Math.floor(ends[0]));
    address.searchParams.set("to_epoch", Math.ceil(ends[1]));
    location.assign(address);
  });
  document.addEventListener("dblclick", (event) => {
    const whole = document.querySelector("[data-whole]");
    if (whole && event.target.closest("[data-zoom] svg")) location.assign(whole.href);
  });
}
