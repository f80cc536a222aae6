namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>Work that the server does by itself, once or again and again.</summary>
internal sealed record Job
{
    /// <summary>One of <see cref="JobKinds"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>What it works on: a client's id; empty if the kind has one job only.</summary>
    public required string Subject { get; init; }

    /// <summary>One of <see cref="JobStates"/>.</summary>
    public required string State { get; init; }

    /// <summary>The server process that runs it; null if none does.</summary>
    public required string? Owner { get; init; }

    /// <summary>Until when it is its owner's, unless that renews it; null if nobody runs it.</summary>
    public required DateTimeOffset? LeaseUntil { get; init; }

    /// <summary>When it is run next, if it waits.</summary>
    public required DateTimeOffset NotBefore { get; init; }

    /// <summary>How often it has failed in a row.</summary>
    public required int Attempts { get; init; }

    /// <summary>How often it was asked for: what is asked for while it runs makes it run again.</summary>
    public required long Requests { get; init; }

    /// <summary>How far it is, or was; empty if it did not say.</summary>
    public required string Progress { get; init; }

    /// <summary>Why it failed last, or postponed a part of its work; null if it did not.</summary>
    public required string? Error { get; init; }

    /// <summary>When it last ended.</summary>
    public required DateTimeOffset? FinishedAt { get; init; }

    /// <summary><c>expire</c>, <c>delete/web1</c></summary>
    public string Name => Subject.Length == 0 ? Kind : $"{Kind}/{Subject}";

    /// <summary>The kind and subject of a job's name.</summary>
    public static (string Kind, string Subject) Parse(string name)
    {
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        return slash < 0 ? (name, "") : (name[..slash], name[(slash + 1)..]);
    }
}

internal static class JobKinds
{
    /// <summary>Deletes what the catalogue no longer lists of a client.</summary>
    public const string Delete = "delete";

    /// <summary>Deletes rotated backups once their delay is over.</summary>
    public const string Expire = "expire";

    /// <summary>Drops uploads that their clients abandoned.</summary>
    public const string CleanUp = "clean-up";
}

internal static class JobStates
{
    /// <summary>For its time, or for room.</summary>
    public const string Waiting = "waiting";

    public const string Running = "running";

    /// <summary>It has nothing left to do until it is asked for again.</summary>
    public const string Done = "done";

    /// <summary>By an administrator: it does not run until it is asked for by one.</summary>
    public const string Cancelled = "cancelled";
}
