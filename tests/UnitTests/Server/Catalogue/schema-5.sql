-- The catalogue as version 0.1 (48e77d3) made it: its five steps, and rows of each kind of upload.
CREATE TABLE backups (
    snapshot_id    TEXT PRIMARY KEY,
    storage_key    TEXT NOT NULL UNIQUE,
    client_id      TEXT NOT NULL,
    dataset_name   TEXT NOT NULL,
    snapshot_name  TEXT NOT NULL,
    snapshot_guid  TEXT NOT NULL,
    from_guid      TEXT NOT NULL,
    dataset_type   TEXT NOT NULL,
    timestamp      BIGINT NOT NULL,
    received_at    BIGINT NOT NULL,
    size_bytes     BIGINT NOT NULL,
    stream_bytes   BIGINT NOT NULL,
    compression    TEXT NOT NULL,
    raw            BIGINT NOT NULL,
    features       TEXT NOT NULL,
    send_flags     TEXT NOT NULL,
    sha256         TEXT NOT NULL,
    UNIQUE (client_id, dataset_name, snapshot_guid, from_guid)
);
CREATE INDEX backups_by_guid ON backups (client_id, snapshot_guid);
CREATE TABLE uploads (
    upload_id      TEXT PRIMARY KEY,
    client_id      TEXT NOT NULL,
    snapshot_id    TEXT NOT NULL UNIQUE,
    storage_key    TEXT NOT NULL,
    dataset_name   TEXT NOT NULL,
    snapshot_name  TEXT NOT NULL,
    snapshot_guid  TEXT NOT NULL,
    from_guid      TEXT,
    compression    TEXT NOT NULL,
    raw            BIGINT,
    send_flags     TEXT NOT NULL,
    touched_at     BIGINT NOT NULL,
    last_error     TEXT
);
ALTER TABLE backups ADD COLUMN locked_until BIGINT;
CREATE TABLE properties (
    name           TEXT PRIMARY KEY,
    value          TEXT NOT NULL
);
ALTER TABLE backups ADD COLUMN parts_sha256 TEXT NOT NULL DEFAULT '';
ALTER TABLE uploads ADD COLUMN begin_facts TEXT;
CREATE TABLE upload_objects (
    upload_id      TEXT NOT NULL,
    object         BIGINT NOT NULL,
    token          TEXT NOT NULL,
    PRIMARY KEY (upload_id, object)
);
CREATE TABLE upload_parts (
    upload_id      TEXT NOT NULL,
    part           BIGINT NOT NULL,
    stored_offset  BIGINT NOT NULL,
    size_bytes     BIGINT NOT NULL,
    sha256         TEXT NOT NULL,
    receipt        TEXT NOT NULL,
    start_state    TEXT NOT NULL,
    end_state      TEXT NOT NULL,
    end_checksum   TEXT,
    PRIMARY KEY (upload_id, part)
);
ALTER TABLE backups ADD COLUMN snapshot_type TEXT NOT NULL DEFAULT 'manual';
ALTER TABLE backups ADD COLUMN pinned BIGINT NOT NULL DEFAULT 0;
ALTER TABLE backups ADD COLUMN expires_at BIGINT;
ALTER TABLE uploads ADD COLUMN snapshot_type TEXT NOT NULL DEFAULT 'manual';
ALTER TABLE uploads ADD COLUMN base_guid TEXT;
CREATE INDEX backups_by_client ON backups (client_id, size_bytes, timestamp);
CREATE TABLE deletions (
    storage_key    TEXT PRIMARY KEY,
    snapshot_id    TEXT NOT NULL,
    client_id      TEXT NOT NULL,
    size_bytes     BIGINT NOT NULL
);
ALTER TABLE uploads ADD COLUMN properties TEXT;
DROP INDEX backups_by_client;
CREATE INDEX backups_by_client ON backups (client_id, timestamp, size_bytes);
ALTER TABLE backups ADD COLUMN storage_type TEXT NOT NULL DEFAULT 's3';
ALTER TABLE uploads ADD COLUMN storage_type TEXT NOT NULL DEFAULT 's3';
ALTER TABLE uploads ADD COLUMN note TEXT;
ALTER TABLE deletions ADD COLUMN local_guid TEXT;
PRAGMA user_version = 5;
INSERT INTO properties (name, value) VALUES ('catalogue_id', 'c0ffee');
INSERT INTO backups VALUES (
    'web1/tank_data_2024-02-13', 'web1/tank_data_2024-02-13.zfs.gz', 'web1', 'tank/data', 'monday', '11', '',
    'filesystem', 1707834600, 1707834601000, 1000, 2000, 'gzip', 0, 'lz4', '-L', '', NULL, 'aa', 'manual', 0, NULL, 's3'
);
INSERT INTO uploads (
    upload_id, client_id, snapshot_id, storage_key, dataset_name, snapshot_name, snapshot_guid, from_guid, compression,
    raw, send_flags, touched_at, storage_type, note
)
VALUES
    ('object', 'web1', 'web1/a', 'web1/a.zfs.gz', 'tank/a', 'one', '21', '', 'gzip', 0, '', 1707834601000, 's3', NULL),
    ('waiting', 'web1', 'web1/b', 'backup/clients/web1', 'tank/b', 'two', '22', '', 'gzip', 0, '', 1707834602000,
     'local', NULL),
    ('begun', 'web1', 'web1/c', 'backup/clients/web1/tank_c@three', 'tank/c', 'three', '23', '', 'gzip', 0, '',
     1707834603000, 'local', NULL),
    ('noted', 'web1', 'web1/d', 'backup/clients/web1/tank_d@four', 'tank/d', 'four', '24', '', 'gzip', 0, '',
     1707834604000, 'local', '{}');
