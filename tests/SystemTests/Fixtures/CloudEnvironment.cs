using System.Runtime.CompilerServices;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// A developer's own keys, profiles and regions of S3, which the AWS SDK finds wherever it runs: in the servers, and in
/// the tests themselves.
/// </summary>
internal static class CloudEnvironment
{
    /// <summary>Hides them from this process, before any test runs, and so from all programs that it starts.</summary>
    [ModuleInitializer]
    internal static void Hide()
    {
        foreach (var name in Environment.GetEnvironmentVariables().Keys.Cast<string>())
        {
            if (name.StartsWith("AWS_", StringComparison.Ordinal))
                Environment.SetEnvironmentVariable(name, null);
        }

        // In place of those in ~/.aws.
        Environment.SetEnvironmentVariable("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        Environment.SetEnvironmentVariable("AWS_CONFIG_FILE", "/dev/null");
    }
}
