using System.Security.Cryptography;
using System.Text;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Names the stored bytes of a chain's first backups. A dataset notes it before each receive, so that a later run knows
/// that what is there came from the same backups as it is asked for, also if their chain has become longer since.
/// </summary>
internal static class ChainDigest
{
    /// <param name="chain">The full backup first.</param>
    /// <param name="count">How many of them.</param>
    public static string Of(IReadOnlyList<SnapshotInfo> chain, int count) =>
        Convert.ToHexStringLower(
            SHA256.HashData(
                Encoding.ASCII.GetBytes(string.Join('\n', chain.Take(count).Select(backup => backup.PartsSha256)))
            )
        );
}
