"""Do unchanged public clients work? Starts `gyul serve` on an empty directory, sends with each of them, and asks what came in.

    pip install segment-analytics-python rudder-sdk-python schemathesis
    (cd bench/clients && npm install --no-package-lock)   # Node and browser clients; the browser is Debian's chromium
    python bench/clients/run.py [--gyul target/debug/gyul] [--only python,rudder,node,browser,api]
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent


class Server:
    def __init__(self, gyul, data):
        self.key = subprocess.run(
            [gyul, "serve", "--data", data, "--make-key"], check=True, capture_output=True, text=True
        ).stdout.strip()
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [gyul, "--lang", "en", "serve", "--data", data, "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
        )
        line = self.process.stdout.readline()
        self.url = line.split("listening at ")[1].split()[0]

    def get(self, path):
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def expect(self, **counts):
        """Waits until events are counted so (`Py_Event=250`); the page of counts is a little behind by design."""
        counts = {name.replace("_", " "): n for name, n in counts.items()}
        deadline = time.time() + 30
        while True:
            seen = {e["name"]: e["count"] for e in self.get("/api/v1/events")["items"]}
            if all(seen.get(name) == n for name, n in counts.items()):
                return seen
            assert time.time() < deadline, f"expected {counts}, seen {seen}"
            time.sleep(1)

    def customer(self, customer):
        try:
            return self.get(f"/api/v1/customers/{customer}")
        except urllib.error.HTTPError as e:
            return {"status": e.code}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, "the server did not end well"


def python(server):
    import segment.analytics as analytics

    analytics.host, analytics.write_key, analytics.gzip = server.url, server.key, True
    failures = []
    analytics.on_error = lambda error, items: failures.append(error)
    for i in range(250):
        analytics.track(f"py{i}", "Py Event", {"n": i})
    analytics.identify("py0", {"email": "py0@example.kr", "age": 31})
    analytics.flush()
    analytics.shutdown()
    assert not failures, failures
    server.expect(Py_Event=250)
    assert server.customer("py0")["traits"].get("age") == 31, server.customer("py0")


def rudder(server):
    import rudderstack.analytics as analytics

    analytics.write_key, analytics.dataPlaneUrl = server.key, server.url
    failures = []
    analytics.on_error = lambda error, items: failures.append(error)
    for i in range(30):
        analytics.track("rudder", "Rudder Event", {"n": i})
    analytics.flush()
    analytics.shutdown()
    assert not failures, failures
    server.expect(Rudder_Event=30)


def script(server, name):
    environment = os.environ | {"GYUL_URL": server.url, "GYUL_KEY": server.key}
    subprocess.run(["node", HERE / f"{name}.mjs"], check=True, env=environment, timeout=90)


def node(server):
    script(server, "node")
    server.expect(Node_Event=40)
    assert server.customer("node0")["traits"].get("plan") == "pro", server.customer("node0")


def browser(server):
    script(server, "browser")
    # By analytics-next, and by Gyul's own tracker; the page that was left tells so by a beacon.
    server.expect(Browser_Event=1, Tracker_Event=1, Queued_Event=1, Page_Left=1, Page_Viewed=2)
    assert server.customer("tracker-user")["traits"].get("plan") == "free"


def api(server):
    """The server keeps to its own OpenAPI document, whatever it is sent."""
    subprocess.run(
        [
            "schemathesis", "run", f"{server.url}/api/openapi.json", "--url", server.url,
            "-H", f"Authorization: Bearer {server.key}", "--exclude-path", "/v1/changes", "--exclude-path", "/api/v1/keys/{id}",
            "--rate-limit", "40/s", "--max-examples", "5", "--seed", os.environ.get("GYUL_SEED", "1"), "--phases", "coverage,fuzzing", "--request-timeout", "10", "--no-color",
            # 501 says that this version cannot do it yet: a server error for schemathesis, so it is looked for in the log.
            "--checks", "response_schema_conformance,content_type_conformance,status_code_conformance", "--continue-on-failure",
        ],
        check=True, timeout=300, cwd=tempfile.gettempdir(),
    )
    server.log.seek(0)
    lines = [json.loads(line) for line in server.log if line.startswith("{")]
    wrong = [line for line in lines if line.get("status") == 500 or "panicked" in str(line)]
    assert not wrong, wrong[:3]


CLIENTS = [python, rudder, node, browser, api]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gyul", default="target/debug/gyul")
    parser.add_argument("--only", default=",".join(c.__name__ for c in CLIENTS))
    args = parser.parse_args()
    data = tempfile.mkdtemp(prefix="gyul-clients-")
    failed = 0
    try:
        server = Server(args.gyul, data + "/data")
        for client in CLIENTS:
            if client.__name__ not in args.only.split(","):
                continue
            begun = time.time()
            try:
                client(server)
                print(f"{client.__name__:8} ok  {time.time() - begun:.1f} s", flush=True)
            except Exception as e:
                failed += 1
                print(f"{client.__name__:8} FAILED: {type(e).__name__}: {e}", flush=True)
        server.stop()
    finally:
        shutil.rmtree(data)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
