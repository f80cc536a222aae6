namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>What the catalogue's tables are, and how they came about.</summary>
internal static class CatalogueSchema
{
    /// <summary>
    /// Each step upgrades the schema from the version of its index to the next. Steps are only ever appended.
    /// </summary>
    public static readonly string[] Steps =
    [
        """
            CREATE TABLE backups (
                snapshot_id    TEXT PRIMARY KEY,
                storage_key    TEXT NOT NULL UNIQUE,
                client_id      TEXT NOT NULL,
                dataset_name   TEXT NOT NULL,
                snapshot_name  TEXT NOT NULL,
                snapshot_guid  TEXT NOT NULL,
                from_guid      TEXT NOT NULL, -- '' for a full backup: NULLs would not be unique
                dataset_type   TEXT NOT NULL,
                timestamp      BIGINT NOT NULL, -- Unix seconds
                received_at    BIGINT NOT NULL, -- Unix milliseconds
                size_bytes     BIGINT NOT NULL,
                stream_bytes   BIGINT NOT NULL,
                compression    TEXT NOT NULL,
                raw            BIGINT NOT NULL,
                features       TEXT NOT NULL, -- separated by spaces
                send_flags     TEXT NOT NULL, -- likewise
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
                snapshot_name  TEXT NOT NULL, -- '' if the client did not announce it
                snapshot_guid  TEXT NOT NULL, -- likewise
                from_guid      TEXT, -- '' for a full one, NULL if the client did not announce it
                compression    TEXT NOT NULL,
                raw            BIGINT, -- NULL if the client did not announce it
                send_flags     TEXT NOT NULL,
                touched_at     BIGINT NOT NULL, -- Unix milliseconds
                last_error     TEXT -- JSON, as it was answered
            );
            """,
        """
            ALTER TABLE backups ADD COLUMN locked_until BIGINT; -- Unix seconds; NULL: not locked
            CREATE TABLE properties (
                name           TEXT PRIMARY KEY,
                value          TEXT NOT NULL
            );
            """,
        """
            ALTER TABLE backups ADD COLUMN parts_sha256 TEXT NOT NULL DEFAULT '';
            ALTER TABLE uploads ADD COLUMN begin_facts TEXT; -- of the stream's BEGIN, once a part has arrived
            CREATE TABLE upload_objects (
                upload_id      TEXT NOT NULL,
                object         BIGINT NOT NULL, -- from 0
                token          TEXT NOT NULL, -- the store's name for the incomplete object
                PRIMARY KEY (upload_id, object)
            );
            CREATE TABLE upload_parts (
                upload_id      TEXT NOT NULL,
                part           BIGINT NOT NULL, -- from 1
                stored_offset  BIGINT NOT NULL, -- stored bytes of the parts before it, as announced
                size_bytes     BIGINT NOT NULL,
                sha256         TEXT NOT NULL,
                receipt        TEXT NOT NULL, -- what the store returned for it
                start_state    TEXT NOT NULL, -- state of the stream before it
                end_state      TEXT NOT NULL, -- and after it
                end_checksum   TEXT, -- of the stream, if the part contains its END
                PRIMARY KEY (upload_id, part)
            );
            """,
        """
            ALTER TABLE backups ADD COLUMN snapshot_type TEXT NOT NULL DEFAULT 'manual';
            ALTER TABLE backups ADD COLUMN pinned BIGINT NOT NULL DEFAULT 0;
            ALTER TABLE backups ADD COLUMN expires_at BIGINT; -- Unix seconds; NULL: not rotated
            ALTER TABLE uploads ADD COLUMN snapshot_type TEXT NOT NULL DEFAULT 'manual';
            ALTER TABLE uploads ADD COLUMN base_guid TEXT; -- the base that the stream names, once BEGIN has arrived
            CREATE INDEX backups_by_client ON backups (client_id, size_bytes, timestamp);
            CREATE TABLE deletions ( -- backups that are no longer listed and still have to be deleted
                storage_key    TEXT PRIMARY KEY,
                snapshot_id    TEXT NOT NULL,
                client_id      TEXT NOT NULL,
                size_bytes     BIGINT NOT NULL
            );
            """,
        """
            -- JSON: the dataset's own properties; NULL if the client did not send them
            ALTER TABLE uploads ADD COLUMN properties TEXT;
            DROP INDEX backups_by_client;
            -- By time: about the order of the rows in the file.
            CREATE INDEX backups_by_client ON backups (client_id, timestamp, size_bytes);
            -- 's3', or 'local': then storage_key is a snapshot's name.
            ALTER TABLE backups ADD COLUMN storage_type TEXT NOT NULL DEFAULT 's3';
            ALTER TABLE uploads ADD COLUMN storage_type TEXT NOT NULL DEFAULT 's3';
            -- JSON: the manifest of a local one, once all of its stream but END has arrived.
            ALTER TABLE uploads ADD COLUMN note TEXT;
            ALTER TABLE deletions ADD COLUMN local_guid TEXT; -- of a snapshot; NULL for objects
            """,
        """
            -- JSON: how the dataset behaves; NULL if the client did not send it
            ALTER TABLE uploads ADD COLUMN effective_properties TEXT;
            """,
        """
            -- '': the client did not say which machine it is from.
            ALTER TABLE backups ADD COLUMN machine_id TEXT NOT NULL DEFAULT '';
            ALTER TABLE backups ADD COLUMN machine_name TEXT NOT NULL DEFAULT '';
            ALTER TABLE uploads ADD COLUMN machine_id TEXT NOT NULL DEFAULT '';
            ALTER TABLE uploads ADD COLUMN machine_name TEXT NOT NULL DEFAULT '';
            CREATE INDEX backups_by_machine ON backups (client_id, machine_id, machine_name, received_at);
            CREATE TABLE refused_machines (
                client_id      TEXT NOT NULL,
                machine_id     TEXT NOT NULL,
                machine_name   TEXT NOT NULL,
                dataset_name   TEXT NOT NULL, -- that it was not allowed to back up
                refused_at     BIGINT NOT NULL, -- Unix milliseconds
                PRIMARY KEY (client_id, machine_id)
            );
            """,
        """
            CREATE TABLE outbox ( -- events that are not yet in the audit log
                number         INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
                event          TEXT NOT NULL -- JSON, a line of the audit log
            );
            """,
        """
            -- Bytes of the rows in upload_parts, so that a part does not cost a sum over all parts before it.
            ALTER TABLE uploads ADD COLUMN parts_bytes BIGINT NOT NULL DEFAULT 0;
            UPDATE uploads SET parts_bytes = (
                SELECT COALESCE(SUM(size_bytes), 0) FROM upload_parts
                WHERE upload_parts.upload_id = uploads.upload_id);
            -- What a quota adds up is in the indexes, without reading the rows.
            CREATE INDEX uploads_by_client ON uploads (client_id, storage_type, parts_bytes);
            CREATE INDEX deletions_by_client ON deletions (client_id, local_guid, size_bytes);
            DROP INDEX backups_by_client;
            CREATE INDEX backups_by_client ON backups (client_id, storage_type, timestamp, size_bytes);
            """,
        """
            CREATE TABLE begun_objects ( -- backups of which objects were begun, which may still be incomplete
                storage_key    TEXT PRIMARY KEY,
                begun_at       BIGINT NOT NULL -- Unix milliseconds
            );
            INSERT INTO begun_objects (storage_key, begun_at)
                SELECT storage_key, MAX(touched_at) FROM uploads WHERE storage_type = 's3' GROUP BY storage_key;
            """,
        """
            ALTER TABLE uploads ADD COLUMN estimated_size BIGINT; -- of the stream; NULL if the client did not send it
            """,
        """
            CREATE INDEX backups_by_expiry ON backups (client_id, expires_at) WHERE expires_at IS NOT NULL;
            """,
        """
            CREATE TABLE jobs (
                kind           TEXT NOT NULL,
                subject        TEXT NOT NULL, -- '' if the kind has one job only
                state          TEXT NOT NULL, -- waiting, running, done or cancelled
                owner          TEXT, -- the process that runs it
                lease_until    BIGINT, -- Unix milliseconds, like all times here
                not_before     BIGINT NOT NULL,
                attempts       BIGINT NOT NULL DEFAULT 0, -- that failed in a row
                requests       BIGINT NOT NULL DEFAULT 0, -- grows with each
                progress       TEXT NOT NULL DEFAULT '',
                error          TEXT, -- of the last attempt
                finished_at    BIGINT,
                PRIMARY KEY (kind, subject)
            );
            INSERT INTO jobs (kind, subject, state, not_before)
                SELECT DISTINCT 'delete', client_id, 'waiting', 0 FROM deletions;
            """,
        """
            CREATE TABLE read_leases ( -- backups that are being read
                snapshot_id    TEXT PRIMARY KEY,
                client_id      TEXT NOT NULL,
                until          BIGINT NOT NULL -- Unix seconds
            );
            """,
        """
            -- storage_key had three meanings; each has a column now.
            ALTER TABLE uploads ADD COLUMN object_key TEXT; -- NULL for ZFS
            ALTER TABLE uploads ADD COLUMN zfs_dataset TEXT; -- the client's dataset; NULL for the object store
            ALTER TABLE uploads ADD COLUMN zfs_snapshot TEXT; -- that the stream becomes, once it has begun
            UPDATE uploads SET object_key = storage_key WHERE storage_type = 's3';
            UPDATE uploads SET zfs_snapshot = storage_key
            WHERE storage_type = 'local' AND instr(storage_key, '@') > 0;
            -- A received dataset is directly below the client's: all up to the last '/'.
            UPDATE uploads SET zfs_dataset = CASE
                WHEN zfs_snapshot IS NULL THEN storage_key
                ELSE rtrim(rtrim(
                    substr(storage_key, 1, instr(storage_key, '@') - 1),
                    replace(substr(storage_key, 1, instr(storage_key, '@') - 1), '/', '')
                ), '/')
            END WHERE storage_type = 'local';
            ALTER TABLE uploads DROP COLUMN storage_key;
            ALTER TABLE uploads ADD COLUMN state TEXT NOT NULL DEFAULT 'receiving';
            -- Of those that were opened before, only the store knows whether their commit was interrupted.
            UPDATE uploads SET state = 'committing' WHERE storage_type = 's3' OR note IS NOT NULL;
            -- The run of the server that took it over last, and how often a request did: what was begun before that can
            -- write nothing.
            ALTER TABLE uploads ADD COLUMN owner TEXT NOT NULL DEFAULT '';
            ALTER TABLE uploads ADD COLUMN takeovers BIGINT NOT NULL DEFAULT 0;
            CREATE INDEX uploads_by_state ON uploads (state) WHERE state <> 'receiving';
            DROP INDEX uploads_by_client;
            CREATE INDEX uploads_by_client ON uploads (client_id, storage_type, state, parts_bytes);
            """,
    ];
}
