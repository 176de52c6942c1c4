"""The growth benchmark from end to end, on few documents."""

import sys

from benchmarks import dedup_growth


def test_chain_and_cluster_are_found_and_judged(monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["dedup_growth", "--documents", "3000"])
    dedup_growth.main()
    row = [cell.strip() for cell in capfd.readouterr().out.splitlines()[-1].strip("| ").split("|")]
    assert row[0] == "3,000"
    removed, of = (int(number.replace(",", "")) for number in row[-2].split(" of "))
    # 300 in the cluster (one stays, or few), 30 links, some 540 in pairs
    assert 540 < removed < of < 1000
    assert row[-1] == "yes"
