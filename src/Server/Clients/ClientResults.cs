using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Server.Clients;

internal sealed record AddedClient
{
    public required string ClientId { get; init; }

    public required string ApiKey { get; init; }

    public required string ClientsFile { get; init; }
}

internal sealed record ChangedClient
{
    public required string ClientId { get; init; }

    public required string ClientsFile { get; init; }

    /// <summary>Empty if the client already had these settings.</summary>
    public required IReadOnlyList<FieldChange> Changes { get; init; }

    /// <summary>
    /// Backups of a disabled client that were rotated and stay as long as it is disabled; null if it is not.
    /// </summary>
    public int? ExpiringBackups { get; init; }
}

internal sealed record RotatedKey
{
    public required string ClientId { get; init; }

    public required string ApiKey { get; init; }

    /// <summary>Null if the old key expired at once.</summary>
    public required DateTimeOffset? OldApiKeyUntil { get; init; }

    public required string ClientsFile { get; init; }
}

internal sealed record RemovedClient
{
    public required string ClientId { get; init; }

    public required string ClientsFile { get; init; }

    public required int KeptBackups { get; init; }

    public required int KeptUploads { get; init; }
}

/// <summary>A client without the hashes of its keys.</summary>
internal sealed record ListedClient
{
    public required string ClientId { get; init; }

    public required bool Enabled { get; init; }

    public required long MaxSizeBytes { get; init; }

    public required string StorageType { get; init; }

    public required string? Dataset { get; init; }

    public required RotationPolicy? RotationPolicy { get; init; }

    /// <summary>Null without an old key.</summary>
    public required DateTimeOffset? OldApiKeyUntil { get; init; }

    /// <summary>The machines that use its id; null if the catalogue does not exist yet.</summary>
    public required IReadOnlyList<MachineInfo>? Machines { get; init; }

    public static ListedClient Of(ClientEntry client, IReadOnlyList<MachineInfo>? machines) =>
        new()
        {
            ClientId = client.ClientId,
            Enabled = client.Enabled,
            MaxSizeBytes = client.MaxSizeBytes,
            StorageType = client.StorageType,
            Dataset = client.Dataset,
            RotationPolicy = client.RotationPolicy,
            OldApiKeyUntil = client.OldApiKeyUntil,
            Machines = machines,
        };
}
