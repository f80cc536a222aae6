using System.Security.Cryptography;
using System.Text;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Identifies the stored bytes of a chain's first backups. It is noted on the dataset before each receive, so that a
/// later run can check that the received data came from the same backups, even if the chain has become longer since.
/// </summary>
internal static class ChainDigest
{
    /// <param name="chain">The full backup first.</param>
    /// <param name="count">How many of the chain's backups.</param>
    public static string Of(IReadOnlyList<SnapshotInfo> chain, int count) =>
        Convert.ToHexStringLower(
            SHA256.HashData(
                Encoding.ASCII.GetBytes(string.Join('\n', chain.Take(count).Select(backup => backup.PartsSha256)))
            )
        );
}
