using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>What the server is told of an upload before it begins.</summary>
internal static class Announcement
{
    public static UploadRequest Of(
        BackupRun run,
        Machine machine,
        DatasetName dataset,
        LocalSnapshot snapshot,
        BackupPlan plan
    ) =>
        Common(run, machine, snapshot) with
        {
            DatasetName = dataset.Value,
            FromGuid = plan.Base?.Guid,
            Incremental = plan.IsIncremental,
            Compression = run.Settings.Compression.ApiName(),
            Raw = plan.IsRaw,
            SendFlags = plan.SendFlags,
        };

    /// <summary>Repeats the first announcement, so that the server returns the open upload.</summary>
    public static UploadRequest Of(BackupRun run, Machine machine, InterruptedUpload interrupted) =>
        Common(run, machine, interrupted.Snapshot) with
        {
            DatasetName = interrupted.Upload.DatasetName,
            SnapshotName = interrupted.Upload.SnapshotName ?? interrupted.Snapshot.Name.Leaf,
            FromGuid = interrupted.Upload.FromGuid,
            Incremental = interrupted.Upload.FromGuid is not null,
            Compression = interrupted.Upload.Compression,
            SendFlags = interrupted.Upload.SendFlags, // the server's own; those of zfs send are in Expected
        };

    private static UploadRequest Common(BackupRun run, Machine machine, LocalSnapshot snapshot) =>
        new()
        {
            ClientId = run.Settings.Server.ClientId,
            MachineId = machine.Id,
            MachineName = machine.Name,
            TakeOver = run.Options.TakesOver,
            DatasetName = snapshot.Name.Dataset.Value,
            SnapshotName = snapshot.Name.Leaf,
            SnapshotGuid = snapshot.Guid,
            Timestamp = snapshot.Creation,
            StorageType = run.Settings.StorageType,
            SnapshotType = snapshot.Type,
        };
}
