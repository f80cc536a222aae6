using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Rotation;

/// <summary>Which policy counts: the server's where it has one for this client, else the client's own.</summary>
internal static class PolicyInForce
{
    public static async Task<RotationPolicyAnswer> GetAsync(
        ClientSettings settings,
        ApiClient server,
        CancellationToken cancellationToken
    )
    {
        var answer = await server.GetRotationPolicyAsync(cancellationToken);
        if (!answer.ServerManaged)
            return answer with { RotationPolicy = settings.Rotation };
        WarnIfIgnored(settings.Rotation, settings.RotationIsSet, answer.RotationPolicy);
        return answer;
    }

    public static void WarnIfIgnored(RotationPolicy own, bool isSet, RotationPolicy serverPolicy)
    {
        if (isSet && own != serverPolicy)
            Output.Warn(
                $"the server's rotation policy counts ({serverPolicy}); KEEP_HOURLY, KEEP_DAILY, KEEP_WEEKLY and "
                    + "KEEP_MONTHLY here are ignored."
            );
    }
}
