# table.py: makes the table of bench/run, and its JSON, of what the rounds left in a folder.
# SPDX-License-Identifier: MIT
#
# usage: table.py FOLDER ROUNDS JSON    JSON: a file to write, or an empty name

import json
import os
import statistics
import sys

FLAGS = ("plain", "encrypted", "authenticated", "both")
KINDS = (("unsigned", "mlapi, unsigned"), ("signed", "mlapi, signed, RSA-2048"),
         ("reused", "mlapi, signed, hail reused"), ("hail-unsigned", "hail, unsigned"),
         ("hail-signed", "hail, signed"))


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def spread(values):
    """Of one figure in every round."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values),
            "rounds": values}


def ratios(values, to):
    """Each to its neighbour in the same round, since rounds differ more than neighbours do."""
    return spread([value / other for value, other in zip(values, to)])


def show(figure, places):
    return "%.*f (%.*f to %.*f)" % (places, figure["median"], places, figure["least"], places,
                                    figure["most"])


def messages(folder, rounds, outstanding):
    runs = [json.loads(read(folder, "messages-%d-%d.json" % (outstanding, round)))
            for round in range(1, rounds + 1)]
    found = {flags: [row for run in runs for row in run["messages"] if row["flags"] == flags]
             for flags in FLAGS}

    def column(flags, name):
        return [row[name] for row in found[flags]]

    rows = []
    for flags in FLAGS:
        rate = column(flags, "messages_per_second")
        cost = column(flags, "server_us_per_message")
        rows.append({
            "flags": flags, "outstanding": outstanding,
            "messages_per_second": spread(rate),
            "rate_to_plain": ratios(rate, column("plain", "messages_per_second")),
            "server_us_per_message": spread(cost),
            "server_us_to_plain": ratios(cost, column("plain", "server_us_per_message")),
            "server_busy": spread([r * c / 1e6 for r, c in zip(rate, cost)]),
            "p50_us": spread(column(flags, "p50_us")),
            "p99_us": spread(column(flags, "p99_us")),
        })
    return rows


def datagrams(folder, rounds, connections):
    baselines = [json.loads(read(folder, "baseline-%d-%d.json" % (connections, round)))
                 for round in range(1, rounds + 1)]
    runs = [json.loads(read(folder, "datagrams-%d-%d.json" % (connections, round)))
            for round in range(1, rounds + 1)]
    least = [row["server_us_per_message"] for row in baselines]
    rows = [{"what": "baseline", "connections": connections,
             "messages_per_second": spread([row["messages_per_second"] for row in baselines]),
             "server_us_per_message": spread(least),
             "server_us_to_baseline": ratios(least, least), "lost": 0}]
    for flags in ("plain", "authenticated", "both"):
        found = [row for run in runs for row in run["messages"] if row["flags"] == flags]
        cost = [row["server_us_per_message"] for row in found]
        rows.append({
            "what": "hail, " + flags, "connections": connections,
            "messages_per_second": spread([row["messages_per_second"] for row in found]),
            "server_us_per_message": spread(cost),
            "server_us_to_baseline": ratios(cost, least),
            "lost": sum(row["lost"] for row in found),
        })
    return rows


def handshakes(folder, rounds, kind):
    runs = [json.loads(read(folder, "handshakes-%s-%d.json" % (kind, round)))["handshakes"]
            for round in range(1, rounds + 1)]
    rate = [run["per_second"] for run in runs]
    cost = [run["server_us"] for run in runs]
    return {
        "kind": kind, "count": runs[0]["count"], "concurrent": runs[0]["concurrent"],
        "handshakes_per_second": spread(rate),
        "server_us_per_handshake": spread(cost),
        "server_busy": spread([r * c / 1e6 for r, c in zip(rate, cost)]),
    }


def print_messages(rows):
    print("%2s %-14s %-29s %-8s %-23s %-8s %5s %9s" % (
        "", "flags", "messages/s", "to plain", "server us a message", "to plain", "busy",
        "p99 us"))
    for row in rows:
        print("%2d %-14s %-29s %-8.2f %-23s %-8.2f %4.0f%% %9.0f" % (
            row["outstanding"], row["flags"], show(row["messages_per_second"], 0),
            row["rate_to_plain"]["median"], show(row["server_us_per_message"], 2),
            row["server_us_to_plain"]["median"], 100 * row["server_busy"]["median"],
            row["p99_us"]["median"]))


def print_datagrams(rows):
    print("%5s %-20s %-29s %-23s %-23s %5s" % (
        "conns", "", "messages/s", "server us a message", "to the baseline", "lost"))
    for row in rows:
        print("%5d %-20s %-29s %-23s %-23s %5d" % (
            row["connections"], row["what"], show(row["messages_per_second"], 0),
            show(row["server_us_per_message"], 2), show(row["server_us_to_baseline"], 2),
            row["lost"]))


def print_handshakes(rows):
    print("%-27s %-27s %-29s %5s" % ("kind", "server us a handshake", "handshakes/s", "busy"))
    for row in rows:
        print("%-27s %-27s %-29s %4.0f%%" % (
            dict(KINDS)[row["kind"]], show(row["server_us_per_handshake"], 0),
            show(row["handshakes_per_second"], 0), 100 * row["server_busy"]["median"]))


def body(text):
    """What a bench prints behind the machine, which the head has."""
    return text.split("\n\n", 1)[1]


def main():
    folder, rounds, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    first = json.loads(read(folder, "messages-1-1.json"))
    head = read(folder, "head") + "compiler  %s\n" % first["compiler"]
    found = {
        "head": dict(line.split(None, 1) for line in head.splitlines()),
        "rounds": rounds,
        "plan": first["plan"],
        "server_cpu_step_us": first["server_cpu_step_us"],
        "messages": [row for outstanding in (1, 16)
                     for row in messages(folder, rounds, outstanding)],
        "datagrams": [row for connections in (100, 1000)
                      for row in datagrams(folder, rounds, connections)],
        "handshakes": [handshakes(folder, rounds, kind) for kind, _ in KINDS],
        "bench_handshake": body(read(folder, "bench_handshake")).splitlines(),
        "bench_packer": body(read(folder, "bench_packer")).splitlines(),
    }
    print(head)
    print("Median of %d rounds (least to most). busy: how much of its core the server used.\n"
          % rounds)
    print("mlapi over TCP: echoes of 128 bytes, 100 connections, each with 1 or 16 messages "
          "outstanding")
    print_messages(found["messages"])
    print("\nhail over UDP: echoes of 128 bytes, 1 outstanding; baseline: the same by nothing but "
          "system calls")
    print_datagrams(found["datagrams"])
    print("\nHandshakes, %d a round, %d at once" % (
        found["handshakes"][0]["count"], found["handshakes"][0]["concurrent"]))
    print_handshakes(found["handshakes"])
    print("\nParts of a handshake without sockets, us of CPU: median (least to most)")
    print("\n".join(found["bench_handshake"]))
    print("\nWrapping and unwrapping a message, us of CPU: median (least to most)")
    print("\n".join(found["bench_packer"]))
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=2)
            file.write("\n")


if __name__ == "__main__":
    main()
