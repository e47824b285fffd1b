"""The pages of the queue and of a job, as HTML."""

import re
from typing import Any

import httpx
import pytest

from shared.ids import new_id
from shared.jobs import liveness
from shared.jobs.findings import NewFinding, store_findings
from tests.api.service import Service, checkpoint_row, metric_row

HOSTILE = "<img src=x onerror=alert(1)> hx-get=/x"


def _start(service: Service, **changes: Any) -> tuple[str, Any]:
    lease = service.start_job(**changes)
    points = [(step, 1 / step) for step in range(1, 13)]
    service.record(
        lease,
        metrics=[metric_row("val_loss", 10 * step, value, epoch=step) for step, value in points],
        checkpoints=[checkpoint_row("last")],
    )
    return lease.job_id, lease


def test_a_program_gets_the_links_as_json(service: Service) -> None:
    response = service.client.get("/", headers={"Accept": "application/json"})
    assert response.json()["links"]["docs"] == "/docs"
    assert response.headers["vary"] == "Accept"


def test_an_empty_box_says_what_to_do(browser: httpx.Client) -> None:
    page = browser.get("/").text
    assert "0 running · 0 waiting" in page
    assert "trainshed submit --preset" in page


def test_devices_are_shown_with_what_runs_on_them(service: Service, browser: httpx.Client) -> None:
    assert "No worker answers" in browser.get("/").text
    job_id, _ = _start(service, name="runs")
    devices = [
        {"name": name, "model": HOSTILE, "uuid": f"GPU-{name}", "memory_mib": 24 * 1024}
        for name in ("cpu:0", "cpu:1")
    ]
    with service.database.write() as connection:
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=devices)
    service.app.state.services.queue_order._read_at = float("-inf")
    lines = re.findall(r'<div class="device">(.*?)</div>', browser.get("/").text, re.DOTALL)
    assert [re.search(r"cpu:\d", line)[0] for line in lines] == ["cpu:0", "cpu:1"]  # pyright: ignore[reportOptionalSubscript]
    assert f'<a href="/jobs/{job_id}"><bdi>runs</bdi></a>' in lines[0]
    assert "free" in lines[1]
    assert all("24.0 GiB" in line and "<img" not in line for line in lines)


def test_filters_are_in_the_address_and_pages_follow_a_cursor(
    service: Service, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.dashboard.home.PAGE", 2)
    for number in range(5):
        service.submit(name=f"job-{number}", tags={"group": "a" if number else "b"})
    seen: list[str] = []
    address = "/?tag=group:a"
    while address:
        page = browser.get(address).text
        seen += re.findall(r"<bdi>(job-\d)</bdi></a>", page)
        found = re.search(r'href="([^"]+)" rel="next"', page)
        address = found[1].replace("&amp;", "&") if found else ""
    assert seen == ["job-4", "job-3", "job-2", "job-1"]
    assert "No job matches" in browser.get("/?dataset=unknown").text


def test_a_job_page_shows_its_curve_and_its_checkpoints(
    service: Service, browser: httpx.Client
) -> None:
    job, _ = _start(service, name="curve")
    page = browser.get(f"/jobs/{job}").text
    [path] = re.findall(r'class="line validation" d="([^"]+)"', page)
    assert path.count(",") == 12
    assert "safetensors" in page
    assert "Values by epoch" in page


def test_a_part_of_the_epochs_is_drawn_with_all_its_points(
    service: Service, browser: httpx.Client
) -> None:
    lease = service.start_job()
    rows = [metric_row("val_loss", 10 * i, 1 / i, epoch=i) for i in range(1, 901)]
    service.record(lease, metrics=rows)
    address = f"/jobs/{lease.job_id}"

    def points(query: str) -> int:
        page = browser.get(address + query).text
        [path] = re.findall(r'class="line validation" d="([^"]+)"', page)
        return path.count(",")

    assert points("") <= 400
    assert points("?from_epoch=101&to_epoch=300") == 200
    assert points("?from_epoch=801&to_epoch=&y=log") == 100, "an empty field is no limit"
    page = browser.get(f"{address}?from_epoch=101&to_epoch=300").text
    assert f'href="{address}?from_epoch=101&amp;to_epoch=300&amp;y=log"' in page


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("from_epoch=x", "from_epoch</code> is &#34;x&#34;; it must be an integer"),
        ("from_epoch=-1", "from_epoch</code> is &#34;-1&#34;; it must be at least 0"),
        (
            "from_epoch=9&to_epoch=2",
            "to_epoch</code> is 2; it must be at least <code>from_epoch</code>, which is 9",
        ),
    ],
)
def test_epochs_that_cannot_be_shown_are_explained_above_all_curves(
    service: Service, browser: httpx.Client, query: str, fault: str
) -> None:
    lease = service.start_job()
    rows = [metric_row("val_loss", 10 * i, 1 / i, epoch=i) for i in range(1, 10)]
    service.record(lease, metrics=rows)
    answer = browser.get(f"/jobs/{lease.job_id}?{query}")
    assert answer.status_code == 422
    assert fault in answer.text
    [path] = re.findall(r'class="line validation" d="([^"]+)"', answer.text)
    assert path.count(",") == 9
    assert f'<link rel="canonical" href="/jobs/{lease.job_id}">' in answer.text


def test_a_value_that_is_not_finite_is_a_gap_with_a_mark(
    service: Service, browser: httpx.Client
) -> None:
    lease = service.start_job()
    values = [1.0, 0.5, float("nan"), float("inf"), 0.25, 0.2]
    rows = [metric_row("val_loss", 10 * i, v, epoch=i) for i, v in enumerate(values, start=1)]
    service.record(lease, metrics=rows)
    page = browser.get(f"/jobs/{lease.job_id}").text
    [path] = re.findall(r'class="line validation" d="([^"]+)"', page)
    assert path.count("M") == 2
    assert "val_loss is NaN at epoch 3" in page
    assert "▲<title>val_loss is ∞ at epoch 4" in page


def test_forms_cancel_pause_and_resume(service: Service, browser: httpx.Client) -> None:
    job = service.submit()
    response = browser.post(f"/jobs/{job}/pause", data={"back": "/?state=queued"})
    assert (response.status_code, response.headers["location"]) == (303, "/?state=queued")
    assert service.job(job)["state"] == "paused"
    browser.post(f"/jobs/{job}/resume", data={"back": "//evil.example"})
    assert service.job(job)["state"] == "queued"
    response = browser.post(f"/jobs/{job}/cancel")
    assert response.headers["location"] == f"/jobs/{job}"
    assert service.job(job)["state"] == "cancelled"


def test_a_stale_page_is_answered_with_what_is_possible_now(
    service: Service, browser: httpx.Client
) -> None:
    job = service.submit()
    browser.post(f"/jobs/{job}/cancel")
    response = browser.post(f"/jobs/{job}/resume")
    assert response.status_code == 409
    assert response.headers["content-type"].startswith("text/html")
    assert "cancelled" in response.text


@pytest.mark.parametrize("path", ["", "/results", "/log", "/spec"])
def test_a_job_that_does_not_exist_is_a_page(browser: httpx.Client, path: str) -> None:
    for job in ("job_unknown", "job_01m8e6zqev0498hnd3hxnarj1q"):
        response = browser.get(f"/jobs/{job}{path}")
        assert response.status_code == 404
        assert "no such job" in response.text.lower() or "There is no job" in response.text


def test_names_of_people_are_text(service: Service, browser: httpx.Client) -> None:
    job, _ = _start(service, name=HOSTILE, tags={"<b>": "'\"><script>"})
    patch = {"notes": f"{HOSTILE}\n\n[x](javascript:alert(1)) ![y](http://evil.example/a.png)"}
    response = service.client.patch(
        f"/v1/jobs/{job}", json=patch, headers={"Content-Type": "application/merge-patch+json"}
    )
    assert response.status_code == 200
    for path in ("/", f"/jobs/{job}", f"/jobs/{job}/spec", f"/jobs/{job}/log"):
        page = browser.get(path).text
        assert not re.search(r"<img src=x|<script>|href=\"javascript|src=\"http|<b>\"", page)
        assert "&lt;img src=x" in page


def test_the_log_is_shown_with_a_link_to_all_of_it(service: Service, browser: httpx.Client) -> None:
    job, lease = _start(service)
    path = service.storage.log(job, lease.attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("first\n" * 600 + "<script>last\x1b[31m\n")
    page = browser.get(f"/jobs/{job}/log").text
    assert "&lt;script&gt;last\\x1b[31m" in page
    assert page.count("first") == 499
    assert "The end of the log" in page


def test_every_page_forbids_foreign_content_and_inline_code(
    service: Service, browser: httpx.Client
) -> None:
    job, _ = _start(service)
    for path in ("/", f"/jobs/{job}", f"/jobs/{job}/results", "/login", "/jobs/unknown"):
        response = browser.get(path)
        policy = response.headers.get("content-security-policy", "")
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cross-origin-opener-policy"] == "same-origin"
        assert not re.search(r"<style|\sstyle=|\son\w+=\"|<script(?! src)", response.text)


def test_a_patch_of_a_finding_is_a_button_that_forks_once(
    service: Service, browser: httpx.Client
) -> None:
    lease = service.start_job(name="origin")
    patch = {
        "id": new_id("pat"),
        "expects": "a smaller step",
        "operations": [
            {"op": "test", "path": "/optimizer/learning_rate", "value": 0.01},
            {"op": "replace", "path": "/optimizer/learning_rate", "value": 0.001},
        ],
    }
    data = {"sentence": "too fast", "explanation": "e", "layers": [], "evidence": {}, "reasons": []}
    found = NewFinding(
        id=new_id("fnd"),
        rule="learning_rate_too_high",
        stage="training",
        severity="error",
        state="open",
        first_step=1,
        last_step=2,
        epoch=1,
        because_of=None,
        data={**data, "patches": [patch]},
    )
    with service.database.write() as connection:
        store_findings(connection, lease, [found])
    page = browser.get(f"/jobs/{lease.job_id}").text
    assert "<code>0.01</code> → <code><b>0.001</b></code>" in page
    form = page.partition("/fork/finding")[2].partition("</form>")[0]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', form))
    answers = [browser.post(f"/jobs/{lease.job_id}/fork/finding", data=fields) for _ in range(2)]
    assert len({answer.headers["location"] for answer in answers}) == 1
    new = service.job(answers[0].headers["location"].removeprefix("/jobs/"))
    assert new["spec"]["optimizer"]["learning_rate"] == 0.001
    assert new["forked_from"] == lease.job_id
