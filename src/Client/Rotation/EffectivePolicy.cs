using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Rotation;

/// <summary>
/// Chooses the policy that rotates local snapshots: the server's if it has one for this client, otherwise the client's
/// own. With LOCAL_ROTATION=client it is the client's own, and the server is not asked.
/// </summary>
internal static class EffectivePolicy
{
    public static async Task<RotationPolicyAnswer> GetAsync(
        ClientSettings settings,
        ApiClient server,
        Output output,
        RetryPolicy retry,
        CancellationToken cancellationToken
    )
    {
        if (!settings.FollowsServerPolicy)
            return OwnOf(settings);
        var answer = await retry.RunAsync(server.GetRotationPolicyAsync, cancellationToken);
        if (!answer.ServerManaged)
            return answer with { RotationPolicy = settings.Rotation };
        WarnIfIgnored(output, settings.Rotation, settings.RotationIsSet, answer.RotationPolicy);
        return answer;
    }

    /// <summary>The client's own policy, in the form of an answer.</summary>
    public static RotationPolicyAnswer OwnOf(ClientSettings settings) =>
        new()
        {
            Success = true,
            Message = "",
            RotationPolicy = settings.Rotation,
            ServerManaged = false,
        };

    public static void WarnIfIgnored(Output output, RotationPolicy own, bool isSet, RotationPolicy serverPolicy)
    {
        if (isSet && own != serverPolicy)
            output.Warn(
                $"the server's rotation policy applies ({serverPolicy}); KEEP_HOURLY, KEEP_DAILY, KEEP_WEEKLY and "
                    + "KEEP_MONTHLY of this client are ignored."
            );
    }
}
