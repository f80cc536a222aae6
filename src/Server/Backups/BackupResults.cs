using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.Server.Backups;

/// <summary>A backup as shown to an administrator.</summary>
internal sealed record AdministeredBackup
{
    public required string ClientId { get; init; }

    public required SnapshotInfo Backup { get; init; }

    public static AdministeredBackup Of(ListedBackup listed) =>
        new() { ClientId = listed.ClientId, Backup = listed.Info };
}

internal sealed record ShownBackup
{
    public required string ClientId { get; init; }

    public required SnapshotInfo Backup { get; init; }

    /// <summary>Its base; omitted for a full backup.</summary>
    public required string? Base { get; init; }

    /// <summary>The number of backups from the full one to this one.</summary>
    public required int ChainLength { get; init; }

    /// <summary>The backups based on it.</summary>
    public required IReadOnlyList<string> Dependents { get; init; }
}
