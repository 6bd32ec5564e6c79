"""A copy in an object store that speaks S3: `gyul serve --remote` and `gyul restore s3://…` against moto's server.

    cargo build -p gyul --features object-store
    pip install "moto[server]"
    python bench/clients/s3.py --gyul target/debug/gyul

Events go on being sent while copies are made; the server is killed, its directory is gone, and what was in the last whole copy comes back. Wrong keys are told.
"""
import argparse, json, os, shutil, signal, subprocess, sys, tempfile, time, urllib.request

S3, PORT = 5599, 7598


def call(path, key, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", data=body and json.dumps(body).encode(), headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    return json.loads(urllib.request.urlopen(request, timeout=20).read() or b"null")


def text(path, key):
    return urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", headers={"Authorization": f"Bearer {key}"}), timeout=20).read().decode()


def wait(what, done, seconds=60):
    until = time.time() + seconds
    while time.time() < until:
        try:
            found = done()
            if found:
                return found
        except OSError:
            pass
        time.sleep(0.3)
    sys.exit(f"{what} did not come")


def number(text, name):
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"gyul_{name} ")), 0)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--gyul", default="target/debug/gyul")
    gyul = os.path.abspath(p.parse_args().gyul)
    folder = tempfile.mkdtemp(prefix="gyul-s3-")
    data, log = folder + "/data", open(folder + "/log", "w+")
    env = os.environ | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "hidden-secret", "AWS_REGION": "us-east-1", "AWS_ENDPOINT": f"http://127.0.0.1:{S3}", "AWS_ALLOW_HTTP": "true"}
    moto = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(S3)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = None
    try:
        wait("moto", lambda: urllib.request.urlopen(f"http://127.0.0.1:{S3}/moto-api/").status == 200)
        serve = [gyul, "--data", data, "serve", "--listen", f"127.0.0.1:{PORT}"]
        key = subprocess.run(serve + ["--make-key"], check=True, capture_output=True, text=True).stdout.strip()
        server = subprocess.Popen(serve + ["--remote", "s3://shop/gyul"], env=env, stdout=log, stderr=log)
        wait("the server", lambda: call("/api/v1/segments", key))
        # There is no bucket yet: that is told, counted, and does not stop anything.
        wait("a failure", lambda: number(text("/metrics", key), "remote_failures_total") >= 1)
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{S3}/shop", method="PUT"))
        sent = 0
        while number(text("/metrics", key), "remote_copies_total") < 1:
            events = [{"customer": f"C{sent + i}", "name": "Order Completed", "props": {"total": 1000 + i}} for i in range(50)]
            assert call("/api/v1/events", key, events)["accepted"] == 50
            sent += 50
            time.sleep(0.5)
            assert sent < 20_000, "no copy came"
        server.send_signal(signal.SIGKILL)
        server.wait()
        log.seek(0)
        told = log.read()
        assert "hidden-secret" not in told and "a copy is in the object store" in told, told[-500:]
        shutil.rmtree(data)
        subprocess.run([gyul, "--data", data, "restore", "s3://shop/gyul"], check=True, env=env, stdout=subprocess.DEVNULL)
        server = subprocess.Popen(serve, env=env, stdout=log, stderr=log)
        wait("the server", lambda: call("/api/v1/segments", key))
        orders = [e for e in call("/api/v1/events", key)["items"] if e["name"] == "Order Completed"]
        back = orders[0]["count"] if orders else 0
        assert 50 <= back <= sent and back % 50 == 0, (back, sent)
        print(f"s3: {back} of {sent} events were in the last whole copy and came back", flush=True)
        for place, words in [("s3://nobody/gyul", "the object store"), ("s3://", "no address"), ("s3://shop/other", "no copy")]:
            failed = subprocess.run([gyul, "--data", folder + "/none", "--lang", "en", "restore", place], env=env, capture_output=True, text=True)
            assert failed.returncode != 0 and words in failed.stderr and "hidden-secret" not in failed.stderr, (place, failed)
    finally:
        for process in (server, moto):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
