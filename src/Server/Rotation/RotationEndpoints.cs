using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;

namespace ZfsSnapshotManager.Server.Rotation;

/// <summary>POST /rotate and GET /rotation-policy.</summary>
internal sealed class RotationEndpoints(RotationRun rotation, ClientQuota quota, RequestEvents events)
{
    public static void Map(WebApplication app)
    {
        var endpoints = app.Services.GetRequiredService<RotationEndpoints>();
        app.MapPost("/rotate", endpoints.RotateAsync).WithMetadata(new KeyInBody());
        app.MapGet("/rotation-policy", endpoints.GetPolicyAsync);
    }

    private async Task RotateAsync(HttpContext context)
    {
        var request = await ReadAsync(context);
        var client = context.GetClient();
        if (request.RotationPolicy?.FindFault() is { } fault)
            throw RequestException.BadRequest($"rotation_policy: {fault}.");
        var policy = client.RotationPolicy ?? request.RotationPolicy;
        RotationResult result;
        if (policy is null)
            result = await RotateByQuotaAsync(client, request);
        else
            result = await rotation.ApplyAsync(client, policy, request.DryRun, request.MachineId);
        if (!request.DryRun && result.Deleted.Count + result.Expiring.Count > 0)
            events.Publish(context, ServerEvents.BackupsRotated, snapshotId: null, Count(result));
        var answer = new RotateAnswer
        {
            Success = true,
            Message = Summarize(result, request.DryRun),
            DryRun = request.DryRun,
            DeletedCount = request.DryRun ? 0 : result.Deleted.Count,
            ReclaimedBytes = request.DryRun ? 0 : result.Deleted.Sum(backup => backup.SizeBytes),
            ExpiringCount = request.DryRun ? 0 : result.Expiring.Count,
            RotationPolicy = policy,
            ServerManaged = client.RotationPolicy is not null,
            Decisions = [],
        };
        await JsonListResponse.WriteAsync(
            context,
            answer,
            ApiJson.Default.RotateAnswer,
            Describe(result, request.DryRun),
            ApiJson.Default.RotationItem
        );
    }

    private static IEnumerable<(string Name, string Value)> Count(RotationResult result) =>
        [
            ("deleted", $"{result.Deleted.Count}"),
            ("expiring", $"{result.Expiring.Count}"),
            ("kept", $"{result.Plan.Count - result.Deleted.Count - result.Expiring.Count}"),
        ];

    private Task GetPolicyAsync(HttpContext context)
    {
        var client = context.GetClient();
        var managed = client.RotationPolicy is not null;
        var answer = new RotationPolicyAnswer
        {
            Success = true,
            Message = managed
                ? "Server-managed rotation policy"
                : "No server-managed rotation policy; the client's own applies",
            RotationPolicy = client.RotationPolicy ?? new RotationPolicy(),
            ServerManaged = managed,
        };
        return context.Response.WriteAsJsonAsync(
            answer,
            ApiJson.Default.RotationPolicyAnswer,
            cancellationToken: context.RequestAborted
        );
    }

    private static async Task<RotateRequest> ReadAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted); // not longer than the limit for requests
        return body.Length == 0
            ? new RotateRequest()
            : JsonSerializer.Deserialize(body.GetBuffer().AsSpan(0, (int)body.Length), ApiJson.Default.RotateRequest)
                ?? throw RequestException.BadRequest("The body is null.");
    }

    /// <summary>Without any policy, only backups over the quota are deleted.</summary>
    private async Task<RotationResult> RotateByQuotaAsync(ClientEntry client, RotateRequest request)
    {
        var (used, reserved) = quota.GetUsage(client.ClientId);
        var excess = client.MaxSizeBytes == 0 ? 0 : used + reserved - client.MaxSizeBytes;
        return await rotation.ReduceAsync(client, Math.Max(0, excess), request.DryRun, request.MachineId);
    }

    private static string Summarize(RotationResult result, bool dryRun)
    {
        if (dryRun)
            return $"Would be deleted: {result.Deleted.Count + result.Expiring.Count} of {result.Plan.Count} backups. "
                + "Nothing was changed.";
        var deleted =
            $"Deleted: {result.Deleted.Count} of {result.Plan.Count} backups, "
            + $"{ByteSize.Format(result.Deleted.Sum(backup => backup.SizeBytes))}";
        return result.Expiring.Min(backup => backup.ExpiresAt) is { } first
            ? $"{deleted}; to be deleted later: {result.Expiring.Count}, from {Timestamps.ToMinute(first)} on."
            : $"{deleted}.";
    }

    private static IEnumerable<RotationItem> Describe(RotationResult result, bool dryRun)
    {
        var actions = result.Expiring.ToDictionary(
            backup => backup.SnapshotId,
            backup => (Action: RotationAction.Expire, backup.ExpiresAt),
            StringComparer.Ordinal
        );
        foreach (var backup in result.Deleted)
            actions[backup.SnapshotId] = (RotationAction.Delete, null);
        foreach (var (backup, _, reason) in result.Plan)
        {
            var (action, expiresAt) = actions.GetValueOrDefault(backup.SnapshotId, (RotationAction.Keep, null));
            if (action == RotationAction.Keep && !dryRun)
                continue;
            yield return new RotationItem
            {
                SnapshotId = backup.SnapshotId,
                DatasetName = backup.DatasetName,
                SnapshotName = backup.SnapshotName,
                SnapshotType = backup.SnapshotType,
                Timestamp = backup.Timestamp,
                SizeBytes = backup.SizeBytes,
                Action = action,
                Reason = reason,
                ExpiresAt = expiresAt,
            };
        }
    }
}

internal static class RotationAction
{
    public const string Keep = "keep";

    public const string Delete = "delete";

    public const string Expire = "expire";
}
