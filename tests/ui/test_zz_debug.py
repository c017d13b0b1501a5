from .test_live_notebook import *
def test_dbg(screen, jobs):
    job = jobs.submit("many","from IPython.display import display\nhandle = display('at 0', display_id=True)\n"
        "for i in range(1, 20_001): handle.update(f'at {i}')", jobs.waits("many"))
    cells = opened(screen, job)
    expect(cell(cells, 1)).to_have_class(re.compile("jp-mod-running"), timeout=240_000)
    screen.page.on("request", lambda r: "/events" in r.url and print("REQ", round(time.monotonic(),2), r.url[-90:]))
    screen.page.on("response", lambda r: "/events" in r.url and print("RES", round(time.monotonic(),2), r.status, r.url[-60:]))
    out = cell(cells, 0).locator(".jp-OutputArea-output")
    for _ in range(5):
        print("first tab", out.inner_text()); screen.page.wait_for_timeout(1000)
    got=[]; since=0
    while True:
        page=jobs.api.get(f"projects/default/jobs/{job}/events", params={"since":since,"limit":5000}).json()
        got+=page; since=page[-1]["seq"] if page else since
        if len(page)<5000: break
    ups=[e["payload"]["output"]["data"]["text/plain"] for e in got if e["topic"]=="job.output" and "update_display_id" in e["payload"]]
    print("t", time.monotonic()); print("api", len(got), ups[-1], len(ups))
    screen.command("application:close"); screen.page.wait_for_timeout(500)
    t=time.monotonic()
    cells = opened(screen, job); print("opened", time.monotonic()-t)
    out = cell(cells, 0).locator(".jp-OutputArea-output")
    for _ in range(8):
        print("second", time.monotonic()-t, out.inner_text(), screen.tab.locator(".jp-dlsys-Toolbar").inner_text()); screen.page.wait_for_timeout(1000)
    jobs.gate("many").touch(); screen.wait_for_state("Done", 60)
