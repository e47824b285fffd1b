// Uploads a data set as the body of a request, with progress; without it the command line does.
"use strict";
for (const form of document.querySelectorAll("[data-upload]")) {
  const bar = form.querySelector("progress"), fault = form.querySelector(".fault");
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const file = form.elements.file.files[0], name = form.elements.name.value;
    const request = new XMLHttpRequest();
    const say = (text) => { fault.textContent = text; fault.hidden = !text; bar.hidden = Boolean(text); form.querySelector("button").disabled = !text; };
    say("");
    request.open("POST", `/v1/datasets?name=${encodeURIComponent(name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (at) => { bar.value = at.lengthComputable ? at.loaded / at.total : 0; };
    request.onerror = () => say("The connection broke off; nothing was stored. Upload the file again.");
    request.onload = () => {
      if (request.status === 202) { location.href = `/datasets/${encodeURIComponent(name)}`; return; }
      try {
        const problem = JSON.parse(request.responseText);
        say([problem.detail, ...(problem.errors || []).map((each) => `${each.pointer}: ${each.detail}`)].join(" "));
      } catch { say(`The service answered with status ${request.status}.`); }
    };
    request.send(file);
  });
}
