#!/usr/bin/env python3
"""What the network of a jail costs: connections and a transfer to a listener on loopback, bare and under `stockade jail`.

    tests/bench/network.py [--stockade target/release/stockade] [--rounds 5] [--megabytes 1024]

Prints medians of paired rounds; asserts nothing.
"""

import argparse
import socket
import statistics
import subprocess
import threading

CLIENT = r"""
import socket, sys, time
port, connects, megabytes = map(int, sys.argv[1:])
times = []
for _ in range(connects):
    s = socket.socket()
    start = time.perf_counter()
    s.connect(("127.0.0.1", port))
    times.append(time.perf_counter() - start)
    s.close()
times.sort()
block = bytes(1 << 20)
s = socket.create_connection(("127.0.0.1", port))
start = time.perf_counter()
for _ in range(megabytes):
    s.sendall(block)
s.shutdown(socket.SHUT_WR)
s.recv(1)
print(times[len(times) // 2] * 1e6, megabytes / (time.perf_counter() - start))
"""


def sink(listener):
    def drain(connection):
        buffer = bytearray(1 << 20)
        try:
            while connection.recv_into(buffer):
                pass
            connection.sendall(b".")
        except OSError:
            pass
        connection.close()

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=drain, args=(connection,), daemon=True).start()


def run(prefix, port, options):
    words = [*prefix, "/usr/bin/python3", "-c", CLIENT, str(port), str(options.connects), str(options.megabytes)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        return None, done.stderr.strip()[-400:]
    return tuple(float(word) for word in done.stdout.split()), None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stockade", default="target/release/stockade")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connects", type=int, default=300)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--profile", default="offline")
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    port = listener.getsockname()[1]
    threading.Thread(target=sink, args=(listener,), daemon=True).start()

    def jail(backend):
        return [options.stockade, "jail", "--profile", options.profile, "--backend", backend,
                "--grant-net", f"127.0.0.1:{port}", "--"]

    ways = {"bare": [], "namespaces": jail("namespaces"), "notify": jail("notify")}
    results = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way, prefix in ways.items():
            figures, error = run(prefix, port, options)
            if error:
                print(f"{way}: {error}")
            else:
                results[way].append(figures)
    medians = {
        way: [statistics.median(figure) for figure in zip(*figures)] for way, figures in results.items() if figures
    }
    bare = medians["bare"]
    for way, (connect, rate) in medians.items():
        print(f"{way:<11} connect {connect:7.1f} us ({connect - bare[0]:+6.1f})   "
              f"{rate:7.0f} MB/s ({rate / bare[1]:.2f} of bare)")


if __name__ == "__main__":
    main()
