using System.Globalization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// The differences between two states of a client, field by field, with the names of clients.json. Keys and their
/// hashes are never included.
/// </summary>
internal static class ClientChanges
{
    public static IReadOnlyList<FieldChange> Between(ClientEntry before, ClientEntry after) =>
        [
            .. FieldsOf(before)
                .Zip(FieldsOf(after))
                .Where(pair => pair.First.Value != pair.Second.Value)
                .Select(pair => new FieldChange
                {
                    Field = pair.First.Name,
                    Old = pair.First.Value,
                    New = pair.Second.Value,
                }),
        ];

    /// <summary>All fields of a client that may be shown; <c>none</c> for a field without a value.</summary>
    public static IEnumerable<(string Name, string Value)> FieldsOf(ClientEntry client) =>
        [
            ("enabled", client.Enabled ? "true" : "false"),
            (
                "max_size_bytes",
                client.MaxSizeBytes == 0 ? "none" : client.MaxSizeBytes.ToString(CultureInfo.InvariantCulture)
            ),
            ("dataset", client.Dataset ?? "none"),
            ("storage_type", client.StorageType),
            ("rotation_policy", Describe(client.RotationPolicy)),
            ("old_api_key_until", client.OldApiKeyUntil is { } until ? Timestamps.ToSecond(until) : "none"),
        ];

    public static string Describe(RotationPolicy? policy) =>
        policy is null
            ? "none"
            : $"{policy.KeepHourly} hourly, {policy.KeepDaily} daily, {policy.KeepWeekly} weekly, "
                + $"{policy.KeepMonthly} monthly";
}

internal sealed record FieldChange
{
    public required string Field { get; init; }

    public required string Old { get; init; }

    public required string New { get; init; }

    public override string ToString() => $"{Field}: {Old} → {New}";
}
