using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.Core.Api;

public sealed record StatusAnswer : ApiAnswer
{
    /// <summary>The catalogue's id; older servers do not tell it.</summary>
    public string? ServerId { get; init; }

    public required string ClientId { get; init; }

    public required string StorageType { get; init; }

    public required long UsedBytes { get; init; }

    /// <summary>0: no quota.</summary>
    public required long MaxSizeBytes { get; init; }

    public required int SnapshotCount { get; init; }

    /// <summary>
    /// When the newest snapshot was made, but not later than it arrived: a client whose clock was ahead once must not
    /// look fresh until that time.
    /// </summary>
    public DateTimeOffset? NewestSnapshot { get; init; }

    /// <summary>When the last backup arrived.</summary>
    public DateTimeOffset? NewestReceivedAt { get; init; }

    /// <summary>Backups whose snapshot claims a time after its arrival; left out if there are none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int WrongClockCount { get; init; }

    /// <summary>
    /// When the next backup is due, by the finest class of the server's policy; left out if the client has no policy
    /// there, or no backup.
    /// </summary>
    public DateTimeOffset? NextDue { get; init; }

    public required int OpenUploads { get; init; }

    /// <summary>
    /// Stored bytes that open uploads have or have reserved; they count towards the quota like <see cref="UsedBytes"/>.
    /// </summary>
    public required long ReservedBytes { get; init; }

    /// <summary>Backups that were rotated and will be deleted later.</summary>
    public required int ExpiringCount { get; init; }

    /// <summary>The machines that backed up under this client's id, or tried to; older servers do not tell.</summary>
    public IReadOnlyList<MachineInfo>? Machines { get; init; }
}

/// <summary>A machine that uses a client's id.</summary>
public sealed record MachineInfo
{
    public required string MachineId { get; init; }

    public required string MachineName { get; init; }

    /// <summary>When a backup or a part of it arrived, or was refused.</summary>
    public required DateTimeOffset LastSeen { get; init; }

    /// <summary>
    /// The dataset that it was not allowed to back up, because its backups come from another machine; left out if
    /// nothing was refused.
    /// </summary>
    public string? RefusedDataset { get; init; }

    /// <summary>What to do if a dataset's backups come from another machine.</summary>
    /// <param name="other">Its name.</param>
    public static string RemedyFor(string other) =>
        "Give each machine a client id of its own: on the server, 'zfs-server client add NAME'. If this machine "
        + $"replaces {other}, run 'zfs-client backup --take-over' once.";

    /// <summary>What to do if that machine has this one's /etc/machine-id too.</summary>
    /// <param name="other">Its name.</param>
    public static string RemedyForClone(string other) =>
        "On the clone, run 'rm -f /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup', and give it a "
        + $"client id of its own: on the server, 'zfs-server client add NAME'. If {other} is the former name of this "
        + "machine, run 'zfs-client backup --take-over' once.";
}

public sealed record HealthAnswer
{
    public required string Status { get; init; }

    public required string Version { get; init; }
}

/// <summary>GET /ready.</summary>
public sealed record ReadyAnswer
{
    /// <summary><c>ready</c> or <c>not_ready</c>.</summary>
    public required string Status { get; init; }

    public required IReadOnlyList<ReadyResult> Checks { get; init; }
}

/// <summary>One thing that the server needs.</summary>
public sealed record ReadyResult
{
    public required string Name { get; init; }

    public required bool Ok { get; init; }

    /// <summary>The fault; null if there is none.</summary>
    public string? Message { get; init; }
}
