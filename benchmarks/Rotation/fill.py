"""Fills a catalogue with 65,000 backups of 300 datasets: chains of 60, hourly, daily, weekly and monthly ones.

usage: fill.py DATABASE
"""
import sqlite3
import sys

DATASETS, BACKUPS, CHAIN, NOW = 300, 65_000, 60, 1_780_000_000
database = sqlite3.connect(sys.argv[1])
rows = []
for number in range(BACKUPS):
    dataset, index = number % DATASETS, number // DATASETS
    guid = number + 1
    base = "" if index % CHAIN == 0 else str(guid - DATASETS)
    time = NOW - (BACKUPS // DATASETS - index) * 3600
    kind = "monthly" if index % 720 == 0 else "weekly" if index % 168 == 0 else "daily" if index % 24 == 0 else "hourly" if index % 2 else "manual"
    key = f"bench/tank_d{dataset}_{number}"
    rows.append((key, key + ".zfs.gz", "bench", f"tank/d{dataset}", f"s{number}", str(guid), base, "filesystem", time, time * 1000, 1_000_000, 2_000_000,
                 "gzip", 0, "SaSpill LargeBlocks", "-L", "", "0" * 64, kind))
database.executemany(
    "INSERT INTO backups (snapshot_id, storage_key, client_id, dataset_name, snapshot_name, snapshot_guid, from_guid, dataset_type, timestamp, received_at, size_bytes, stream_bytes,"
    " compression, raw, features, send_flags, sha256, parts_sha256, snapshot_type) VALUES (" + ",".join("?" * 19) + ")", rows)
database.commit()
